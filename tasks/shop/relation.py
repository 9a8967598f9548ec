"""Where a source table is read from, and how: the shop's table of its name, or a query of SHOP_QUERIES.

A query is one SELECT over the shop's schema that yields the contract's columns. It stands after FROM like a
table, so that PostgreSQL pushes windows and key ranges down into it.
"""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
import pyarrow as pa
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from blocks.settings.failures import PermanentFailure
from lake.source_table import ROW_HASH, UNREADABLE, SourceTable
from tasks.shop.column_types import Found, Reading, reading
from tasks.shop.visibility import missing_table

SQL = sql.SQL
NO_VALUE = SQL("null::{}")


@dataclass(frozen=True)
class Relation:
    """A source table as it lies in the shop's database."""

    table: SourceTable
    place: str
    """For people: `table orders`, or `orders.sql`."""
    source: sql.Composable
    """What stands after FROM."""
    is_query: bool
    readings: dict[str, Reading]
    """Of the contract's columns, those that are there."""
    broken: list[str] = field(default_factory=list)
    """Sentences about columns that are missing or of another type: nothing can be read."""
    absent: list[str] = field(default_factory=list)
    """Columns that the contract calls optional and that are not there: they are read as null."""
    additions: list[str] = field(default_factory=list)
    """Sentences about columns that no contract knows."""
    found: dict[str, Found] = field(default_factory=dict)

    @property
    def key(self) -> sql.Identifier:
        """The key as the source has it, so that its index can be used."""
        return sql.Identifier(self.table.key)

    @property
    def cursor(self) -> sql.Identifier:
        """The cursor as the source has it."""
        return sql.Identifier(self.table.cursor)

    @property
    def copy_schema(self) -> pa.Schema:
        """The columns that `copy_query` yields."""
        return pa.schema([*self.table.schema, (UNREADABLE, pa.string()), (ROW_HASH, pa.int64())])

    def value(self, column: str) -> sql.Composable:
        """The column as its contract's type; null if it does not fit, or is not there."""
        if column == self.table.cursor and self.table.changes == "snapshot":
            return SQL("transaction_timestamp()")
        if column not in self.readings:
            return NO_VALUE.format(SQL(self.table.column(column).type))
        return self.readings[column].expression

    def copy_query(self, where: sql.Composable) -> sql.Composed:
        """The COPY statement for the rows that `where` selects; NULL and the empty string stay apart."""
        columns = [
            *((self.value(column.name), column.name) for column in self.table.columns),
            (self.unreadable(), UNREADABLE),
            (self.row_hash(), ROW_HASH),
        ]
        selected = [SQL("{} as {}").format(value, sql.Identifier(name)) for value, name in columns]
        return SQL("copy (select {} from {} where {}) to stdout (format csv, header)").format(
            SQL(", ").join(selected), self.source, where
        )

    def unreadable(self) -> sql.Composable:
        """The values that do not fit, {column: text} as JSON; null if all do."""
        narrow = {name: each.fits for name, each in self.readings.items() if each.fits is not None}
        if not narrow:
            return SQL("null::text")
        fit = [
            SQL("({} is null or ({}))").format(sql.Identifier(name), fits) for name, fits in narrow.items()
        ]
        texts = [
            SQL("{}, case when not ({}) then {}::text end").format(
                sql.Literal(name), fits, sql.Identifier(name)
            )
            for name, fits in narrow.items()
        ]
        return SQL("case when not ({}) then jsonb_strip_nulls(jsonb_build_object({}))::text end").format(
            SQL(" and ").join(fit), SQL(", ").join(texts)
        )

    def row_hash(self) -> sql.Composable:
        """The hash of all values, as texts, of a table that is compared as a snapshot; else null."""
        if self.table.changes != "snapshot":
            return SQL("null::bigint")
        texts = [SQL("{}::text").format(sql.Identifier(name)) for name in sorted(self.readings)]
        return hash_of(SQL("jsonb_build_array({})::text").format(SQL(", ").join(texts)))


def hash_of(text: sql.Composable) -> sql.Composable:
    """The first 60 bits of a text's MD5, as a bigint: the same number as lake/ has for it."""
    return SQL("('x0' || left(md5({}), 15))::bit(64)::bigint").format(text)


