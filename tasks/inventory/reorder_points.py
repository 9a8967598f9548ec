"""Reorder points: how fast each product sells, and the stock below which it is short.

    units_per_day  pieces ordered in the 28 days up to the newest order_date, per day; fewer days if the shop
                   is younger; to four places. Cancelled orders sell nothing.
    reorder_point  what sells while new goods are on their way, and in reserve:
                   units_per_day x (LEAD_TIME_DAYS + SAFETY_STOCK_DAYS), rounded up
    days_of_cover  on_hand / units_per_day; none for a product that does not sell
    state          out: nothing left; low: less than the reorder point; ok

Reorder point: Silver, Pyke, Thomas, Inventory and Production Management in Supply Chains, ch. 6, with a
safety stock in days of sales. dbt's `inventory_status` computes the same from `fct_orders`; a test compares
the two. Here it comes from the lake, so that alerts need no warehouse.
"""

from typing import Literal

from pydantic import BaseModel

from blocks.settings.settings import EnvironmentSettings
from lake.catalog import catalog
from lake.delta import Lake
from lake.local_sql import connect
from lake.present_rows import present_rows

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
    )
    select
        products.product_id,
        products.product_name,
        coalesce(sales.units_per_day, 0) as units_per_day,
        cast(ceil(coalesce(sales.units_per_day, 0) * cast(? as decimal(9, 2))) as bigint) as reorder_point
    from products
    left join sales on products.product_id = sales.product_id
"""


class Product(BaseModel):
    """A product: its name, its sales and its reorder point, as they were when it was read."""

    product_id: ProductId
    product_name: str | None
    units_per_day: float
    reorder_point: int

    def state(self, on_hand: int) -> State:
        """The state of a stock of so many pieces."""
        if on_hand <= 0:
            return "out"
        return "low" if on_hand < self.reorder_point else "ok"

    def days_of_cover(self, on_hand: int) -> float | None:
        """Days that so many pieces last; None for a product that does not sell."""
        return on_hand / self.units_per_day if self.units_per_day else None


def reserve_days(settings: EnvironmentSettings) -> float:
    """Days of sales that the stock must last at the reorder point: the lead time, and the safety stock."""
    return settings.lead_time_days + settings.safety_stock_days


def read_products(lake: Lake, days: float) -> dict[ProductId, Product]:
    """Every product of silver, by product_id; one without orders in silver does not sell.

    `days` are those that the stock must last at the reorder point.
    """
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
        found = connection.execute(PRODUCTS, [TRAILING_DAYS, days])
        columns = list(Product.model_fields)
        return {row[0]: Product(**dict(zip(columns, row, strict=True))) for row in found.fetchall()}
