"""Train, evaluate, write the model card, and bring today's scores to the warehouse as a mart."""

import datetime as dt
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import sklearn

from blocks.settings.environment import namespaced
from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.features.contract import feature_tables
from tasks.features.tables import written_days
from tasks.ingest.bronze import covered_until
from tasks.repeat_purchase.evaluation import Evaluation, evaluate
from tasks.repeat_purchase.examples import HORIZON_DAYS, ORDERED, Split, read_day, read_examples, split_days
from tasks.repeat_purchase.model import predict, train, weights
from tasks.templates.render import render
from tasks.warehouse.interface import Warehouse

MART = "repeat_purchase_scores"
CARD = "repeat_purchase.md"
SEED = 0


class Report(NamedTuple):
    """What the model card says."""

    split: Split
    evaluation: Evaluation
    shuffled: Evaluation
    """The same with shuffled outcomes: an AUC above 0.5 there would be a leak of the outcome."""
    weights: dict[str, float]
    trained_on: int
    reconstructed_share: float
    scored_day: dt.date
    scored: int


def score_customers(warehouse: Warehouse, settings: Settings, lake: Lake) -> Report:
    """Make gold.repeat_purchase_scores anew, of the newest feature day; returns what the card says.

    The caller publishes. Raises PermanentFailure without enough feature days.
    """
    table = feature_tables()["customers"]
    days = written_days(lake, table)
    split = split_days(days, last_covered_day(settings, lake))
    examples, calibration, test = (read_examples(lake, part) for part in split)
    model = train(examples, calibration)
    newest = read_day(lake, table, max(days))
    scores = predict(model, newest)
    with warehouse.session() as session:
        session.execute(f"create schema if not exists {warehouse.gold}")
        session.replace(f"{warehouse.gold}.{MART}", mart_rows(newest, scores, split))
    return Report(
        split=split,
        evaluation=evaluate(test[ORDERED], predict(model, test), test["days_since_last_order"]),
        shuffled=evaluate_shuffled(examples, calibration, test),
        weights=weights(model),
        trained_on=len(examples),
        reconstructed_share=float(examples["is_reconstructed"].mean()),
        scored_day=max(days),
        scored=len(newest),
    )


def last_covered_day(settings: Settings, lake: Lake) -> dt.date:
    """The last business day all of whose orders the lake has."""
    mark = covered_until(lake, "bronze.orders") or 0
    return (dt.datetime.fromtimestamp(mark, settings.shop_timezone) - dt.timedelta(microseconds=1)).date()


def evaluate_shuffled(examples: pd.DataFrame, calibration: pd.DataFrame, test: pd.DataFrame) -> Evaluation:
    """The same with outcomes dealt out at random, in every part."""
    rng = np.random.default_rng(SEED)
    parts = [
        part.assign(**{ORDERED: rng.permutation(part[ORDERED])}) for part in (examples, calibration, test)
    ]
    model = train(parts[0], parts[1])
    return evaluate(parts[2][ORDERED], predict(model, parts[2]), parts[2]["days_since_last_order"])


def mart_rows(customers: pd.DataFrame, scores: np.ndarray, split: Split) -> pa.Table:
    """The mart. Grain: one row per customer who has ordered; decile 1 has the highest scores."""
    key = feature_tables()["customers"].key
    rank = pd.Series(scores).rank(method="first", ascending=False)
    return pa.table(
        {
            key: pa.array(customers[key]),
            "score": pa.array(scores, pa.float64()),
            "decile": pa.array(np.ceil(10 * rank / max(len(scores), 1)).astype("int64")),
            "feature_date": pa.array(customers["feature_date"], pa.date32()),
            "horizon_days": pa.array([HORIZON_DAYS] * len(customers), pa.int64()),
            "trained_until": pa.array([split.calibrate[-1]] * len(customers), pa.date32()),
        }
    )


def write_card(report: Report, settings: Settings) -> Path:
    """Write the model card; returns its file."""
    file = Path(namespaced(str(settings.model_dir.resolve()), "/")) / CARD
    file.parent.mkdir(parents=True, exist_ok=True)
    text = render(
        "model_card.md.j2", report=report, mart=MART, horizon=HORIZON_DAYS, sklearn=sklearn.__version__
    )
    file.write_text(text, encoding="utf-8")
    return file
