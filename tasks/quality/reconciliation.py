"""The reconciliation of money: one row per order_date, with the same sum taken in five places.

`source_amount` and `gold_amount` are over the orders that both can know: not those whose present version
is newer than the run's window, not those whose present version lies in quarantine or is a person's patch, and
not those that gold keeps although they are gone from the source.
"""

import pyarrow as pa
import pyarrow.dataset as pads

from lake.catalog import catalog
from lake.delta import Lake
from lake.local_sql import connect
from lake.quarantine import PATCH, replay_mark
from lake.source_table import REPLAY_OF
from tasks.warehouse.interface import Session

# Orders, of the present run, whose amounts need not agree between source and gold.
NOT_COMPARABLE = "ops.orders_not_comparable"
LAKE = {
    "order_totals": "audit.order_totals",
    "changed_later": "audit.orders_changed_later",
    "lake_daily_sales": "gold.daily_sales",
    "lake_daily_segment_sales": "gold.daily_segment_sales",
}
WAREHOUSE = {
    "facts": """
        select order_date, sum(order_amount) as amount from {gold}.fct_orders group by order_date
    """,
    "sales": """
        select order_date, sum(total_revenue) as amount from {gold}.agg_daily_sales group by order_date
    """,
    "withheld": f"""
        select order_date, sum(order_amount) as amount from {{gold}}.fct_orders
        where deleted_at is not null
            or cast(order_id as string) in (select order_id from {NOT_COMPARABLE})
        group by order_date
    """,
}

# Orders whose newest version is a patch, with what the source says of them.
IS_PATCH = f"coalesce(starts_with({REPLAY_OF}, '{replay_mark(PATCH, '')}'), false)"
PATCHED = f"""
select
    cast(order_id as varchar) as order_id,
    arg_max(order_date, read_at) filter (not {IS_PATCH}) as order_date,
    arg_max(amount, read_at) filter (not {IS_PATCH}) as amount
from bronze_orders
where order_id in (select order_id from bronze_orders where {IS_PATCH})
group by order_id
having arg_max({IS_PATCH}, read_at)
"""
TOTALS = """
with
open_orders as (
    select
        key as order_id,
        cast(raw ->> 'order_date' as date) as order_date,
        cast(raw ->> 'amount' as decimal(38, 2)) as amount
    from open_rows
    where raw ->> 'deleted_at' is null
    union all
    select order_id, order_date, amount from patched_orders
),
-- The extract's snapshot holds the rejected versions too, unless they are newer than the window.
source_less_open as (
    select order_date, sum(amount) as amount
    from (
        select order_date, amount from order_totals
        union all
        select order_date, -amount from open_orders
        where order_id not in (select cast(order_id as varchar) from changed_later)
    )
    group by order_date
    having sum(amount) <> 0
),
gold as (
    select facts.order_date, facts.amount - coalesce(withheld.amount, 0) as amount
    from facts
    left join withheld on facts.order_date is not distinct from withheld.order_date
),
lake_sales as (select order_date, sum(total_revenue) as amount from lake_daily_sales group by order_date),
lake_segments as (
    select order_date, sum(total_revenue) as amount from lake_daily_segment_sales group by order_date
),
dates as (
    select order_date from source_less_open
    union select order_date from facts
    union select order_date from sales
    union select order_date from lake_sales
    union select order_date from lake_segments
)
select
    dates.order_date,
    cast(coalesce(source_less_open.amount, 0) as decimal(38, 2)) as source_amount,
    cast(coalesce(gold.amount, 0) as decimal(38, 2)) as gold_amount,
    cast(coalesce(facts.amount, 0) as decimal(38, 2)) as fact_amount,
    cast(coalesce(sales.amount, 0) as decimal(38, 2)) as sales_amount,
    cast(coalesce(lake_sales.amount, 0) as decimal(38, 2)) as lake_sales_amount,
    cast(coalesce(lake_segments.amount, 0) as decimal(38, 2)) as lake_segments_amount
from dates
left join source_less_open on dates.order_date is not distinct from source_less_open.order_date
left join gold on dates.order_date is not distinct from gold.order_date
left join facts on dates.order_date is not distinct from facts.order_date
left join sales on dates.order_date is not distinct from sales.order_date
left join lake_sales on dates.order_date is not distinct from lake_sales.order_date
left join lake_segments on dates.order_date is not distinct from lake_segments.order_date
order by dates.order_date
"""


def order_totals(session: Session, gold: str, lake: Lake) -> pa.Table:
    """The totals by order_date, of the marts in schema `gold` and the lake behind them.

    Each warehouse sums up its own tables; the sums are joined here, where decimals and JSON mean the same for
    all of them.
    """
    with connect() as local:
        for view, name in LAKE.items():
            local.register(view, lake.rows_since(name, None))
        open_rows = session.rows(
            "select key, raw from quarantine.open_rows where source = 'orders' and key is not null"
        ).read_all()
        local.register("open_rows", open_rows)
        local.register("bronze_orders", _bronze_orders(lake))
        local.execute(f"create temp table patched_orders as {PATCHED}")
        session.execute("create schema if not exists ops")
        session.replace(
            NOT_COMPARABLE,
            local.sql(
                "select key as order_id from open_rows "
                "union select cast(order_id as varchar) from changed_later "
                "union select order_id from patched_orders"
            ).to_arrow_table(),
        )
        for view, query in WAREHOUSE.items():
            local.register(view, session.rows(query.format(gold=gold)).read_all())
        return local.sql(TOTALS).to_arrow_table()


def _bronze_orders(lake: Lake) -> pads.Dataset | pa.Table:
    """All versions of orders; none unless some are of a replay."""
    if lake.has_values("bronze.orders", REPLAY_OF):
        return lake.rows_since("bronze.orders", None)
    return catalog()["orders"].bronze_schema.empty_table()
