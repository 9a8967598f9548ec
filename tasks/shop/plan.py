"""What PostgreSQL's planner says of a source table: its rows, about, and what a run would read or never see.

Nothing is read but plans: a question costs a millisecond, whatever the table's size.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from tasks.shop.relation import SQL, Relation
from tasks.shop.visibility import hidden_by_row_security, row_security_applies

# Smaller tables are read as a whole faster than anybody can make an index.
LARGE = 100_000
CONDITIONS = ("Index Cond", "Recheck Cond", "TID Cond")
# A column of the scanned table, beside a moment: `(orders.updated_at >= '2024-…`.
COMPARED = re.compile(r"""\((?:"[^"]+"\.|\w+\.)?("(?:[^"]|"")+"|\w+) (?:>=|<) '""")


@dataclass(frozen=True)
class WholeScan:
    """A large table of which a narrow window reads every row."""

    table: str
    """Schema and name, as SQL spells them."""
    rows: int
    column: str | None
    """The column, as SQL spells it, on which the window is; None if it does not come down to the table."""


def estimated_rows(connection: Connection, source: sql.Composable) -> int:
    """About how many rows there are, by the planner's statistics."""
    return int(_plan(connection, SQL("select * from {}").format(source))["Plan Rows"])


def whole_scans(connection: Connection, relation: Relation, window: sql.Composable) -> list[WholeScan]:
    """The large tables that are read as a whole for `window`, which should select next to nothing."""
    query = SQL("select * from {} where {}").format(relation.source, window)
    scanned: dict[str, str] = {}
    for node in _nodes(_plan(connection, query)):
        if "Relation Name" in node and not any(name in node for name in CONDITIONS):
            scanned.setdefault(
                _root(connection, node["Schema"], node["Relation Name"]), node.get("Filter", "")
            )
    found = []
    for table, condition in scanned.items():
        if (rows := estimated_rows(connection, SQL(table))) > LARGE:
            compared = COMPARED.search(condition)
            found.append(WholeScan(table, rows, compared[1] if compared else None))
    return found


def index_warnings(connection: Connection, relation: Relation, window: sql.Composable) -> list[str]:
    """Sentences about large tables without an index for the window, each with the index to create.

    None of a table that is compared as a snapshot: it has no window.
    """
    if relation.table.changes == "snapshot":
        return []
    return [
        f"{relation.table.name}: each run's window reads all of {scan.table}, about {scan.rows:,} rows; "
        f"create an index: create index concurrently on {scan.table} ({scan.column})"
        for scan in whole_scans(connection, relation, window)
        if scan.column
    ]


def computed_cursor_warning(connection: Connection, relation: Relation, window: sql.Composable) -> list[str]:
    """A sentence about large tables that are read as a whole for each window, and that no index would help.

    Often that is meant: the later of two times is right, and slow.
    """
    if relation.table.changes == "snapshot":
        return []
    scans = [scan for scan in whole_scans(connection, relation, window) if not scan.column]
    if not scans:
        return []
    read = " and ".join(f"{scan.table} (about {scan.rows:,} rows)" for scan in scans)
    cursor = relation.table.cursor
    return [
        f"{relation.table.name}: each run's window reads all of {read}, since {cursor} is computed, or a "
        f"join has no index; if that takes long, let the shop keep {cursor} in an indexed column, and join "
        "by indexed ones"
    ]


def hidden_rows_warning(connection: Connection, relation: Relation) -> list[str]:
    """A sentence if row-level security may hide rows of a source table from the user."""
    if relation.is_query:
        is_hidden = row_security_applies(connection, SQL("select * from {}").format(relation.source))
    else:
        is_hidden = bool(hidden_by_row_security(connection, [relation.table.name]))
    if not is_hidden:
        return []
    return [
        f"{relation.table.name}: row-level security may hide rows of {relation.place} from user "
        f"{connection.info.user}, silently; alter role … bypassrls, or give it a policy using (true)"
    ]


def _root(connection: Connection, schema: str, table: str) -> str:
    """Schema and name of the table itself, or the one that it is a partition of: an index belongs there."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select format('%%I.%%I', nspname, relname) from pg_class "
            "join pg_namespace on pg_namespace.oid = relnamespace "
            "where pg_class.oid = coalesce(pg_partition_root(%(table)s::regclass), %(table)s::regclass)",
            {"table": sql.Identifier(schema, table).as_string(connection)},
        )
        [(root,)] = cursor.fetchall()
        return str(root)


def _plan(connection: Connection, query: sql.Composable) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(SQL("explain (format json, verbose) {}").format(query))
        [([found],)] = cursor.fetchall()
        return found["Plan"]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a plan. A bitmap's condition is on the node above it."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
