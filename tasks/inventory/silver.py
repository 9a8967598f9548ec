"""Inventory events from bronze to silver: each is flagged, then written once or quarantined.

In DuckDB rather than Spark: the continuous way does this every second, on a few events. A batch is one
commit, which also marks the progress in bronze.
"""

from contextlib import suppress
from functools import reduce
from typing import Literal
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError
from prefect import task
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt

from blocks.settings.failures import TransientFailure
from blocks.settings.settings import Settings
from lake.catalog import catalog
from lake.delta import Lake, commit, progress_of
from lake.iso_8601 import ISO_8601_VARIANT, REWRITES
from lake.json_text import BLANK_CHARACTERS, number_pattern
from lake.local_sql import connect
from lake.present_rows import present_rows
from lake.quarantine import QUARANTINE_SCHEMA
from lake.row_counts import RowCounts
from tasks.inventory.message import SCHEMA
from tasks.timing import timed

TABLE = "inventory"
BRONZE, SILVER, QUARANTINE = (f"{layer}.{TABLE}" for layer in ("bronze", "silver", "quarantine"))
PRODUCTS = "silver.products"
# A number in a text field is the text that was written: DuckDB would read a float.
TEXT_FIELDS = ("event_id", "warehouse_id")
EVENT_TIME = reduce(
    lambda text, rewrite: "regexp_replace({}, '{}', '{}', 'g')".format(
        text, rewrite[0], rewrite[1].replace("$", "\\")
    ),
    REWRITES,
    "upper(event_time)",
)
PARSED = f"""
    with objects as (
        select
            *,
            if(
                json_valid(raw) and json_type(raw) = 'OBJECT',
                as_written(raw),
                null
            ) as object
        from incoming
    ),
    fields as (select *, object ->> '$.event_time' as event_time from objects)
    select
        * exclude (event_time),
        object ->> '$.event_id' as event_id,
        product_id_of(object) as product_id,
        object ->> '$.warehouse_id' as warehouse_id,
        case when json_type(object, '$.quantity_change') in ('UBIGINT', 'BIGINT')
            then try_cast(object ->> '$.quantity_change' as bigint) end as quantity_change,
        case when json_type(object, '$.on_hand') in ('UBIGINT', 'BIGINT')
            then try_cast(object ->> '$.on_hand' as bigint) end as on_hand,
        case when regexp_matches(event_time, '{ISO_8601_VARIANT}')
            then try_cast({EVENT_TIME} as timestamptz) end as event_at
    from fields
"""
MOST_PIECES = 1_000_000_000
# A row is quarantined under the name of the first rule that it breaks. A null breaks a rule.
RULES = {
    "line_is_event": "object is not null",
    "event_id_not_null": f"trim(event_id, '{BLANK_CHARACTERS}') != ''",
    "product_id": f"trim(cast(product_id as text), '{BLANK_CHARACTERS}') != ''",
    "warehouse_id_not_null": f"trim(warehouse_id, '{BLANK_CHARACTERS}') != ''",
    "quantity_change_is_integer": "quantity_change is not null",
    # As the contract has it: no sum over products and warehouses may overflow.
    "quantity_change_in_range": f"quantity_change between -{MOST_PIECES} and {MOST_PIECES}",
    "on_hand_is_integer": "on_hand is not null",
    "on_hand_in_range": f"on_hand between 0 and {MOST_PIECES}",
    "event_time_readable": "year(event_at) between 1970 and 9998",
    # Kafka is younger: it is the clock of the message that is wrong, and not the event's time.
    "message_time_readable": "year(sent_at) between 2000 and 9998",
    # Else a producer whose clock is ahead would have every later event look old. Bronze keeps when it was
    # read: the outcome is the same whenever it is computed. A day: the consumer's clock may be the wrong one.
    "message_time_not_in_future": "coalesce(sent_at <= read_at + interval '1 day', true)",
    # By the message's own timestamp (the broker's clock if the topic has LogAppendTime, else the producer's),
    # and some minutes of grace.
    "event_time_not_in_future": "event_at <= sent_at + interval '5 minutes'",
    "product_known": "product_id in (select product_id from products)",
}
# The reason of the rule about product_id and how a JSON object's is read, by its type in the contract; of
# integers in INTEGER_ID.
PRODUCT_IDS = {
    "text": ("product_id_not_null", "object ->> '$.product_id'"),
    # As the shop's database spells it.
    "uuid": ("product_id_is_uuid", "cast(try_cast(object ->> '$.product_id' as uuid) as text)"),
}
INTEGER_ID = (
    "product_id_is_integer",
    """case when json_type(object, '$.product_id') in ('UBIGINT', 'BIGINT')
        then try_cast(object ->> '$.product_id' as {type}) end""",
)
ATTEMPTS = 5


