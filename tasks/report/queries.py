"""The daily report's queries on the warehouse, each with the model that it fills.

They are SQL that DuckDB, Snowflake and BigQuery all understand; dates are literals, since each has parameters
of its own. Days without orders count as zeros. All statuses count, as in the marts.
"""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from lake.delta import Lake
from tasks.ledger.overrides import overrides
from tasks.ledger.queries import quality_days
from tasks.report.models import (
    Day,
    Decision,
    QuarantineReason,
    ReportData,
    Segment,
    Share,
    Stock,
    StockItem,
    Totals,
)
from tasks.words import words

Query = Callable[[str], list[dict[str, Any]]]
"""Runs one SELECT on the warehouse; a row is a dict by column name."""

DAYS_SHOWN = 28
WEEK = 7
# Rows of a list that a person reads to its end; the rest is in the warehouse.
LONGEST_LIST = 12
SAMPLES = 3
# Parts of the day's revenue, as columns of agg_daily_sales, and their headings.
PARTS = {"category": "Category", "region": "Region", "customer_segment": "Customer segment"}
# From a visit to a purchase, as metrics, with their labels.
STEPS = {
    name: words()[name].label
    for name in (
        *("total_sessions", "product_view_sessions", "add_to_cart_sessions"),
        *("checkout_sessions", "purchase_sessions"),
    )
}


def read_report_data(query: Query, lake: Lake, ds: dt.date) -> ReportData:
    """The data of the report for business day `ds`: sales as they are known now, the rest as it is now."""
    days = read_days(query, ds)
    before = days[-1 - WEEK : -1]
    return ReportData(
        ds=ds,
        days=days,
        week=_mean(before) if before else None,
        sales={column: read_sales_by(query, ds, column, len(before)) for column in PARTS},
        funnel=read_funnel(query, ds),
        segments=read_segments(query),
        stock=read_stock(query),
        quality=quality_days(lake, ds - dt.timedelta(days=DAYS_SHOWN - 1), ds),
        quarantine=_quarantine(query, ds),
        decisions=_decisions(lake, ds),
    )


def read_days(query: Query, ds: dt.date) -> list[Day]:
    """The last DAYS_SHOWN days; fewer if nobody ordered or clicked before."""
    window = _between(ds - dt.timedelta(days=DAYS_SHOWN - 1), ds)
    found = {
        row["date"]: row
        for row in query(
            f"""
            select
                order_date as date,
                count(distinct order_number) as orders,
                count(distinct customer_id) as customers,
                sum(order_amount) as revenue,
                sum(case when cost_amount is not null then order_amount else 0 end) as known_cost_revenue,
                coalesce(sum(profit_amount), 0) as profit
            from gold.fct_orders
            where order_date {window}
            group by order_date
            """
        )
    }
    for row in query(
        f"""
        select event_date as date, total_sessions as sessions, purchase_sessions as purchases
        from gold.agg_daily_funnel
        where event_date {window}
        """
    ):
        found.setdefault(row["date"], {}).update(row)
    first = min([*found, ds])
    dates = [first + dt.timedelta(days=number) for number in range((ds - first).days + 1)]
    return [Day(**{**found.get(date, {}), "date": date}) for date in dates]


def _mean(days: list[Day]) -> Totals:
    return Totals(
        **{name: sum(getattr(day, name) for day in days) / Decimal(len(days)) for name in Totals.model_fields}
    )


def read_sales_by(query: Query, ds: dt.date, column: str, days_before: int) -> list[Share]:
    """Revenue of the day by a column of agg_daily_sales, largest first; the small ones together."""
    rows = query(
        f"""
        select
            {column} as name,
            sum(case when order_date = {_date(ds)} then total_revenue else 0 end) as value,
            sum(case when order_date < {_date(ds)} then total_revenue else 0 end) as before
        from gold.agg_daily_sales
        where order_date {_between(ds - dt.timedelta(days=WEEK), ds)}
        group by {column}
        order by value desc, name
        """
    )
    if len(rows) > LONGEST_LIST:
        rest = rows[LONGEST_LIST - 1 :]
        others = {name: sum(row[name] for row in rest) for name in ("value", "before")}
        rows = [*rows[: LONGEST_LIST - 1], {"name": f"{len(rest)} others", **others}]
    return [
        Share(
            name=row["name"], value=row["value"], usual=row["before"] / days_before if days_before else None
        )
        for row in rows
    ]


