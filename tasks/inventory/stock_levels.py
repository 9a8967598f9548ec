"""Stock levels, from the inventory events in silver.

The rule: the stock of a product in a warehouse is the level (`on_hand`) of its newest event, by event_at and
then by topic, partition and offset, as in dbt's fct_inventory_daily. Events that come twice or out of order
change nothing; the next event makes up for one that never comes. A *gap* is an event whose level is not the
level before it plus its own change: an event between them was lost, or goods were moved without an event. The
level still wins.
"""

import datetime as dt
from typing import Self

from pydantic import BaseModel

from lake.catalog import catalog
from lake.delta import Lake
from lake.local_sql import connect
from tasks.inventory.reorder_points import ProductId
from tasks.inventory.silver import SILVER, TABLE

HELD = 'product_id, warehouse_id, quantity_change, on_hand, event_at, topic, partition, "offset"'
# `newest` is what was known before, `arrived` what has come since.
ORDERED = f"""
    create or replace temp table ordered as
    select
        *,
        lag(on_hand) over newest_last as level_before,
        lead(on_hand) over newest_last is null as is_newest
    from (
        select *, true as is_held from newest
        union all by name
        select {HELD}, false as is_held
        from arrived anti join newest using (topic, partition, "offset")
    )
    window newest_last as (partition by product_id, warehouse_id
        order by event_at, topic, partition, "offset")
"""
NEWEST = f"create or replace table newest as select {HELD} from ordered where is_newest"
GAPS = """
    select product_id, warehouse_id, event_at, level_before + quantity_change as expected, on_hand
    from ordered where not is_held and level_before + quantity_change != on_hand
    order by event_at, product_id, warehouse_id
"""


class StockLevel(BaseModel):
    """The pieces of a product in a warehouse, and since when. Grain: one product in one warehouse."""

    product_id: ProductId
    warehouse_id: str
    on_hand: int
    event_at: dt.datetime


class Gap(BaseModel):
    """An event whose level does not follow from the one before it."""

    product_id: ProductId
    warehouse_id: str
    event_at: dt.datetime
    expected: int
    on_hand: int


class Stock:
    """The stock levels as of the last `refresh`, which reads only the rows that are new in silver."""

    def __init__(self, lake: Lake) -> None:
        """Read the levels that the lake has now."""
        self._lake = lake
        self._version: int | None = None
        self._connection = connect()
        self._connection.register("arrived", catalog()[TABLE].schema.empty_table())
        self._connection.execute(f"create table newest as select {HELD} from arrived")
        self.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database in memory that holds the levels."""
        self._connection.close()

    def refresh(self) -> list[Gap]:
        """Read the new events; returns the gaps among them, by the events that have arrived so far."""
        silver = self._lake.table(SILVER)
        if silver is None or silver.version() == self._version:
            return []
        self._connection.register("arrived", self._lake.rows_since(SILVER, self._version))
        self._version = silver.version()
        self._connection.execute(ORDERED)
        self._connection.execute(NEWEST)
        return [Gap(**row) for row in self._rows(GAPS)]

    def levels(self) -> list[StockLevel]:
        """The level of every product in every warehouse that has ever reported one."""
        query = "select product_id, warehouse_id, on_hand, event_at from newest order by all"
        return [StockLevel(**row) for row in self._rows(query)]

    def on_hand(self) -> dict[ProductId, int]:
        """Pieces of every product, over all warehouses."""
        return dict(
            self._connection.execute(
                "select product_id, sum(on_hand)::bigint from newest group by product_id order by product_id"
            ).fetchall()
        )

    def _rows(self, query: str) -> list[dict]:
        found = self._connection.execute(query)
        columns = [column[0] for column in found.description]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
