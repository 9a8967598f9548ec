"""The worked example: an honest split, scores that say something, calibrated, the same twice, in the warehouse."""

import datetime as dt
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.repeat_purchase.evaluation import evaluate
from tasks.repeat_purchase.examples import HORIZON_DAYS, ORDERED, read_examples, split_days
from tasks.repeat_purchase.model import features_of
from tasks.repeat_purchase.scoring import Report, score_customers, write_card
from tasks.warehouse.access import staged_warehouse
from tests.support.repeat_shop import CUSTOMERS, FIRST, LAST, make_repeat_shop


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = Lake((tmp_path_factory.mktemp("repeat") / "lake").as_uri())
    make_repeat_shop(made)
    return made


@pytest.fixture
def scored(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Report, Path]:
    return score(lake, tmp_path, monkeypatch)


def score(lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Report, Path]:
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("LAKE_URI", lake.root)
    monkeypatch.setenv("DUCKDB_PATH", str(folder / "warehouse.duckdb"))
    monkeypatch.setenv("MODEL_DIR", str(folder / "models"))
    settings = Settings()
    with staged_warehouse(settings) as warehouse:
        report = score_customers(warehouse, settings, lake)
        card = write_card(report, settings)
        warehouse.publish(built=["repeat_purchase_scores"])
    return report, card


def mart(folder: Path) -> list[tuple]:
    with duckdb.connect(folder / "warehouse.duckdb", read_only=True) as connection:
        return connection.execute("select * from gold.repeat_purchase_scores order by 1").fetchall()


def test_scores_say_who_orders_again_and_shuffled_outcomes_say_nothing(
    scored: tuple[Report, Path], tmp_path: Path
) -> None:
    report, _ = scored
    assert report.evaluation.auc > 0.8
    assert report.evaluation.auc >= report.evaluation.recency_auc
    assert report.shuffled.auc == pytest.approx(0.5, abs=0.05)
    assert report.evaluation.brier < 0.8 * report.evaluation.base_brier
    assert report.evaluation.calibration_error < 0.12
    rows = mart(tmp_path)
    assert len(rows) == report.scored
    assert 0.95 * CUSTOMERS < len(rows) <= CUSTOMERS
    regular = np.mean([score for key, score, *_ in rows if key % 2])
    other = np.mean([score for key, score, *_ in rows if not key % 2])
    assert regular > 0.7
    assert other < 0.4
    assert {row[2] for row in rows} == set(range(1, 11))
    assert {row[3:5] for row in rows} == {(LAST, HORIZON_DAYS)}


def test_the_same_data_give_the_same_scores_and_card(
    lake: Lake, scored: tuple[Report, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again, card = score(lake, tmp_path / "again", monkeypatch)
    assert again == scored[0]
    assert card.read_bytes() == scored[1].read_bytes()
    assert mart(tmp_path / "again") == mart(tmp_path)


def test_the_card_has_the_figures(scored: tuple[Report, Path]) -> None:
    report, card = scored
    text = card.read_text(encoding="utf-8")
    assert f"| AUC | {report.evaluation.auc:.3f} |" in text
    assert f"| AUC with shuffled outcomes | {report.shuffled.auc:.3f} |" in text
    assert f"| test | 4 | {report.split.test[0]} | {report.split.test[-1]} |" in text
    assert text.count("\n| 10 | ") == 1


def test_outcomes_of_a_part_have_happened_before_the_next_begins() -> None:
    days = {FIRST + dt.timedelta(days=number) for number in range(400)}
    covered = FIRST + dt.timedelta(days=399)
    split = split_days(days, covered)
    horizon = dt.timedelta(days=HORIZON_DAYS)
    assert split.test[-1] + horizon == covered
    assert split.calibrate[-1] + horizon < split.test[0]
    assert split.train[-1] + horizon < split.calibrate[0]
    assert [len(part) for part in split] == [37, 4, 4]


def test_too_few_days_are_refused_with_the_command_that_makes_more() -> None:
    days = {FIRST + dt.timedelta(days=number) for number in range(100)}
    with pytest.raises(PermanentFailure, match=r"has 100; `python -m flows\.features --first 2023-"):
        split_days(days, FIRST + dt.timedelta(days=99))


def test_an_outcome_is_an_order_after_the_day_that_is_not_cancelled(lake: Lake) -> None:
    [day] = [LAST - dt.timedelta(days=30)]
    examples = read_examples(lake, [day])
    from lake.local_sql import connect

    with connect() as connection:
        connection.register("orders", lake.rows_since("versions.orders", None))
        expected = connection.execute(
            "select distinct customer_id from orders where order_date between ? and ? order by 1",
            [day + dt.timedelta(days=1), day + dt.timedelta(days=30)],
        ).fetchall()
    assert [(key,) for key in examples[examples[ORDERED]]["customer_id"]] == [
        row for row in expected if row[0] in set(examples["customer_id"])
    ]


def test_the_model_sees_no_key_no_day_and_no_outcome(lake: Lake) -> None:
    examples = read_examples(lake, [LAST - dt.timedelta(days=30)])
    seen = set(features_of(examples).columns)
    assert len(seen) == 15
    assert seen.isdisjoint({"customer_id", "event_timestamp", "created_timestamp", "feature_date", ORDERED})


def test_calibration_is_measured() -> None:
    outcome = pd.Series([False, True] * 50)
    honest = evaluate(outcome, np.full(100, 0.5), pd.Series(range(100)))
    proud = evaluate(outcome, np.full(100, 0.9), pd.Series(range(100)))
    assert honest.calibration_error == pytest.approx(0)
    assert proud.calibration_error == pytest.approx(0.4)
    assert (honest.auc, honest.brier, honest.base_brier) == (0.5, 0.25, 0.25)
