"""The plan of a day's reorders: what is known of each product beyond the 28-day rule, written to the lake."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake
from prefect import task
from prefect.logging import get_run_logger

from blocks.settings.extras import check_extra
from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import Settings
from lake.catalog import catalog
from lake.delta import Lake, commit
from lake.present_rows import present_rows
from tasks.reorder.demand import read_histories
from tasks.reorder.policy_table import KEY, LAKE_NAME, policy_schema, read_policies
from tasks.timing import remark, timed

TERMS = "replenishment"
Terms = dict[str, dict[str, Any]]
"""The rows of the source table `replenishment`, by the product's key as text."""


@dataclass(frozen=True)
class Planned:
    """Number of products that the plan knows something of."""

    rows: int


def plan_if_wanted(settings: Settings, lake: Lake) -> Planned | None:
    """Plan the reorders if there are forecasts or terms to plan with: a run without has no such step."""
    return plan_reorders(settings, lake) if settings.reorder_forecast or TERMS in catalog() else None


@task(task_run_name="plan-reorders")
@timed
def plan_reorders(settings: Settings, lake: Lake) -> Planned | None:
    """Write `gold.reorder_policy`.

    None, and a warning, if that fails: the marts keep to the last plan, and to the 28-day rule after a week.
    """
    try:
        return Planned(write_plan(settings, lake))
    except Exception as error:
        get_run_logger().warning("no new reorder plan: %s", error)
        remark(f"no new reorder plan: {error}; the last one holds for a week, then the 28-day rule")
        return None


def write_plan(settings: Settings, lake: Lake) -> int:
    """Write `gold.reorder_policy` if it differs; returns its number of rows.

    Without the extra ml it has the terms alone, and a log says so.
    """
    terms = _terms(lake)
    forecasts = {}
    if settings.reorder_forecast:
        try:
            check_extra("ml")
            forecasts = dict(_forecasts(settings, lake, terms))
        except PermanentFailure as missing:
            get_run_logger().warning("reorder points by the 28-day rule: %s", missing)
    schema = policy_schema()
    is_number = pa.types.is_integer(schema.field(KEY).type)
    rows = [
        {KEY: int(product) if is_number else product, **terms.get(product, {}), **forecasts.get(product, {})}
        for product in sorted(terms.keys() | forecasts.keys())
    ]
    plan = pa.Table.from_pylist(rows, schema=schema).sort_by(KEY)
    if not plan.equals(read_policies(lake).sort_by(KEY)):
        write_deltalake(
            lake.uri(LAKE_NAME), plan, mode="overwrite", schema_mode="overwrite", commit_properties=commit()
        )
    return plan.num_rows


def _terms(lake: Lake) -> Terms:
    if TERMS not in catalog() or lake.table(f"silver.{TERMS}") is None:
        return {}
    return {str(row[KEY]): row for row in present_rows(lake, catalog()[TERMS]).to_table().to_pylist()}


def _forecasts(settings: Settings, lake: Lake, terms: Terms) -> Iterator[tuple[str, dict[str, Any]]]:
    # Of the extra.
    from tasks.reorder.forecast import forecast
    from tasks.reorder.stock_policy import protection_days, stock_policy

    def term(product: str, name: str, default: float) -> float:
        value = terms.get(product, {}).get(name)
        return default if value is None else float(value)

    for last, history in read_histories(lake):
        days = {
            product: protection_days(term(product, "lead_time_days", settings.lead_time_days))
            for product in history["unique_id"].unique()
        }
        for product, found in forecast(history, days).items():
            policy = stock_policy(
                found.mean,
                found.variance,
                term(product, "service_level", settings.service_level),
                found.per_day * settings.order_cycle_days,
            )
            yield product, _row(found.model, found.per_day, last, policy.reorder_point, policy.order_up_to)


def _row(model: str, per_day: float, last: dt.date, point: int, up_to: int) -> dict[str, Any]:
    return {
        "forecast_model": model,
        "forecast_per_day": Decimal(str(round(per_day, 4))),
        "forecast_date": last,
        "reorder_point": point,
        "order_up_to": up_to,
    }
