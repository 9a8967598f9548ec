"""The source's totals at the moment of the extract, for the gate that compares gold with them.

The source changes while a run works: the totals are taken in the extract's own snapshot.
"""

import pyarrow as pa
from deltalake import write_deltalake
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from blocks.lake_storage import one_line, store_failure
from lake.delta import Lake
from tasks.ingest.extract_window import Window
from tasks.ingest.postgres_copy import REPRESENTABLE, copy_batches

TOTALS = pa.schema([("order_date", pa.date32()), ("orders", pa.int64()), ("amount", pa.decimal128(38, 2))])
KEYS = pa.schema([("order_id", pa.int64())])


def record_source_totals(connection: Connection, lake: Lake, window: Window) -> None:
    """Write `audit.order_totals` and `audit.orders_changed_later`, as the connection's snapshot has them.

    Grain: one row per order_date, over the orders whose present version the run covers; and one row per
    order whose present version is newer, so that gold may rightly show an older one.
    """
    end = sql.Literal(window.end)
    # `is not true`: an order without updated_at can never be extracted, and must make the totals disagree.
    totals = sql.SQL(
        "copy (select {date} as order_date, count(*) as orders, "
        "sum(nullif(amount, 'NaN'))::numeric(38,2) as amount "
        "from orders where (updated_at >= {end}) is not true and order_id is not null group by {date}) "
        "to stdout (format csv, header)"
    ).format(date=sql.SQL(REPRESENTABLE["date"]).format(column=sql.Identifier("order_date")), end=end)
    later = sql.SQL(
        "copy (select order_id from orders where updated_at >= {} and order_id is not null) "
        "to stdout (format csv, header)"
    ).format(end)
    for name, query, schema in (
        ("audit.order_totals", totals, TOTALS),
        ("audit.orders_changed_later", later, KEYS),
    ):
        batches = list(copy_batches(connection, query, schema))
        try:
            write_deltalake(
                lake.uri(name), pa.RecordBatchReader.from_batches(schema, batches), mode="overwrite"
            )
        except Exception as error:
            raise store_failure(
                f"cannot write {lake.uri(name)} ({one_line(error)}); check LAKE_URI and its rights", error
            ) from error