def row_rules() -> dict[str, str]:
    """The conditions on a message's event by reason; that of product_id is called after its type."""
    reason, _ = _product_id()
    return {reason if name == "product_id" else name: rule for name, rule in RULES.items()}


def ensure_tables(lake: Lake) -> tuple[DeltaTable, DeltaTable]:
    """Silver and quarantine, made empty at first use."""
    lake.add_columns(BRONZE, SCHEMA)
    lake.add_columns(QUARANTINE, QUARANTINE_SCHEMA)
    return lake.ensure(SILVER, catalog()[TABLE].schema), lake.ensure(QUARANTINE, QUARANTINE_SCHEMA)


@task(task_run_name="silver-inventory")
@timed
def rewrite_silver(settings: Settings, lake: Lake) -> RowCounts:
    """Apply today's row rules and products to all of bronze; returns the row counts.

    Rows that pass now leave quarantine.
    """
    return write_silver(lake, settings.shop_timezone, full=True)


def write_silver(lake: Lake, timezone: ZoneInfo, full: bool = False) -> RowCounts:
    """Write the messages that are new in bronze to silver, each event once; returns the row counts.

    Rejected messages whose product has become known are flagged again, and leave quarantine if they pass.
    Of several messages with one event_id the first to arrive counts. May be repeated, and called by several
    processes at once: one of them writes. `full` replaces silver and quarantine by all of bronze, flagged
    anew. Raises TransientFailure if other writers always come first.
    """
    if lake.table(BRONZE) is None:
        return RowCounts(TABLE)
    attempts = Retrying(retry=retry_if_exception_type(CommitFailedError), stop=stop_after_attempt(ATTEMPTS))
    try:
        return attempts(_write_silver, lake, timezone, full)
    except RetryError:
        raise TransientFailure(f"{SILVER} is being written by others all the time; try again") from None


def _write_silver(lake: Lake, timezone: ZoneInfo, full: bool) -> RowCounts:
    silver, quarantine = ensure_tables(lake)
    silver_schema = catalog()[TABLE].schema
    since = None if full else progress_of(silver, BRONZE)
    version = DeltaTable(lake.uri(BRONZE)).version()
    products = lake.table(PRODUCTS)
    has_new_products = products is not None and quarantine.transaction_version(PRODUCTS) != products.version()
    if since == version and not has_new_products:
        return RowCounts(TABLE)
    with connect() as connection:
        shop_products = catalog()["products"]
        known = present_rows(lake, shop_products) if products else shop_products.schema.empty_table()
        connection.register("products", known)
        numbers = number_pattern(*TEXT_FIELDS, *(() if _is_integer_id() else ("product_id",)))
        connection.execute(
            f"create temp macro as_written(raw) as regexp_replace(raw, '{numbers}', '\\1\"\\2\"', 'g')"
        )
        connection.execute(f"create temp macro product_id_of(object) as {_product_id()[1]}")
        held = silver_schema.empty_table() if full else silver.to_pyarrow_dataset()
        connection.register("held", held)
        quarantined = QUARANTINE_SCHEMA.empty_table() if full else quarantine.to_pyarrow_dataset()
        connection.register("quarantined", quarantined)
        now_known = connection.sql(NOW_KNOWN).to_arrow_table() if has_new_products else None
        _flag(connection, lake, since, timezone, now_known)
        released = None if now_known is None else connection.sql(RELEASED).to_arrow_table()
        valid = _fetch(connection, NEW_EVENTS, silver_schema)
        rejected = _fetch(connection, REJECTED, QUARANTINE_SCHEMA)
        counts = dict(connection.sql("select reason, count(*) from flagged group by reason").fetchall())
    mode: Literal["overwrite", "append"] = "overwrite" if full else "append"
    # In both tables: of two processes that write the same messages, Delta lets one commit.
    marks = commit({BRONZE: version})
    if rejected.num_rows or full:
        write_deltalake(quarantine, rejected, mode=mode, commit_properties=marks)
    write_deltalake(silver, valid, mode=mode, commit_properties=marks)
    if released is not None and products is not None:
        # Only once they are in silver: after a kill in between, or another's commit, the next call does it.
        with suppress(CommitFailedError):
            _release(quarantine, released)
            lake.mark_progress(QUARANTINE, PRODUCTS, products.version())
    sound = counts.pop(None, 0)
    return RowCounts(
        table=TABLE,
        rows_in=sound + sum(counts.values()),
        rows_out=valid.num_rows,
        duplicates=sound - valid.num_rows,
        rejected=counts,
    )


