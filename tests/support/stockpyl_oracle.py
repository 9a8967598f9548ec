"""What stockpyl says of textbook cases, as JSON; runs in its own environment (stockpyl.py)."""

import json
import sys

from scipy import stats
from stockpyl.newsvendor import newsvendor_discrete, newsvendor_poisson

answers = []
for mean, variance, service_level in json.load(sys.stdin):
    # The newsvendor's critical ratio is the service level.
    costs = {"holding_cost": 1 - service_level, "stockout_cost": service_level}
    if variance <= mean:
        level, _ = newsvendor_poisson(**costs, demand_mean=mean)
    else:
        share = mean / variance
        demand = stats.nbinom(mean * share / (1 - share), share)
        level, _ = newsvendor_discrete(**costs, demand_distrib=demand)
    answers.append(int(level))
json.dump(answers, sys.stdout)
