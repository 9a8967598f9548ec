"""Forecasts: weekdays where a product sells daily, rates where it does not, and how far they may be wrong."""

import numpy as np
import pandas as pd
import pytest

from tasks.reorder.forecast import INTERMITTENT, WEEKDAYS, forecast

# A Monday.
FIRST = pd.Timestamp("2024-01-01")


def history(**products: list[float]) -> pd.DataFrame:
    return pd.concat(
        pd.DataFrame(
            {"unique_id": name, "ds": pd.date_range(FIRST, periods=len(y)), "y": np.array(y, dtype=float)}
        )
        for name, y in products.items()
    )


def test_a_week_is_forecast_weekday_by_weekday() -> None:
    week = [2, 2, 2, 2, 10, 20, 4]
    found = forecast(history(a=week * 30), {"a": 2})["a"]
    assert (found.model, found.days, found.mean) == (WEEKDAYS, 2, pytest.approx(4))
    assert found.per_day == pytest.approx(6)
    # The history ends on a Sunday: four days more are Monday to Thursday, six Monday to Saturday.
    assert forecast(history(a=week * 30), {"a": 6})["a"].mean == pytest.approx(38)


def test_what_sells_now_and_then_is_forecast_by_how_often_and_how_much() -> None:
    found = forecast(history(a=[0, 0, 0, 0, 0, 0, 0, 0, 0, 5] * 30), {"a": 10})["a"]
    assert found.model == INTERMITTENT
    assert found.mean == pytest.approx(5, rel=0.1)
    assert found.variance >= found.mean


def test_what_varies_more_than_chance_is_known_to() -> None:
    rng = np.random.default_rng(0)
    even, wild = rng.poisson(10, 350), rng.negative_binomial(1, 1 / 11, 350)
    found = forecast(history(even=even, wild=wild), {"even": 8, "wild": 8})
    assert found["even"].mean == pytest.approx(80, rel=0.1)
    assert found["even"].variance < 200
    assert found["wild"].variance > 3 * found["even"].variance


def test_too_little_history_and_no_sales_have_no_forecast() -> None:
    found = forecast(history(new=[1] * 55, none=[0] * 100, old=[1] * 56), {"new": 8, "none": 8, "old": 8})
    assert list(found) == ["old"]


def test_the_same_history_gives_the_same_forecast() -> None:
    rows = history(a=list(np.random.default_rng(1).poisson(3, 200)))
    assert forecast(rows, {"a": 8}) == forecast(rows, {"a": 8})
