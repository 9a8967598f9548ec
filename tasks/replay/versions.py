"""What else the lake has of quarantined rows: their own rows of bronze, and what has replaced them."""

import pyarrow as pa

from lake.catalog import catalog
from lake.delta import Lake
from lake.local_sql import connect
from lake.quarantine import PATCH, RULE, SOURCE
from lake.source_table import REPLAY_OF, SourceTable
from tasks.ingest import click_lines
from tasks.shop.versions import as_bronze

ID = "quarantine_id"
# A line with several objects has a row of quarantine for each: their number follows the line's.
LINE = "source_file || ':' || line_number"
BRONZE_OF_LINES = f"""
select quarantined.quarantine_id, bronze.*
from bronze
join quarantined on {LINE} = origin or {LINE} = regexp_replace(origin, ':[0-9]+$', '')
where bronze.ds = quarantined.ds and (bronze.raw = quarantined.raw or {LINE} != origin)
qualify row_number() over (partition by quarantine_id order by source_version) = 1
"""
BRONZE_OF_CHANGES = """
select quarantined.quarantine_id, bronze.*
from bronze
join quarantined
    on cast(bronze.{key} as varchar) = quarantined.key
    and bronze.read_at is not distinct from quarantined.read_at
    and least(bronze.{cursor}, bronze.read_at) is not distinct from quarantined.occurred_at
where not exists (
    select 1 from quarantine as newer
    where newer.key = quarantined.key
    and coalesce(newer.read_at, newer.occurred_at) > coalesce(quarantined.read_at, quarantined.occurred_at)
)
qualify row_number() over (partition by quarantine_id order by bronze.{cursor}) = 1
"""
REPLACED_LINES = f"""
select quarantine_id, coalesce(replays.fix, '{SOURCE}') as fix
from quarantined left join replays using (quarantine_id)
where replays.fix is not null
    or key in (select event_id from silver)
    or origin in (select {LINE} from silver)
"""
# As `quarantine.open_rows` in the warehouse: a version that was read later is in silver.
REPLACED_CHANGES = f"""
select quarantine_id, coalesce(replays.fix, '{SOURCE}') as fix
from quarantined
left join replays using (quarantine_id)
join silver on cast(silver.{{key}} as varchar) = quarantined.key
where coalesce(silver.read_at, silver.{{cursor}}) >= coalesce(quarantined.read_at, quarantined.occurred_at)
"""


def bronze_rows(lake: Lake, name: str, quarantined: pa.Table) -> pa.Table:
    """The rows of bronze that these rows of quarantine were made of, each with its `quarantine_id`.

    Left out are rows without a key, which no rule lets pass and nothing can replace, and versions of which a
    newer one is in quarantine.
    """
    table = catalog()[name]
    schema = bronze_schema(table).append(pa.field(ID, pa.string()))
    if not quarantined.num_rows:
        return schema.empty_table()
    query = BRONZE_OF_LINES if table.is_event else BRONZE_OF_CHANGES
    with connect() as local:
        local.register("bronze", lake.rows_since(f"bronze.{name}", None))
        local.register("quarantine", lake.rows_since(f"quarantine.{name}", None))
        local.register("quarantined", quarantined)
        rows = local.sql(query.format(key=table.key, cursor=table.cursor)).to_arrow_table()
    return as_bronze(rows, schema)


def bronze_schema(table: SourceTable) -> pa.Schema:
    """The columns of a table's bronze."""
    return click_lines.SCHEMA if table.is_event else table.bronze_schema


def mark_column(table: SourceTable) -> str:
    """The column of bronze that holds the mark of a replay."""
    return "source_version" if table.is_event else REPLAY_OF


def replaced(lake: Lake, name: str, quarantined: pa.Table) -> dict[str, str]:
    """The rows that wait for nothing any more: quarantine_id -> the fix (`rule`, `source` or `patch`)."""
    table = catalog()[name]
    if not quarantined.num_rows or lake.table(f"silver.{name}") is None:
        return {}
    query = REPLACED_LINES if table.is_event else REPLACED_CHANGES
    with connect() as local:
        for layer in ("bronze", "silver"):
            local.register(layer, lake.rows_since(f"{layer}.{name}", None))
        local.register("quarantined", quarantined)
        # A lake from before there were replays lacks the column.
        mark = (
            mark_column(table) if lake.has_values(f"bronze.{name}", mark_column(table)) else "null::varchar"
        )
        local.execute(
            "create temp table replays as select distinct split_part(mark, ' ', 1) as fix,"
            f" split_part(mark, ' ', 2) as quarantine_id from (select {mark} as mark from bronze)"
            f" where split_part(mark, ' ', 1) in ('{PATCH}', '{RULE}')"
        )
        return dict(local.sql(query.format(key=table.key, cursor=table.cursor)).fetchall())
