"""The source's totals at the moment of the extract, for the gate that compares gold with them.

The source changes while a run works: the totals are taken in the extract's own snapshot.
"""

import datetime as dt

import pyarrow as pa
from deltalake import write_deltalake
from psycopg2.extensions import connection as Connection

from blocks.lake_storage import one_line, store_failure
from lake.delta import Lake, commit
from tasks.ingest.comparison import later_condition, later_rows
from tasks.shop.postgres_copy import copy_batches
from tasks.shop.relation import SQL, Relation

TOTALS = pa.schema([("order_date", pa.date32()), ("orders", pa.int64()), ("amount", pa.decimal128(38, 2))])


def record_source_totals(connection: Connection, lake: Lake, relation: Relation, end: dt.datetime) -> None:
    """Write `audit.order_totals` and `audit.orders_changed_later`, as the connection's snapshot has them.

    Grain: one row per order_date, over the orders that a run up to `end` covers; and one row per order that
    has changed since, by the source's clock, so that gold may rightly show an older version.
    """
    later = later_condition(relation, end)
    totals = SQL(
        "copy (select {date} as order_date, count(*) as orders, sum({amount})::numeric(38,2) as amount "
        "from {source} where not {later} and {key} is not null group by 1) to stdout (format csv, header)"
    ).format(
        date=relation.value("order_date"),
        amount=relation.value("amount"),
        source=relation.source,
        later=later,
        key=relation.key,
    )
    changed = SQL(
        "copy (select {key} as order_id from {source} where {later} and {raw} is not null) "
        "to stdout (format csv, header)"
    ).format(
        key=relation.value("order_id"),
        source=relation.source,
        later=later_rows(relation, end),
        raw=relation.key,
    )
    keys = pa.schema([relation.table.schema.field("order_id")])
    for name, query, schema in (
        ("audit.order_totals", totals, TOTALS),
        ("audit.orders_changed_later", changed, keys),
    ):
        batches = list(copy_batches(connection, query, schema))
        properties = commit()
        try:
            write_deltalake(
                lake.uri(name),
                pa.RecordBatchReader.from_batches(schema, batches),
                mode="overwrite",
                schema_mode="overwrite",
                commit_properties=properties,
            )
        except Exception as error:
            raise store_failure(
                f"cannot write {lake.uri(name)} ({one_line(error)}); check LAKE_URI and its rights", error
            ) from error