def read_funnel(query: Query, ds: dt.date) -> list[Share]:
    """Sessions of the day by the step they came to; empty if the day has no clicks."""
    columns = ", ".join(STEPS)
    days = query(
        f"""
        select event_date, {columns}
        from gold.agg_daily_funnel
        where event_date {_between(ds - dt.timedelta(days=WEEK), ds)} and total_sessions > 0
        """
    )
    before = [day for day in days if day["event_date"] < ds]
    return [
        Share(
            name=name,
            value=day[column],
            usual=Decimal(sum(each[column] for each in before)) / len(before) if before else None,
        )
        for day in days
        if day["event_date"] == ds
        for column, name in STEPS.items()
    ]


def read_segments(query: Query) -> list[Segment]:
    """The RFM segments, over all time; the one with the most revenue first."""
    rows = query(
        """
        select
            rfm_segment as name,
            count(*) as customers,
            sum(monetary) as revenue,
            avg(recency_days) as recency_days
        from gold.customer_segments
        group by rfm_segment
        order by revenue desc, name
        """
    )
    return [Segment(**row) for row in rows]


def read_stock(query: Query) -> Stock:
    """Products by state, and those that are out or low, the worst first."""
    states = query(
        """
        select state, count(*) as products, max(newest_event_at) as newest_event_at
        from gold.inventory_status
        group by state
        """
    )
    at_risk = query(
        f"""
        select
            product_id, product_name, category, on_hand, units_per_day, days_of_cover, reorder_point, state
        from gold.inventory_status
        where state in ('low', 'out')
        order by case when state = 'out' then 0 else 1 end, days_of_cover, product_id
        limit {LONGEST_LIST}
        """
    )
    return Stock(
        states={row["state"]: row["products"] for row in states},
        newest_event_at=max((row["newest_event_at"] for row in states), default=None),
        at_risk=[StockItem(**row) for row in at_risk],
    )


def _quarantine(query: Query, ds: dt.date) -> list[QuarantineReason]:
    reasons = query(
        f"""
        select
            source,
            reason,
            count(*) as rows_open,
            sum(case when ds = {_date(ds)} then 1 else 0 end) as rows_of_day,
            max(ds) as newest_ds
        from quarantine.open_rows
        group by source, reason
        order by rows_open desc, source, reason
        """
    )
    samples = query(
        f"""
        select source, reason, key
        from (
            select
                source,
                reason,
                key,
                row_number() over (
                    partition by source, reason order by ds desc, occurred_at desc, key
                ) as position
            from quarantine.open_rows
            where key is not null
        ) as numbered
        where position <= {SAMPLES}
        order by position
        """
    )
    return [
        QuarantineReason(
            source=row["source"],
            reason=row["reason"],
            rows=row["rows_open"],
            rows_of_day=row["rows_of_day"],
            newest_ds=row["newest_ds"],
            samples=[
                sample["key"]
                for sample in samples
                if (sample["source"], sample["reason"]) == (row["source"], row["reason"])
            ],
        )
        for row in reasons
    ]


def _decisions(lake: Lake, ds: dt.date) -> list[Decision]:
    now = dt.datetime.now(dt.UTC)
    return [
        Decision(decision=each.decision, until=each.ends_at, person=each.person, reason=each.reason)
        for each in overrides(lake)
        if each.is_active(now) or each.ds == ds
    ]


def _date(day: dt.date) -> str:
    return f"date '{day.isoformat()}'"


def _between(first: dt.date, last: dt.date) -> str:
    return f"between {_date(first)} and {_date(last)}"
