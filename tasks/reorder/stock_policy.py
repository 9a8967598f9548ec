"""The stock policy of one product: when to order, and how much. Pure arithmetic.

A stock that is looked at every day (periodic review) is ordered up to a level as soon as what is there and on
order falls below the reorder point (s, S). The reorder point is the demand of the lead time and the day
until the next look that is exceeded only so often as the service level allows. Demand is counted in pieces:
Poisson where it varies no more than that, negative binomial where it does.

Silver, Pyke, Thomas, Inventory and Production Management in Supply Chains, ch. 6 and 7; tests compare with
stockpyl.
"""

import math
from typing import NamedTuple

from scipy import stats

# The stock is looked at once a day: between two looks it may fall without an order.
REVIEW_DAYS = 1


class Policy(NamedTuple):
    """Order when less than `reorder_point` pieces are there and on order, up to `order_up_to`."""

    reorder_point: int
    order_up_to: int


def demand_quantile(mean: float, variance: float, service_level: float) -> int:
    """The fewest pieces that cover a demand with this mean and variance with this probability."""
    if mean <= 0:
        return 0
    if variance <= mean:
        return int(stats.poisson.ppf(service_level, mean))
    share = mean / variance
    return int(stats.nbinom.ppf(service_level, mean * share / (1 - share), share))


def stock_policy(mean: float, variance: float, service_level: float, cycle_demand: float) -> Policy:
    """The policy for a demand during lead time and review of this mean and variance.

    `cycle_demand` is what sells from one order to the next. Where nothing sells, nothing is ordered.
    """
    if mean <= 0:
        return Policy(0, 0)
    # Of what sells at all there must be one: a point of 0 would never be fallen below.
    point = max(1, demand_quantile(mean, variance, service_level))
    return Policy(point, point + math.ceil(cycle_demand))


def protection_days(lead_time_days: float) -> int:
    """Whole days that the stock must last after a look: until the goods of the next one are here."""
    return math.ceil(lead_time_days) + REVIEW_DAYS
