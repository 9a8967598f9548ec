"""The stock policy: textbook cases, by hand and by stockpyl, and by simulation."""

import os

import numpy as np
import pytest

from tasks.reorder.stock_policy import Policy, demand_quantile, protection_days, stock_policy
from tests.support.datacontract import DataContractUnavailable
from tests.support.stockpyl import base_stock_levels

# (mean, variance, service level) -> pieces. The first: P(D <= 3) = 0.857, P(D <= 4) = 0.947 of a Poisson of 2.
CASES = [
    ((2, 2, 0.9), 4),
    ((10, 10, 0.95), 15),
    ((0.3, 0.3, 0.95), 1),
    ((100, 100, 0.98), 121),
    ((12, 30, 0.9), 19),
    ((1.5, 6, 0.95), 6),
]


@pytest.mark.parametrize(("demand", "pieces"), CASES)
def test_the_fewest_pieces_that_are_enough(demand: tuple[float, float, float], pieces: int) -> None:
    assert demand_quantile(*demand) == pieces


@pytest.mark.nightly
def test_stockpyl_says_the_same() -> None:
    demands = [demand for demand, _ in CASES]
    try:
        levels = base_stock_levels(demands)
    except DataContractUnavailable as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    assert levels == [pieces for _, pieces in CASES]


@pytest.mark.parametrize(("mean", "variance"), [(5, 5), (20, 60), (0.5, 2)])
def test_so_often_it_is_enough(mean: float, variance: float) -> None:
    rng = np.random.default_rng(0)
    share = mean / variance
    demand = (
        rng.poisson(mean, 100_000)
        if variance == mean
        else rng.negative_binomial(mean * share / (1 - share), share, 100_000)
    )
    assert (demand.mean(), demand.var()) == pytest.approx((mean, variance), rel=0.05)
    pieces = demand_quantile(mean, variance, 0.95)
    assert (demand <= pieces).mean() >= 0.949
    assert (demand <= pieces - 1).mean() < 0.951


def test_what_sells_at_all_is_kept_and_what_does_not_is_not() -> None:
    assert stock_policy(0.01, 0.01, 0.95, 0.07) == Policy(reorder_point=1, order_up_to=2)
    assert stock_policy(0, 0, 0.95, 0) == Policy(0, 0)
    assert stock_policy(2, 2, 0.9, 7.2) == Policy(4, 12)


@pytest.mark.parametrize(("lead_time", "days"), [(7, 8), (0, 1), (2.5, 4)])
def test_the_stock_lasts_until_the_goods_of_the_next_look_are_here(lead_time: float, days: int) -> None:
    assert protection_days(lead_time) == days
