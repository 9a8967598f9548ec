"""The lake work by hand: `python -m benchmarks.by_hand YYYY-MM-DD`, one process, DuckDB and psycopg2 only.

What a capable person writes in an afternoon. Bronze is the CSV that PostgreSQL gave and the JSON lines as
they lie there; silver, quarantine and the two gold tables are Parquet, overwritten per day. There are no
versions, no upserts across days, no atomic commits and no gates: the floor, not a rival.
"""

import argparse
import datetime as dt
from pathlib import Path

import duckdb
import psycopg2

from benchmarks.contender import Inputs, step

_CLICKS = """
create table clicks as
with lines as (
    -- A delimiter that never occurs makes the CSV reader a parallel reader of whole lines.
    from read_csv('{folder}/*.jsonl', columns = {{'raw': 'varchar'}}, header = false, auto_detect = false,
        delim = e'\\x01', quote = '', escape = '')
),
parsed as (
    select
        raw,
        if(json_valid(raw), from_json(raw, '{{
            "event_id": "VARCHAR", "user_id": "VARCHAR", "session_id": "VARCHAR", "event_type": "VARCHAR",
            "page_url": "VARCHAR", "timestamp": "VARCHAR", "properties": {{"product_id": "BIGINT"}}
        }}'), null) as event
    from lines
)
select
    event.event_id,
    event.user_id,
    event.session_id,
    event.event_type,
    event.page_url,
    event.properties.product_id,
    try_cast(event.timestamp as timestamptz) as event_at,
    case
        when event is null then 'broken_json'
        when event.event_id is null then 'event_id_missing'
        when event.user_id is null then 'user_id_missing'
        when event_at is null then 'timestamp_unreadable'
    end as reason,
    -- Kept for the quarantine only: the raw lines of sound events would double the table.
    if(reason is null, null, raw) as raw
from parsed
"""

# Only the rows of a repeated key are compared; the rest pass through untouched.
_SILVER_CLICKS = """
with sound as (select * exclude (raw, reason) from clicks where reason is null),
repeated as (select event_id from sound group by event_id having count(*) > 1)
select * from sound where event_id not in (from repeated)
union all
(
    select * from sound where event_id in (from repeated)
    qualify row_number() over (partition by event_id order by event_at, user_id, session_id, page_url) = 1
)
"""

_ORDERS = """
create table orders as
select
    *,
    case
        when order_id is null or customer_id is null or product_id is null then 'key_missing'
        when not coalesce(amount > 0 and amount <= 1000000, false) then 'amount_out_of_range'
        when not coalesce(quantity between 1 and 100, false) then 'quantity_out_of_range'
        when status is null or status not in ('pending', 'processing', 'shipped', 'delivered', 'cancelled')
            then 'status_unknown'
        when order_date is null or order_date > date '{day}' then 'order_date_in_future'
    end as reason
from read_csv('{bronze}/orders.csv', columns = {{
    'order_id': 'bigint', 'customer_id': 'bigint', 'product_id': 'bigint', 'order_date': 'date',
    'amount': 'decimal(12, 2)', 'quantity': 'integer', 'status': 'varchar', 'updated_at': 'timestamptz'
}})
"""

_SILVER_ORDERS = """
select * exclude (reason) from orders where reason is null
qualify row_number() over (partition by order_id order by updated_at desc) = 1
"""

_SALES = """
select
    o.order_date,
    p.category,
    c.region,
    count(*) as total_orders,
    count(distinct o.customer_id) as unique_customers,
    sum(o.quantity) as total_quantity,
    sum(o.amount) as total_revenue,
    avg(o.amount) as avg_order_value,
    sum(o.amount - o.quantity * p.unit_cost) as total_profit
from '{silver}/orders.parquet' as o
join '{silver}/customers.parquet' as c using (customer_id)
join '{silver}/products.parquet' as p using (product_id)
group by all
"""

_SEGMENTS = """
select o.order_date, c.customer_segment, count(*) as total_orders, sum(o.amount) as total_revenue
from '{silver}/orders.parquet' as o
join '{silver}/customers.parquet' as c using (customer_id)
group by all
"""


class Lake:
    """A day's folders and the connection that fills them."""

    def __init__(self, inputs: Inputs, day: dt.date) -> None:
        self.inputs = inputs
        self.day = day
        self.connection = duckdb.connect()
        self.connection.execute("set timezone = 'UTC'")
        self.folders = {
            layer: inputs.lake / layer / day.isoformat()
            for layer in ("bronze", "silver", "quarantine", "gold")
        }
        for folder in self.folders.values():
            folder.mkdir(parents=True, exist_ok=True)

    def extract(self) -> None:
        """The rows changed on the day, as CSV."""
        end = self.day + dt.timedelta(days=1)
        changed = f"updated_at >= '{self.day}' and updated_at < '{end}'"
        with (
            psycopg2.connect(self.inputs.dsn, options="-c timezone=UTC") as source,
            source.cursor() as cursor,
        ):
            for table in ("orders", "customers", "products"):
                with (self.folders["bronze"] / f"{table}.csv").open("wb") as file:
                    cursor.copy_expert(
                        f"copy (select * from {table} where {changed}) to stdout (format csv, header)", file
                    )

    def clickstream(self) -> None:
        """Silver and quarantined clicks."""
        self._run(_CLICKS, folder=self.inputs.clickstream / self.day.isoformat())
        self._write(_SILVER_CLICKS, "silver", "clickstream")
        self._write("select reason, raw from clicks where reason is not null", "quarantine", "clickstream")

    def silver(self) -> None:
        """Silver customers, products and orders, and quarantined orders."""
        self._run(_ORDERS, day=self.day, bronze=self.folders["bronze"])
        self._write(_SILVER_ORDERS, "silver", "orders")
        self._write("from orders where reason is not null", "quarantine", "orders")
        for table in ("customers", "products"):
            self._write(f"from read_csv('{self.folders['bronze'] / table}.csv')", "silver", table)

    def gold(self) -> None:
        """Daily sales and customer segments."""
        self._write(_SALES.format(silver=self.folders["silver"]), "gold", "daily_sales")
        self._write(_SEGMENTS.format(silver=self.folders["silver"]), "gold", "daily_segment_sales")

    def _run(self, statement: str, **names: dt.date | Path) -> None:
        self.connection.execute(statement.format(**names))

    def _write(self, query: str, layer: str, table: str) -> None:
        self.connection.execute(f"copy ({query}) to '{self.folders[layer] / table}.parquet'")


def main() -> None:
    """Do the lake work of one day."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("day", type=dt.date.fromisoformat)
    lake = Lake(Inputs.from_environment(), parser.parse_args().day)
    for work in (lake.extract, lake.clickstream, lake.silver, lake.gold):
        with step(work.__name__):
            work()


if __name__ == "__main__":
    main()