def find_relation(connection: Connection, table: SourceTable, queries: str) -> Relation:
    """Find where a source table is read from, and compare it with its contract.

    Raises PermanentFailure if there is neither table nor query, or if the query cannot be run.
    """
    file = Path(queries) / f"{table.name}.sql"
    if queries and file.exists():
        return _query_relation(connection, table, file)
    columns = _table_columns(connection, table.name)
    if not columns:
        where = f"{file.name} is not in SHOP_QUERIES, and " if queries else ""
        raise PermanentFailure(where + missing_table(connection, table.name))
    source = sql.Identifier(table.name)
    known = [sql.Identifier(column.name) for column in table.columns if column.name in columns]
    found = _described(connection, SQL("select {} from {} limit 0").format(SQL(", ").join(known), source))
    added = {name: kind for name, kind in columns.items() if name not in table.schema.names}
    return _compared(table, f"table {table.name}", source, False, found, added)


def _query_relation(connection: Connection, table: SourceTable, file: Path) -> Relation:
    try:
        text = file.read_text(encoding="utf-8").strip().rstrip(";")
    except (OSError, UnicodeDecodeError) as error:
        raise PermanentFailure(f"{file.name} cannot be read ({error}); write it in UTF-8") from None
    # Line ends, so that a comment at the query's end does not swallow the bracket.
    source = SQL("(\n{}\n) as source").format(SQL(text))
    try:
        found = _described(connection, SQL("select * from {} limit 0").format(source))
    except psycopg2.errors.InsufficientPrivilege:
        raise
    except (psycopg2.ProgrammingError, psycopg2.NotSupportedError) as error:
        said = (error.diag.message_primary or str(error)).strip()
        raise PermanentFailure(
            f"{file.name} is refused by the shop's database ({said}); correct it: one SELECT, without a "
            "semicolon"
        ) from None
    names = table.schema.names
    added = {name: str(kind) for name, kind in found.items() if name not in names}
    return _compared(table, file.name, source, True, {n: f for n, f in found.items() if n in names}, added)


def _compared(
    table: SourceTable,
    place: str,
    source: sql.Composable,
    is_query: bool,
    found: dict[str, Found],
    added: dict[str, str],
) -> Relation:
    readings: dict[str, Reading] = {}
    broken, absent = [], []
    for column in table.columns:
        name, promise = f"{table.name}.{column.name}", f"(the contract promises {column.type})"
        if column.name == table.cursor and table.changes == "snapshot":
            continue
        if column.name not in found:
            is_needed = column.is_required or column.name in (table.key, table.cursor)
            if is_needed:
                broken.append(f"{name} is gone {promise}")
            else:
                absent.append(column.name)
            continue
        made = reading(column, found[column.name])
        if isinstance(made, str):
            broken.append(f"{name} {made} {promise}")
        else:
            readings[column.name] = made
    additions = [f"{table.name}.{name} ({kind}) is new and is not extracted" for name, kind in added.items()]
    return Relation(table, place, source, is_query, readings, broken, absent, additions, found)


def _table_columns(connection: Connection, table: str) -> dict[str, str]:
    """The columns that a table has now, {name: type as `format_type` prints it}."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            "where attrelid = to_regclass(quote_ident(%s)) and attnum > 0 and not attisdropped "
            "order by attnum",
            (table,),
        )
        return dict(cursor.fetchall())


def _described(connection: Connection, query: sql.Composable) -> dict[str, Found]:
    """The columns of a query's answer; PostgreSQL has resolved domains by then."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        columns = cursor.description or ()
        cursor.execute(
            "select oid, case when typtype = 'e' then 'enum' when typname = 'citext' then typname "
            "else format_type(oid, null) end from pg_type where oid = any(%s)",
            ([column.type_code for column in columns],),
        )
        names = dict(cursor.fetchall())
    found = {}
    for column in columns:
        if column.name in found:
            raise PermanentFailure(f"the query yields {column.name} twice; name each column once")
        is_numeric = names[column.type_code] == "numeric"
        # psycopg2 reports 65535 for a numeric without limits.
        has_limits = is_numeric and column.precision is not None and 0 < column.precision <= 1000
        found[column.name] = Found(
            names[column.type_code],
            column.precision if has_limits else None,
            column.scale if has_limits else None,
        )
    return found


def source_clock(connection: Connection) -> dt.datetime:
    """The source's clock at the transaction's start: its own, because it stamped the cursor."""
    with connection.cursor() as cursor:
        cursor.execute("select transaction_timestamp()")
        [(now,)] = cursor.fetchall()
        return now
