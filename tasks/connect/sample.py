"""A sample of a source table's newest rows, and what the row rules make of it.

The rules are those of the pipeline, run by the Spark in this process; nothing is written.
"""

import json
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lake.source_table import UNREADABLE, SourceTable
from spark_jobs.engine.session import spark_session
from spark_jobs.rows import REJECT_REASON
from spark_jobs.silver.jobs import silver_job
from tasks.connect.models import RejectedShare
from tasks.shop.postgres_copy import copy_batches
from tasks.shop.relation import SQL, Relation, source_clock
from tasks.shop.versions import as_versions

SAMPLED_ROWS = 10_000
SAMPLES = 3
LONGEST_VALUE = 40


def start_spark() -> SparkSession:
    """The Spark in this process, whatever SPARK_REMOTE says: a cluster takes longer than this sample."""
    return spark_session("")


def read_newest(connection: Connection, relation: Relation) -> pa.Table:
    """The newest rows by the cursor, SAMPLED_ROWS at most."""
    newest = SQL("(select * from {} where {} is not null order by {} desc limit {}) as source").format(
        relation.source, relation.cursor, relation.cursor, SQL(str(SAMPLED_ROWS))
    )
    return _read(connection, relation, newest)


def read_any(connection: Connection, relation: Relation, rows: int | None) -> pa.Table:
    """Some rows, SAMPLED_ROWS at most: of a table with about `rows` from all over it, else the first."""
    picked = relation.source
    if rows is not None and rows > SAMPLED_ROWS and _can_be_sampled(connection, relation):
        # A few more, since a page holds more rows or less.
        share = min(100.0, 120 * SAMPLED_ROWS / rows)
        picked = SQL("{} tablesample system ({})").format(picked, SQL(f"{share:.6f}"))
    return _read(
        connection,
        relation,
        SQL("(select * from {} limit {}) as source").format(picked, SQL(str(SAMPLED_ROWS))),
    )


def rejected_shares(rows: pa.Table, table: SourceTable, timezone: ZoneInfo) -> list[RejectedShare]:
    """What each row rule would reject of these rows, the commonest first."""
    if not rows.num_rows:
        return []
    job = silver_job(table.name)
    bronze = start_spark().createDataFrame(rows, schema=job.bronze)
    flagged = job.flag(bronze, timezone.key)
    reasons = flagged.where(F.col(REJECT_REASON).isNotNull()).select(REJECT_REASON, "key", "raw").toArrow()
    found: dict[str, list[dict[str, Any]]] = {}
    for row in reasons.to_pylist():
        found.setdefault(row[REJECT_REASON], []).append(row)
    shares = [
        RejectedShare(
            rule=rule,
            rows=len(rejected),
            share=len(rejected) / rows.num_rows,
            samples=[_sample(table, rule, row) for row in rejected[:SAMPLES]],
        )
        for rule, rejected in found.items()
    ]
    return sorted(shares, key=lambda each: (-each.rows, each.rule))


def _sample(table: SourceTable, rule: str, row: dict[str, Any]) -> str:
    raw = json.loads(row["raw"])
    # A rule's name begins with its column's; of two such columns, the longer name is meant.
    named = [column for column in table.columns if rule.startswith(f"{column.name}_")]
    if not named:
        return str(row["key"])
    column = max(named, key=lambda each: len(each.name))
    if column.is_personal:
        return f"{row['key']}: (personal)"
    unreadable = json.loads(raw.get(UNREADABLE) or "{}")
    value = unreadable.get(column.name, raw.get(column.name))
    text = "null" if value is None else " ".join(str(value).split()) or "(blank)"
    return f"{row['key']}: {text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + '…'}"


def _read(connection: Connection, relation: Relation, source: sql.Composable) -> pa.Table:
    query = replace(relation, source=source).copy_query(SQL("true"))
    rows = copy_batches(connection, query, relation.copy_schema)
    versions = list(as_versions(rows, relation, source_clock(connection)))
    return pa.Table.from_batches(versions, relation.table.bronze_schema)


def _can_be_sampled(connection: Connection, relation: Relation) -> bool:
    if relation.is_query:
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "select relkind in ('r', 'p', 'm') from pg_class where oid = to_regclass(quote_ident(%s))",
            (relation.table.name,),
        )
        [(is_table,)] = cursor.fetchall()
        return bool(is_table)
