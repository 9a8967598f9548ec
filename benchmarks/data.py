"""The benchmark's data set: PostgreSQL source tables and a clickstream folder, deterministic, of one scale.

`generate` makes the history of a first load, on one business day or on many. `next_day` adds a day of changes to it:
new orders, status updates of old ones, changed customers and products, and a day of clicks.
"""

import dataclasses
import datetime as dt
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psycopg2

from benchmarks.clicks import ClickCounts, write_clicks

FIRST_DAY = dt.date(2025, 3, 3)
PRODUCTS = 2_000
# One order in 200 breaks a rule: by its number, so that the share is exact at every scale.
BROKEN_STEP, BROKEN_AT = 200, 7
DAILY_SHARE = 0.02

_TABLES = """
drop table if exists orders, customers, products;
create table orders (
    order_id bigint, customer_id bigint, product_id bigint, order_date date, amount numeric(12, 2),
    quantity integer, status text, updated_at timestamptz
);
create table customers (
    customer_id bigint, customer_name text, customer_segment text, region text, updated_at timestamptz
);
create table products (
    product_id bigint, product_name text, category text, unit_cost numeric(12, 2), updated_at timestamptz
);
"""

# Made after the load, which is several times faster than keeping them up to date during it.
_INDEXES = """
alter table orders add primary key (order_id);
alter table customers add primary key (customer_id);
alter table products add primary key (product_id);
create index on orders (updated_at);
create index on customers (updated_at);
create index on products (updated_at);
analyze;
"""

# md5 rather than DuckDB's own hash(), which may change between versions.
_MACROS = """
create macro stamp(day, second) as strftime(day::timestamp + to_seconds(second), '%Y-%m-%d %H:%M:%S+00');
create macro unit_cost(product_id) as round((200 + md5_number_lower('cost ' || product_id) % 9800) / 100, 2)::decimal(12, 2);
"""

_ORDERS = f"""
with drawn as (
    select
        range as order_id,
        (md5_number_lower('order ' || range) >> 2)::bigint as h,
        if(range % {BROKEN_STEP} = {BROKEN_AT}, range // {BROKEN_STEP} % 3, -1) as fault,
        -- Squaring a uniform number makes a few products popular, as in a shop.
        1 + floor($products * pow((md5_number_upper('order ' || range) % 65536) / 65536.0, 2))::bigint as product_id
    from range($first, $last)
),
valued as (
    select *, 1 + (h >> 8) % 5 as quantity, (115 + (h >> 12) % 60) as markup from drawn
)
select
    order_id,
    1 + h % $customers as customer_id,
    product_id,
    $day::date - if((h >> 20) % 10 < 7, 0, 1 + (h >> 26) % 3)::integer as order_date,
    round(unit_cost(product_id) * quantity * markup / 100, 2)::decimal(12, 2) * if(fault = 0, -1, 1) as amount,
    if(fault = 1, 0, quantity) as quantity,
    if(fault = 2, 'unknown', ['pending', 'processing', 'shipped', 'delivered', 'cancelled'][1 + (h >> 30) % 5]),
    stamp($day, (h >> 34) % 86400)
from valued
"""

_CUSTOMERS = """
select
    range,
    'Customer ' || range,
    ['consumer', 'business', 'vip'][1 + h % 3],
    ['north', 'south', 'east', 'west', 'central'][1 + (h >> 8) % 5],
    stamp($day, (h >> 16) % 86400)
from (select range, (md5_number_lower('customer ' || range) >> 2)::bigint as h from range(1, $last))
"""

_PRODUCTS = """
select
    range,
    'Product ' || range,
    ['books', 'clothing', 'electronics', 'garden', 'grocery', 'home', 'sports', 'toys'][1 + h % 8],
    unit_cost(range),
    stamp($day, (h >> 16) % 86400)
from (select range, (md5_number_lower('product ' || range) >> 2)::bigint as h from range(1, $last))
"""

_NEXT_STATUS = """case status
    when 'pending' then 'processing' when 'processing' then 'shipped' when 'shipped' then 'delivered'
    when 'delivered' then 'cancelled' else 'pending' end"""
_NEXT_SEGMENT = (
    "case customer_segment when 'consumer' then 'business' when 'business' then 'vip' else 'consumer' end"
)


@dataclass(frozen=True)
class Scale:
    """The size of a data set."""

    name: str
    orders: int
    events: int
    customers: int

    def part(self, share: float) -> "Scale":
        """A shop with the same customers, and a share of the orders and clicks."""
        return dataclasses.replace(self, orders=round(self.orders * share), events=round(self.events * share))

    def daily_changes(self) -> "Changes":
        """Changes as large as the whole of this scale.

        DAILY_SHARE of the customers and products change too: with none of them changed, a pipeline could
        skip that work.
        """
        customers, products = round(self.customers * DAILY_SHARE), round(PRODUCTS * DAILY_SHARE)
        return Changes(self.orders, self.events, customers, products)


