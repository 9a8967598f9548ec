"""Inventory events from bronze to silver: judged, counted once, and the rest quarantined.

In DuckDB rather than Spark: the continuous way does this every second, on a few events. A batch is one
commit, which also says how far bronze has been taken in.
"""

from contextlib import suppress

import duckdb
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError
from pydantic import BaseModel

from blocks.failures import TransientFailure
from spark_jobs.lake import Lake
from spark_jobs.silver_clickstream import ISO_8601

BRONZE, SILVER, QUARANTINE = "bronze.inventory", "silver.inventory", "quarantine.inventory"
TIMESTAMP = pa.timestamp("us", tz="UTC")
# Grain: one row per event_id.
SILVER_SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("product_id", pa.int64()),
        ("warehouse_id", pa.string()),
        ("quantity_change", pa.int64()),
        ("on_hand", pa.int64()),
        ("event_at", TIMESTAMP),
        ("sent_at", TIMESTAMP),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
    ]
)
# As the other quarantine tables (spark_jobs/silver.py): one row per rejected message.
QUARANTINE_SCHEMA = pa.schema(
    [
        ("quarantine_id", pa.string()),
        ("source", pa.string()),
        ("ds", pa.date32()),
        ("reason", pa.string()),
        ("key", pa.string()),
        ("occurred_at", TIMESTAMP),
        ("origin", pa.string()),
        ("raw", pa.string()),
    ]
)
PARSED = f"""
    with objects as (
        select *, if(json_valid(raw) and json_type(raw) = 'OBJECT', raw, null) as object from incoming
    )
    select
        *,
        object ->> '$.event_id' as event_id,
        case when json_type(object, '$.product_id') in ('UBIGINT', 'BIGINT')
            then try_cast(object ->> '$.product_id' as bigint) end as product_id,
        object ->> '$.warehouse_id' as warehouse_id,
        case when json_type(object, '$.quantity_change') in ('UBIGINT', 'BIGINT')
            then try_cast(object ->> '$.quantity_change' as bigint) end as quantity_change,
        case when json_type(object, '$.on_hand') in ('UBIGINT', 'BIGINT')
            then try_cast(object ->> '$.on_hand' as bigint) end as on_hand,
        case when regexp_matches(object ->> '$.event_time', '{ISO_8601}')
            then try_cast(object ->> '$.event_time' as timestamptz) end as event_at
    from objects
"""
# A row that breaks a rule is quarantined under the name of the first one. Null is broken.
RULES = {
    "line_is_event": "object is not null",
    "event_id_not_null": "trim(event_id) != ''",
    "product_id_is_integer": "product_id is not null",
    "warehouse_id_not_null": "trim(warehouse_id) != ''",
    "quantity_change_is_integer": "quantity_change is not null",
    "on_hand_not_negative": "on_hand >= 0",
    "event_time_readable": "year(event_at) between 1970 and 9998",
    # By the broker's clock, and some minutes of grace: a verdict that is the same whenever it is given.
    "event_time_not_in_future": "event_at <= sent_at + interval '5 minutes'",
    "product_known": "product_id in (select product_id from products)",
}
ATTEMPTS = 5


class Settled(BaseModel):
    """What became of the new messages: rows_in = rows_out + duplicates + quarantined."""

    rows_in: int = 0
    rows_out: int = 0
    duplicates: int = 0
    quarantined: int = 0


def settle(lake: Lake) -> Settled:
    """Take the messages that bronze has and silver has not into silver, each event once.

    Of several messages with one event_id the first that arrives counts. May be repeated, and done by
    several processes at once: one of them does it. Raises TransientFailure if others always come first.
    """
    if lake.table(BRONZE) is None:
        return Settled()
    for _ in range(ATTEMPTS):
        silver = lake.ensure(SILVER, SILVER_SCHEMA)
        with suppress(CommitFailedError):
            return _settle(lake, silver)
    raise TransientFailure(f"{SILVER} is being written by others all the time; try again")


def _settle(lake: Lake, silver: DeltaTable) -> Settled:
    since = silver.transaction_version(BRONZE)
    version = DeltaTable(lake.uri(BRONZE)).version()
    if since == version:
        return Settled()
    quarantine = lake.ensure(QUARANTINE, QUARANTINE_SCHEMA)
    with duckdb.connect() as connection:
        _judge(connection, lake, since)
        connection.register("held", silver.to_pyarrow_dataset())
        connection.register("quarantined", quarantine.to_pyarrow_dataset())
        valid = _fetch(connection, NEW_EVENTS, SILVER_SCHEMA)
        rejected = _fetch(connection, REJECTED, QUARANTINE_SCHEMA)
        [(rows_in, sound)] = connection.sql(
            "select count(*), count(*) filter (reason is null) from judged"
        ).fetchall()
    if rejected.num_rows:
        write_deltalake(quarantine, rejected, mode="append")
    marks = CommitProperties(app_transactions=[Transaction(BRONZE, version)])
    write_deltalake(silver, valid, mode="append", commit_properties=marks)
    return Settled(
        rows_in=rows_in,
        rows_out=valid.num_rows,
        duplicates=sound - valid.num_rows,
        quarantined=rows_in - sound,
    )


NEW_EVENTS = """
    select event_id, product_id, warehouse_id, quantity_change, on_hand, event_at, sent_at,
        topic, partition, "offset"
    from judged anti join held using (event_id)
    where reason is null
    qualify row_number() over (partition by event_id order by sent_at, topic, partition, "offset") = 1
"""
REJECTED = """
    with rejected as (
        select
            concat_ws('/', topic, partition, "offset") as origin,
            sha256(origin || '|' || coalesce(raw, '')) as quarantine_id,
            'inventory' as source,
            cast(sent_at as date) as ds,
            reason,
            coalesce(event_id, key) as key,
            event_at as occurred_at,
            raw
        from judged
        where reason is not null
    )
    select quarantine_id, source, ds, reason, key, occurred_at, origin, raw
    from rejected anti join quarantined using (quarantine_id)
"""


def _judge(connection: duckdb.DuckDBPyConnection, lake: Lake, since: int | None) -> None:
    """Make the table `judged`: the new messages, parsed, each with the reason to reject it or null."""
    connection.register("incoming", lake.rows_since(BRONZE, since))
    products = lake.table("silver.products")
    connection.register(
        "products",
        products.to_pyarrow_dataset() if products else pa.table({"product_id": pa.array([], pa.int64())}),
    )
    rules = " ".join(f"when not coalesce({rule}, false) then '{name}'" for name, rule in RULES.items())
    connection.execute(f"create temp table judged as select *, case {rules} end as reason from ({PARSED})")


def _fetch(connection: duckdb.DuckDBPyConnection, query: str, schema: pa.Schema) -> pa.Table:
    return connection.sql(query).to_arrow_table().cast(schema)
