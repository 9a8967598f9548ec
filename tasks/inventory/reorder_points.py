"""Reorder points: how fast each product sells, and the stock below which it is short.

    units_per_day  pieces ordered in the 28 days up to the newest order_date, per day; fewer days if the shop
                   is younger; to four places. Cancelled orders sell nothing.
    reorder_point  what sells while new goods are on their way, and in reserve:
                   units_per_day x (LEAD_TIME_DAYS + SAFETY_STOCK_DAYS), rounded up
    days_of_cover  on_hand / units_per_day; none for a product that does not sell
    state          out: nothing left; low: less than the reorder point; ok

The plan of tasks/reorder, where there is one, has the terms of the product's supplier, its reorder point by a
forecast, and what to order:

    quantity_to_order  what lifts on_hand and on_order to order_up_to, in whole packs and at least the
                       minimum, once both together are below the reorder point
    order_up_to        the reorder point and what sells in ORDER_CYCLE_DAYS

Reorder point: Silver, Pyke, Thomas, Inventory and Production Management in Supply Chains, ch. 6, with a
safety stock in days of sales. dbt's `inventory_status` computes the same from `fct_orders`; a test compares
the two. Here it comes from the lake, so that alerts need no warehouse.
"""

import math
from typing import Literal

from pydantic import BaseModel

from blocks.settings.settings import EnvironmentSettings
from lake.catalog import catalog
from lake.delta import Lake
from lake.local_sql import connect
from lake.present_rows import present_rows
from tasks.reorder.policy_table import FORECAST_LASTS_DAYS, read_policies

TRAILING_DAYS = 28
State = Literal["ok", "low", "out"]
ProductId = int | str
"""A product's key, as the contract has it: an integer, or text, as which the lake also holds uuids."""
# Decimals throughout: in binary, 10 x 0.7 may be a little more than 7, and rounded up a piece too many.
PRODUCTS = """
    with sold as (
        select product_id, order_date, quantity from orders
        where status != 'cancelled'
    ),
    period as (
        select
            max(order_date) as last_date,
            least(?, date_diff('day', min(order_date), max(order_date)) + 1) as days
        from orders
    ),
    sales as (
        select
            product_id,
            cast(round(cast(sum(quantity) / any_value(days) as decimal(28, 8)), 4) as decimal(18, 4))
                as units_per_day
        from sold, period
        where order_date > last_date - cast(days as integer)
        group by product_id
    ),
    terms as (
        select
            products.product_id,
            products.product_name,
            coalesce(sales.units_per_day, 0) as units_per_day,
            coalesce(policies.on_order, 0) as on_order,
            coalesce(policies.pack_size, 1) as pack_size,
            coalesce(policies.minimum_order, 0) as minimum_order,
            coalesce(policies.lead_time_days, cast(? as decimal(9, 2))) + cast(? as decimal(9, 2)) as days,
            case when date_diff('day', policies.forecast_date, period.last_date) <= ?
                then policies.reorder_point end as forecast_point,
            policies.order_up_to as forecast_up_to
        from products
        cross join period
        left join sales on products.product_id = sales.product_id
        left join policies on products.product_id = policies.product_id
    ),
    points as (
        select *, coalesce(forecast_point, cast(ceil(units_per_day * days) as bigint)) as reorder_point
        from terms
    )
    select
        product_id, product_name, units_per_day, reorder_point, on_order, pack_size, minimum_order,
        case when forecast_point is not null then forecast_up_to
            else reorder_point + cast(ceil(units_per_day * cast(? as decimal(9, 2))) as bigint)
        end as order_up_to
    from points
"""


class Product(BaseModel):
    """A product: its name, its sales and its reorder point, as they were when it was read."""

    product_id: ProductId
    product_name: str | None
    units_per_day: float
    reorder_point: int
    on_order: int = 0
    pack_size: int = 1
    minimum_order: int = 0
    order_up_to: int = 0

    def quantity_to_order(self, on_hand: int) -> int:
        """The pieces to order now, at a stock of so many."""
        position = on_hand + self.on_order
        if position >= self.reorder_point:
            return 0
        pieces = max(self.order_up_to - position, self.minimum_order)
        return self.pack_size * math.ceil(pieces / self.pack_size)

    def state(self, on_hand: int) -> State:
        """The state of a stock of so many pieces."""
        if on_hand <= 0:
            return "out"
        return "low" if on_hand < self.reorder_point else "ok"

    def days_of_cover(self, on_hand: int) -> float | None:
        """Days that so many pieces last; None for a product that does not sell."""
        return on_hand / self.units_per_day if self.units_per_day else None


def read_products(lake: Lake, settings: EnvironmentSettings) -> dict[ProductId, Product]:
    """Every product of silver, by product_id; one without orders in silver does not sell."""
    if lake.table("silver.products") is None:
        return {}
    with connect() as connection:
        connection.register("products", present_rows(lake, catalog()["products"]))
        has_orders = lake.table("silver.orders") is not None
        connection.register(
            "orders",
            present_rows(lake, catalog()["orders"])
            if has_orders
            else catalog()["orders"].schema.empty_table(),
        )
        connection.register("policies", read_policies(lake))
        lead, safety, cycle = (settings.lead_time_days, settings.safety_stock_days, settings.order_cycle_days)
        found = connection.execute(PRODUCTS, [TRAILING_DAYS, lead, safety, FORECAST_LASTS_DAYS, cycle])
        columns = [column[0] for column in found.description]
        return {row[0]: Product(**dict(zip(columns, row, strict=True))) for row in found.fetchall()}
