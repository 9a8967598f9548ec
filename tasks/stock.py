"""What is in stock, from the inventory events in silver.

The rule: the stock of a product in a warehouse is the level (`on_hand`) of its newest event, by event_at and
then by topic, partition and offset. Events that come twice or out of order change nothing; an event that
never comes is made up for by the next. A *gap* is where the level of an event is not that of the one before
it plus its own change: something between was lost, or moved by somebody who tells nobody. The level still
wins.
"""

import datetime as dt

import duckdb
from pydantic import BaseModel

from spark_jobs.lake import Lake
from tasks.inventory_events import SILVER

LEVELS = """
    with ordered as (
        select
            *,
            lag(on_hand) over newest_last as level_before,
            row_number() over (partition by product_id, warehouse_id
                order by event_at desc, topic desc, partition desc, "offset" desc) = 1 as is_newest
        from events
        window newest_last as (partition by product_id, warehouse_id
            order by event_at, topic, partition, "offset")
    )
    select
        product_id,
        warehouse_id,
        any_value(on_hand) filter (is_newest) as on_hand,
        any_value(event_at) filter (is_newest) as event_at,
        count(*) filter (level_before + quantity_change != on_hand) as gaps
    from ordered
    group by product_id, warehouse_id
    order by product_id, warehouse_id
"""


class StockLevel(BaseModel):
    """What a product has in a warehouse, since when, and how many gaps its events have."""

    product_id: int
    warehouse_id: str
    on_hand: int
    event_at: dt.datetime
    gaps: int


def stock_levels(lake: Lake) -> list[StockLevel]:
    """The level of every product in every warehouse that has ever told one."""
    silver = lake.table(SILVER)
    if silver is None:
        return []
    with duckdb.connect() as connection:
        connection.register("events", silver.to_pyarrow_dataset())
        columns = list(StockLevel.model_fields)
        return [
            StockLevel(**dict(zip(columns, row, strict=True)))
            for row in connection.execute(LEVELS).fetchall()
        ]