@dataclass(frozen=True)
class Changes:
    """The volume of a day: so many new orders, as many changed ones, clicks, changed customers and products."""

    orders: int
    events: int
    customers: int
    products: int
    newest: int | None = None
    """The orders that change are among so many of the newest; None: among all."""


SCALES = {
    name: Scale(name, orders, events, orders // 25)
    for name, orders, events in (
        ("S", 20_000, 80_000),
        ("M", 500_000, 2_000_000),
        ("L", 5_000_000, 20_000_000),
    )
}


@dataclass(frozen=True)
class DataSet:
    """A generated shop: where it is, and what its first day holds."""

    scale: Scale
    dsn: str
    clickstream: Path
    day: dt.date

    @property
    def clicks(self) -> ClickCounts:
        """The content of the first day's clickstream."""
        return ClickCounts(self.scale.events)


def generate(scale: Scale, dsn: str, folder: Path, day: dt.date = FIRST_DAY, days: int = 1) -> DataSet:
    """Replace the source tables at `dsn` and write `folder/clickstream`.

    All of it on `day`, or in equal parts on `days` days, the last of them `day`.
    """
    data = DataSet(scale, dsn, folder / "clickstream", day)
    with _connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(_TABLES)
        parameters = {"day": day.isoformat()}
        _copy(cursor, "customers", _CUSTOMERS, parameters | {"last": scale.customers + 1})
        _copy(cursor, "products", _PRODUCTS, parameters | {"last": PRODUCTS + 1})
        part = scale.part(1 / days)
        for number in range(days):
            on = day - dt.timedelta(days=days - 1 - number)
            _copy_orders(cursor, part, 1 + number * part.orders, on)
            write_clicks(data.clickstream, on, part.events, scale.customers, PRODUCTS)
        cursor.execute(_INDEXES)
    return data


def next_day(data: DataSet, day: dt.date, changes: Changes) -> None:
    """Add a day of changes: orders, status updates of old ones, changed customers and products, and clicks."""
    with _connect(data.dsn) as connection, connection.cursor() as cursor:
        last = _touch(cursor, "orders", f"status = {_NEXT_STATUS}", changes.orders, day, changes.newest)
        _touch(cursor, "customers", f"customer_segment = {_NEXT_SEGMENT}", changes.customers, day)
        _touch(cursor, "products", "unit_cost = round(unit_cost * 1.01, 2)", changes.products, day)
        _copy_orders(cursor, dataclasses.replace(data.scale, orders=changes.orders), last + 1, day)
    write_clicks(data.clickstream, day, changes.events, data.scale.customers, PRODUCTS)


def _connect(dsn: str) -> Any:
    return psycopg2.connect(dsn, options="-c timezone=UTC -c synchronous_commit=off")


def _copy_orders(cursor: Any, scale: Scale, first: int, day: dt.date) -> None:
    parameters = {
        "day": day.isoformat(),
        "first": first,
        "last": first + scale.orders,
        "customers": scale.customers,
        "products": PRODUCTS,
    }
    _copy(cursor, "orders", _ORDERS, parameters)


def _copy(cursor: Any, table: str, query: str, parameters: dict[str, Any]) -> None:
    """Run `query` in DuckDB and COPY its rows into `table`, through a CSV file."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        csv = Path(folder) / f"{table}.csv"
        connection.execute(_MACROS)
        connection.execute(f"copy ({query}) to '{csv}' (format csv, header false)", parameters)
        with csv.open("rb") as rows:
            cursor.copy_expert(f"copy {table} from stdin (format csv)", rows)


def _touch(cursor: Any, table: str, change: str, count: int, day: dt.date, newest: int | None = None) -> int:
    """Change exactly `count` rows of `table` on `day`; return the highest key.

    Spread evenly over its keys, or over the `newest` ones.
    """
    key = f"{table.removesuffix('s')}_id"
    cursor.execute(f"select max({key}) from {table}")
    last = int(cursor.fetchone()[0])
    older = last - min(newest or last, last)
    stride = max((last - older) // max(count, 1), 1)
    cursor.execute(
        f"update {table} set {change},"
        f" updated_at = %(day)s::timestamptz + {key} * 7919 %% 86400 * interval '1 second'"
        f" where {key} > %(older)s and {key} <= %(reach)s and {key} %% %(stride)s = %(offset)s",
        {
            "day": day,
            "older": older,
            "reach": older + stride * count,
            "stride": stride,
            "offset": day.toordinal() % stride,
        },
    )
    return last
