"""The model: logistic regression on the customer's features, then calibrated, so that a score is a share.

Chosen over trees because its weights can be read, it is the same on every run, and it trains in seconds:
nothing is stored between runs, neither a pickle nor its version.
"""

from typing import cast

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from tasks.features.contract import feature_tables
from tasks.repeat_purchase.examples import ORDERED

CATEGORIES = ["customer_segment", "region"]
# So many digits are the same on every machine.
PLACES = 6


def features_of(examples: pd.DataFrame) -> pd.DataFrame:
    """The columns that the model sees: the features of the contract, and nothing that names a customer."""
    names = feature_tables()["customers"].features
    numbers = examples[[name for name in names if name not in CATEGORIES]].astype("float64")
    # A missing category is one of its own.
    return numbers.join(examples[CATEGORIES].fillna("unknown"))


def train(examples: pd.DataFrame, calibration: pd.DataFrame) -> CalibratedClassifierCV:
    """A model of has_ordered, fitted on the examples and calibrated on later ones."""
    inputs = features_of(examples)
    numbers = [name for name in inputs.columns if name not in CATEGORIES]
    columns = ColumnTransformer(
        [
            (
                "numbers",
                make_pipeline(
                    # Counts, sums and ages are skewed; none is negative.
                    FunctionTransformer(np.log1p, feature_names_out="one-to-one"),
                    SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
                    StandardScaler(),
                ),
                numbers,
            ),
            ("categories", OneHotEncoder(handle_unknown="ignore"), CATEGORIES),
        ]
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=2000))
    model.fit(inputs, examples[ORDERED])
    calibrated = CalibratedClassifierCV(FrozenEstimator(model), method="sigmoid")
    return calibrated.fit(features_of(calibration), calibration[ORDERED])


def predict(model: CalibratedClassifierCV, examples: pd.DataFrame) -> np.ndarray:
    """The probability, 0 to 1, that each customer orders within the horizon."""
    return cast(np.ndarray, model.predict_proba(features_of(examples))[:, 1].round(PLACES))


def weights(model: CalibratedClassifierCV) -> dict[str, float]:
    """The weight of each input, on a common scale, the heaviest first."""
    fitted = model.calibrated_classifiers_[0].estimator.estimator
    names = [name.partition("__")[2] for name in fitted[:-1].get_feature_names_out()]
    found = dict(zip(names, fitted[-1].coef_[0].tolist(), strict=True))
    return dict(sorted(found.items(), key=lambda each: (-abs(each[1]), each[0])))
