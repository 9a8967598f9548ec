"""Backtest of the reorder rules: fill rate and stock held over two simulated years.

python -m benchmarks.reorder                  # needs the extra ml; a few minutes
python -m benchmarks.reorder --products 20

A rule sees what a shop sees: the sales so far. What is asked for and not there is lost, and in no history.
Every evening each product is looked at; what is ordered is there after the lead time. Both rules order up to
the reorder point and a week's sales. The forecast is made anew every week (in the pipeline every day).

- `same`: the lead time is 7 days for all, as LEAD_TIME_DAYS says
- `own`: 2 to 21 days, each product its own: the 28-day rule knows only one for all
"""

import argparse
import math
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from tasks.reorder.forecast import forecast
from tasks.reorder.stock_policy import Policy, protection_days, stock_policy

DAYS, HISTORY, TRAILING, CYCLE_DAYS = 730, 180, 28, 7
LEAD_TIME_DAYS, SAFETY_STOCK_DAYS = 7, 3
SERVICE_LEVELS = (0.8, 0.85, 0.9, 0.95)
LONGEST_HISTORY, REFIT_DAYS = 365, 7
FIRST = pd.Timestamp("2022-07-01")
WEEKDAYS = np.array([0.8, 0.8, 0.9, 1.0, 1.2, 1.4, 0.9])
PIECES, WEIGHTS = np.array([1, 2, 3, 4, 6, 12]), np.array([60, 22, 9, 5, 3, 1]) / 100
Rule = Callable[[np.ndarray, int], list[Policy]]
"""(sales so far, a row per product; days since the beginning) -> the policy of each product."""


class Outcome(NamedTuple):
    """What a rule has come to, over all products."""

    fill_rate: float
    slow_fill_rate: float
    """That of products that sell on less than three days in four."""
    stock: float
    """Pieces on hand in the evening, on average, of all products together."""
    slow_stock: float


def demand(products: int, seed: int) -> np.ndarray:
    """Pieces asked for, a row per product and a column per day: half sell daily, half now and then."""
    rng = np.random.default_rng(seed)
    days = np.arange(HISTORY + DAYS)
    dates = FIRST + pd.to_timedelta(days, unit="D")
    week = WEEKDAYS[dates.weekday.to_numpy()]
    rows = []
    for number in range(products):
        orders = float(np.exp(rng.uniform(*((0.5, 3.0) if number % 2 else (-4.0, -0.5)))))
        year = 1 + 0.3 * np.sin(2 * np.pi * (days / 365.25 + rng.random()))
        trend = np.exp(rng.normal(0, 0.3) * days / len(days))
        counts = rng.poisson(orders * week * year * trend)
        rows.append([int(rng.choice(PIECES, size=count, p=WEIGHTS).sum()) for count in counts])
    return np.array(rows)


def simulate(asked: np.ndarray, lead_times: np.ndarray, rule: Rule) -> Outcome:
    """Two years of a rule, after a history in which everything could be sold."""
    products = len(asked)
    sold = asked.copy()
    policies = rule(sold[:, :HISTORY], 0)
    on_hand = np.array([policy.order_up_to for policy in policies])
    arriving = np.zeros((products, DAYS + int(lead_times.max()) + 1), dtype=int)
    held, lost = np.zeros((products, DAYS)), np.zeros((products, DAYS))
    for day in range(DAYS):
        wanted = asked[:, HISTORY + day]
        gone = np.minimum(wanted, on_hand)
        sold[:, HISTORY + day] = gone
        lost[:, day] = wanted - gone
        on_hand = on_hand - gone
        held[:, day] = on_hand
        on_hand = on_hand + arriving[:, day]
        policies = rule(sold[:, : HISTORY + day + 1], day + 1)
        position = on_hand + arriving[:, day + 1 :].sum(axis=1)
        for number, policy in enumerate(policies):
            if position[number] < policy.reorder_point:
                arriving[number, day + lead_times[number]] += policy.order_up_to - position[number]
                if lead_times[number] == 0:
                    on_hand[number] += policy.order_up_to - position[number]
    period = asked[:, HISTORY:]
    slow = (asked > 0).mean(axis=1) < 0.75
    return Outcome(
        fill_rate=1 - lost.sum() / period.sum(),
        slow_fill_rate=1 - lost[slow].sum() / period[slow].sum(),
        stock=held.sum(axis=0).mean(),
        slow_stock=held[slow].sum(axis=0).mean(),
    )


def trailing_rule(safety_days: float) -> Rule:
    """The rule without a forecast: 28 days' mean, one lead time for all, a reserve in days of sales."""

    def policies(sold: np.ndarray, day: int) -> list[Policy]:
        rates = sold[:, -TRAILING:].sum(axis=1) / TRAILING
        points = [math.ceil(rate * (LEAD_TIME_DAYS + safety_days)) for rate in rates]
        return [
            Policy(point, point + math.ceil(rate * CYCLE_DAYS))
            for point, rate in zip(points, rates, strict=True)
        ]

    return policies


def forecast_rule(lead_times: np.ndarray, service_level: float) -> Rule:
    """The rule of tasks/reorder: forecast, lead time of the product, service level."""
    days = {f"{number:05}": protection_days(float(lead)) for number, lead in enumerate(lead_times)}
    kept: list[Policy] = []

    def policies(sold: np.ndarray, day: int) -> list[Policy]:
        if day % REFIT_DAYS and kept:
            return kept
        history = sold[:, -LONGEST_HISTORY:]
        dates = pd.date_range(FIRST, periods=sold.shape[1])[-history.shape[1] :]
        rows = pd.DataFrame(
            {
                "unique_id": np.repeat(list(days), len(dates)),
                "ds": np.tile(dates, len(days)),
                "y": history.ravel().astype(float),
            }
        )
        found = forecast(rows, days)
        kept[:] = [
            stock_policy(each.mean, each.variance, service_level, each.per_day * CYCLE_DAYS)
            if (each := found.get(product))
            else Policy(1, 2)
            for product in days
        ]
        return kept

    return policies


def main() -> None:
    """Run every rule on both kinds of lead times, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reorder", description=__doc__)
    parser.add_argument("--products", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--levels", type=float, nargs="+", default=SERVICE_LEVELS, help="service levels")
    options = parser.parse_args()
    asked = demand(options.products, options.seed)
    table = Table("lead time", "rule", "fill rate", "of slow products", "stock", "of slow products", "CPU s")
    rng = np.random.default_rng(options.seed)
    for name, lead_times in (
        ("same", np.full(len(asked), LEAD_TIME_DAYS)),
        ("own", rng.integers(2, 22, len(asked))),
    ):
        rules = {f"28 days, {days} in reserve": trailing_rule(days) for days in (SAFETY_STOCK_DAYS, 7, 14)}
        rules |= {f"forecast, {level:.0%}": forecast_rule(lead_times, level) for level in options.levels}
        for words, rule in rules.items():
            begun = time.process_time()
            found = simulate(asked, lead_times, rule)
            row = (
                name,
                words,
                f"{found.fill_rate:.2%}",
                f"{found.slow_fill_rate:.2%}",
                f"{found.stock:,.0f}",
                f"{found.slow_stock:,.0f}",
                f"{time.process_time() - begun:.0f}",
            )
            print(*row, sep="\t", file=sys.stderr, flush=True)
            table.add_row(*row)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
