"""Suites by table: a source table's from its contract, a mart's from its module in expectations/gold."""

import pkgutil
from functools import cache
from importlib import import_module

from expectations import gold
from expectations.bronze import bronze_suite
from expectations.silver import silver_suite
from expectations.suite import Suite
from lake.catalog import catalog


def bronze_suite_of(table: str) -> Suite:
    """The bronze gate of a source table."""
    return bronze_suite(catalog()[table])


def silver_suite_of(table: str) -> Suite:
    """The suite of a silver table."""
    return silver_suite(catalog()[table])


@cache
def gold_suites(topic: str | None = None) -> dict[str, Suite]:
    """The suites of the marts by name; with a `topic`, of that topic's only."""
    names = [module.name for module in pkgutil.iter_modules(gold.__path__, f"{gold.__name__}.")]
    suites: list[Suite] = [import_module(name).SUITE for name in names]
    return {suite.name: suite for suite in suites if topic in (None, suite.topic)}
