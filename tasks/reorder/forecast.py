"""Forecasts of daily demand, with statsforecast: its mean over the days to come, and how far it may be wrong.

Two kinds of products, told apart as Syntetos, Boylan and Croston do (2005): one that sells on most days gets
exponential smoothing per weekday, one that sells now and then Croston's method in Syntetos' and Boylan's
correction, which asks how often and how much by themselves. How far a forecast may be wrong is measured: the
same model forecasts each of the last weeks from what was before it.
"""

import logging
from typing import NamedTuple

import numpy as np
import pandas as pd
from statsforecast import StatsForecast
from statsforecast.models import CrostonSBA, SeasonalExponentialSmoothing

WEEK = 7
# Below it nothing can be said of weekdays, nor of errors.
SHORTEST_DAYS = 56
# The last half year, week by week, is forecast from what was before.
MOST_WINDOWS = 26
# Days between two days with sales, on average, above which demand is intermittent.
INTERMITTENT_FROM = 1.32
# Slow enough that a Poisson's noise does not move it; a weekday comes once a week.
ALPHA = 0.1
WEEKDAYS, INTERMITTENT = "weekdays", "intermittent"


class Forecast(NamedTuple):
    """The demand of the `days` after the history: mean, variance of what may come, and per day."""

    model: str
    days: int
    mean: float
    variance: float
    per_day: float
    """Mean demand a day, over whole weeks."""


def forecast(history: pd.DataFrame, days: dict[str, int]) -> dict[str, Forecast]:
    """Forecast each product's demand over its number of `days`.

    `history` has unique_id (the product), ds (each day without a gap) and y (pieces). A product with less
    than SHORTEST_DAYS, or that sold nothing, has no forecast.
    """
    facts = history.groupby("unique_id", observed=True)["y"].agg(["size", "sum", lambda y: (y > 0).sum()])
    facts.columns = ["size", "sum", "days_with_sales"]
    facts = facts[(facts["size"] >= SHORTEST_DAYS) & (facts["sum"] > 0)]
    is_intermittent = facts["size"] / facts["days_with_sales"] > INTERMITTENT_FROM
    found: dict[str, Forecast] = {}
    for kind, products in ((WEEKDAYS, facts[~is_intermittent]), (INTERMITTENT, facts[is_intermittent])):
        if len(products):
            rows = history[history["unique_id"].isin(products.index)]
            found |= _forecast_kind(kind, rows, days, int(products["size"].min()))
    return found


def _forecast_kind(
    kind: str, history: pd.DataFrame, days: dict[str, int], shortest: int
) -> dict[str, Forecast]:
    weekdays = SeasonalExponentialSmoothing(season_length=WEEK, alpha=ALPHA, alias=kind)
    model = CrostonSBA(alias=kind) if kind == INTERMITTENT else weekdays
    products = list(history["unique_id"].unique())
    horizon = max(WEEK, *(days[product] for product in products))
    logging.getLogger("fugue").setLevel(logging.ERROR)
    engine = StatsForecast(models=[model], freq="D", n_jobs=1)
    ahead = engine.forecast(df=history, h=horizon)
    windows = max(2, min(MOST_WINDOWS, (shortest - horizon - 3 * WEEK) // WEEK))
    tested = engine.cross_validation(df=history, h=horizon, step_size=WEEK, n_windows=windows)
    tested["step"] = (tested["ds"] - tested["cutoff"]).dt.days
    found = {}
    past = dict(iter(tested.groupby("unique_id", observed=True)))
    for product, rows in ahead.groupby("unique_id", observed=True):
        values = rows[kind].clip(lower=0).to_numpy()
        span = days[product]
        mean = float(values[:span].sum())
        known = past[product][past[product]["step"] <= span]
        sums = known.groupby("cutoff")[["y", kind]].sum()
        error = float(np.mean((sums["y"] - sums[kind].clip(lower=0)) ** 2))
        found[str(product)] = Forecast(kind, span, mean, max(error, mean), float(values[:WEEK].mean()))
    return found
