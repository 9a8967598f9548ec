"""The table of reorder policies, `gold.reorder_policy` in the lake and `ops.reorder_policy` in the warehouse.

What a run knows of a product beyond the 28-day rule: the terms of its supplier, and its forecast. Grain: one
row per product with either. A null leaves the rule as it is; without the table nothing is different.
"""

import pyarrow as pa

from lake.catalog import catalog
from lake.delta import Lake

LAKE_NAME, WAREHOUSE_NAME, KEY = "gold.reorder_policy", "ops.reorder_policy", "product_id"
# A forecast that is older, in days before the newest order, is not used: its makers have stopped.
FORECAST_LASTS_DAYS = 7
# What each column is made of in silver, and what decides which orders are demand: for the lineage.
SOLD, COUNTED_BY = ("orders.order_date", "orders.quantity"), ("orders.status",)
PLANNED = (*SOLD, "replenishment.lead_time_days")
SOURCES: dict[str, tuple[str, ...]] = {
    KEY: ("orders.product_id", "replenishment.product_id"),
    **{
        name: (f"replenishment.{name}",)
        for name in ("lead_time_days", "pack_size", "minimum_order", "on_order")
    },
    # A day counts if anything was sold.
    "forecast_model": ("orders.order_date",),
    "forecast_per_day": SOLD,
    "forecast_date": ("orders.order_date",),
    "reorder_point": (*PLANNED, "replenishment.service_level"),
    "order_up_to": (*PLANNED, "replenishment.service_level"),
}


def policy_schema() -> pa.Schema:
    """The columns; product_id is of the shop's type."""
    return pa.schema(
        [
            (KEY, catalog()["products"].column(KEY).arrow_type),
            ("lead_time_days", pa.decimal128(9, 2)),
            ("pack_size", pa.int64()),
            ("minimum_order", pa.int64()),
            ("on_order", pa.int64()),
            ("forecast_model", pa.string()),
            # Pieces a day, of whole weeks; the last day that the forecast has seen.
            ("forecast_per_day", pa.decimal128(18, 4)),
            ("forecast_date", pa.date32()),
            ("reorder_point", pa.int64()),
            ("order_up_to", pa.int64()),
        ]
    )


def read_policies(lake: Lake) -> pa.Table:
    """The rows of the lake's table; none without it."""
    table = lake.table(LAKE_NAME)
    return table.to_pyarrow_table().cast(policy_schema()) if table else policy_schema().empty_table()