# Rejected messages whose product has become known. A `case`, since of other rows `raw` may be no JSON.
NOW_KNOWN = """
    select quarantine_id, origin from quarantined
    where case when reason = 'product_known' then product_id_of(as_written(raw)) end
        in (select product_id from products)
"""
WITH_NOW_KNOWN = """
    select * from arrived
    union all by name
    select * from everything anti join arrived using (topic, partition, "offset")
    where concat_ws('/', topic, partition, "offset") in (select origin from now_known)
"""
# Not all of them: a row rule newer than the quarantined row may reject it again.
RELEASED = """
    select quarantine_id from now_known
    where origin in (select concat_ws('/', topic, partition, "offset") from flagged where reason is null)
"""
NEW_EVENTS = """
    select event_id, product_id, warehouse_id, quantity_change, on_hand, event_at, event_date, sent_at,
        topic, partition, "offset"
    from flagged anti join held using (event_id)
    where reason is null
    qualify row_number() over (partition by event_id order by sent_at, topic, partition, "offset") = 1
"""
REJECTED = """
    with rejected as (
        select
            concat_ws('/', topic, partition, "offset") as origin,
            sha256(origin || '|' || coalesce(raw, '')) as quarantine_id,
            'inventory' as source,
            ds,
            reason,
            coalesce(event_id, key) as key,
            event_at as occurred_at,
            raw
        from flagged
        where reason is not null
    )
    select quarantine_id, source, ds, reason, key, occurred_at, origin, raw, null::timestamptz as read_at
    from rejected anti join quarantined using (quarantine_id)
"""


def _release(quarantine: DeltaTable, released: pa.Table) -> None:
    if released.num_rows:
        same = "old.quarantine_id = gone.quarantine_id"
        quarantine.merge(
            released, same, source_alias="gone", target_alias="old", commit_properties=commit()
        ).when_matched_delete().execute()


def _flag(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    since: int | None,
    timezone: ZoneInfo,
    now_known: pa.Table | None,
) -> None:
    """Make the table `flagged`: the new messages, parsed, each with the reason to reject it or null.

    The `now_known` ones are flagged with them.
    """
    arrived = lake.rows_since(BRONZE, since)
    if now_known is not None:
        connection.register("now_known", now_known)
    if now_known is not None and now_known.num_rows:
        connection.register("arrived", arrived)
        connection.register("everything", lake.rows_since(BRONZE, None))
        connection.execute(f"create temp view incoming as {WITH_NOW_KNOWN}")
    else:
        connection.register("incoming", arrived)
    rules = " ".join(f"when not coalesce({rule}, false) then '{name}'" for name, rule in row_rules().items())
    connection.execute(
        f"""
        create temp table flagged as
        select
            *,
            cast(timezone($zone, event_at) as date) as event_date,
            cast(timezone($zone, coalesce(sent_at, event_at)) as date) as ds,
            case {rules} end as reason
        from ({PARSED})
        """,
        {"zone": timezone.key},
    )


def _is_integer_id() -> bool:
    return catalog()[TABLE].column("product_id").type not in PRODUCT_IDS


def _product_id() -> tuple[str, str]:
    """The reason and the expression of PRODUCT_IDS for the contract's type."""
    type_name = catalog()[TABLE].column("product_id").type
    reason, expression = PRODUCT_IDS.get(type_name, INTEGER_ID)
    return reason, expression.format(type=type_name)


def _fetch(connection: duckdb.DuckDBPyConnection, query: str, schema: pa.Schema) -> pa.Table:
    return connection.sql(query).to_arrow_table().cast(schema)
