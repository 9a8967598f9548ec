"""How good the scores are, on the newest examples, which the model has not seen."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

BINS = 10


class Bin(NamedTuple):
    """A tenth of the examples by score: what was predicted, and what happened."""

    examples: int
    predicted: float
    observed: float


class Evaluation(NamedTuple):
    """Figures of the scores of some examples."""

    examples: int
    base_rate: float
    """The share of customers who ordered."""
    auc: float
    """The chance that one who ordered has a higher score than one who did not; 0.5 is a guess."""
    recency_auc: float
    """The same of the rule "who ordered last will order next"."""
    average_precision: float
    brier: float
    base_brier: float
    """The Brier score of the base rate for everybody."""
    loss: float
    calibration_error: float
    """How far predicted and observed shares of a bin are apart, on average."""
    bins: list[Bin]

    @property
    def top_lift(self) -> float:
        """How many times more often the tenth with the highest scores ordered than everybody."""
        return self.bins[-1].observed / self.base_rate if self.base_rate else float("nan")


def evaluate(has_ordered: pd.Series, scores: np.ndarray, days_since_last_order: pd.Series) -> Evaluation:
    """The figures of these scores. Raises ValueError if all examples have one outcome."""
    outcome = has_ordered.to_numpy(dtype=bool)
    rate = float(outcome.mean())
    # Ties keep the order of the examples, which says nothing.
    order = np.argsort(scores, kind="stable")
    bins = [
        Bin(len(part), float(scores[part].mean()), float(outcome[part].mean()))
        for part in np.array_split(order, BINS)
        if len(part)
    ]
    return Evaluation(
        examples=len(outcome),
        base_rate=rate,
        auc=float(roc_auc_score(outcome, scores)),
        recency_auc=float(roc_auc_score(outcome, -days_since_last_order.to_numpy(dtype=float))),
        average_precision=float(average_precision_score(outcome, scores)),
        brier=float(brier_score_loss(outcome, scores)),
        base_brier=rate * (1 - rate),
        loss=float(log_loss(outcome, scores, labels=[False, True])),
        calibration_error=sum(each.examples * abs(each.predicted - each.observed) for each in bins)
        / len(outcome),
        bins=bins,
    )
