"""The text of a first query: a guess's columns as the contract's, and a TODO where somebody has to decide."""

from dataclasses import dataclass, field
from difflib import get_close_matches

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from lake.source_table import Column, SourceTable
from tasks.connect.guess import Guess, Match
from tasks.connect.shop_schema import Reference

SQL = sql.SQL
# Other shops' words for our statuses.
WORDS = {
    "pending": ("draft", "new", "open", "unpaid", "created", "unconfirmed", "quotation", "placed"),
    "processing": (
        "paid",
        "sale",
        "confirmed",
        "in_progress",
        "unfulfilled",
        "on_hold",
        "accepted",
        "packed",
    ),
    "shipped": ("sent", "fulfilled", "dispatched", "in_transit", "partially_fulfilled"),
    "delivered": ("done", "complete", "completed", "closed", "received"),
    "cancelled": ("cancel", "canceled", "refunded", "returned", "void", "failed", "expired", "archived"),
}
TYPES = {"uuid": "uuid"}


@dataclass
class Query:
    """The text of a `<table>.sql`, and what the contract beside it has to say of it."""

    text: str
    todos: int = 0
    key_types: dict[str, str] = field(default_factory=dict)
    """Columns that are keys of another type here: `uuid` or `text`."""
    zoneless: list[str] = field(default_factory=list)
    """Columns of times without a zone."""
    has_no_cursor: bool = False


def query_text(
    connection: Connection, table: SourceTable, guess: Guess, words: dict[str, list[str]], timezone: str
) -> Query:
    """The query that reads a contract's columns as guessed.

    `words` are the shop's own, of columns that have valid values.
    """
    query = Query("")
    aliases = {id(guess.table): "base"}
    joins: list[Reference] = []
    for match in guess.matches.values():
        if match.via and id(match.via) not in aliases:
            aliases[id(match.via)] = f"ref_{len(joins) + 1}"
            joins.append(match.via)
    lines: list[tuple[str, str]] = []
    for column in table.columns:
        found = guess.matches.get(column.name)
        if found is None:
            lines.append(_missing(table, column, query))
            continue
        at = _at(found, aliases, guess)
        if column.name == table.cursor:
            at = _latest(at, found, guess, aliases)
        value, todo = _value(column, at, found, guess, words, timezone, query)
        lines.append((SQL("{} as {}").format(value, sql.Identifier(column.name)).as_string(connection), todo))
    query.todos = sum(bool(todo) for _, todo in lines)
    query.text = "\n".join(
        [
            f"-- {table.name}: a first guess of `python -m flows.connect --scaffold`; read it, correct it.",
            f"-- {table.grain}",
            "select",
            *_select_list(lines),
            SQL("from {} as base").format(guess.table.identifier).as_string(connection),
            *(_join(each, aliases[id(each)]).as_string(connection) for each in joins),
            "",
        ]
    )
    return query


def _select_list(lines: list[tuple[str, str]]) -> list[str]:
    last = max(number for number, (value, _) in enumerate(lines) if value)
    return [
        "    "
        + value
        + ("," if value and number < last else "")
        + (f"{'  ' if value else ''}-- TODO: {todo}" if todo else "")
        for number, (value, todo) in enumerate(lines)
        if value or todo
    ]


def _missing(table: SourceTable, column: Column, query: Query) -> tuple[str, str]:
    if column.name == table.cursor:
        query.has_no_cursor = True
        return (
            "",
            f"{column.name}: nothing says when a row changed, so {table.name}.yaml compares rows",
        )
    if not column.is_required and column.name != table.key:
        return "", f"{column.name} ({column.description}): nothing looks like it; it may be left out"
    return f"null::{column.type} as {column.name}", f"nothing looks like it: {column.description}"


def _at(match: Match, aliases: dict[int, str], guess: Guess) -> sql.Composable:
    alias = aliases[id(match.via)] if match.via else aliases[id(guess.table)]
    return SQL("{}.{}").format(SQL(alias), sql.Identifier(match.column))


def _latest(at: sql.Composable, match: Match, guess: Guess, aliases: dict[int, str]) -> sql.Composable:
    """The later of the row's own time and those of the rows it shows values of."""
    kind = guess.table.columns.get(match.column)
    others = [
        SQL("{}.{}").format(SQL(aliases[id(each.via)]), sql.Identifier(match.column))
        for each in {id(other.via): other for other in guess.matches.values() if other.via}.values()
        if match.via is None and each.via and each.via.table.columns.get(match.column) == kind
    ]
    return SQL("greatest({})").format(SQL(", ").join([at, *others])) if others else at


def _value(
    column: Column,
    at: sql.Composable,
    match: Match,
    guess: Guess,
    words: dict[str, list[str]],
    timezone: str,
    query: Query,
) -> tuple[sql.Composable, str]:
    zone = sql.Literal(timezone)
    if match.kind == "key":
        columns = match.via.table.columns if match.via else guess.table.columns
        query.key_types[column.name] = TYPES.get(columns[match.column].name, "text")
    elif match.kind == "day":
        return SQL("({} at time zone {})::date").format(at, zone), ""
    elif match.kind == "local day":
        moved = SQL("({} at time zone 'UTC' at time zone {})::date").format(at, zone)
        return moved, "the shop's times have no zone; is it UTC?"
    elif match.kind == "local time":
        query.zoneless.append(column.name)
        return at, "has no zone; the contract beside this file says UTC: is it?"
    elif match.kind == "rounded":
        return SQL("{}::{}").format(at, SQL(column.type)), "is rounded here, since it is no exact number"
    elif match.kind == "text":
        return SQL("{}::text").format(at), ""
    if column.name in words and set(words[column.name]) - set(column.valid_values):
        return _translated(column, at, words[column.name])
    return at, f"is it {match.column}?" if match.score < 0.9 else ""


def _translated(column: Column, at: sql.Composable, words: list[str]) -> tuple[sql.Composable, str]:
    """A case with our word for each of the shop's; a word without one stays, and is quarantined."""
    known = {each: ours for ours, theirs in WORDS.items() for each in theirs if ours in column.valid_values}
    known |= {str(each): str(each) for each in column.valid_values}
    cases, left = [], []
    for word in words:
        lower = word.lower().replace(" ", "_").replace("-", "_")
        close = get_close_matches(lower, known, n=1, cutoff=0.8)
        if close:
            cases.append(SQL("when {} then {}").format(sql.Literal(word), sql.Literal(known[close[0]])))
        else:
            left.append(word)
    if not cases:
        return at, f"what are {', '.join(left)}? Valid are {', '.join(map(str, column.valid_values))}"
    value = SQL("case {0}::text {1} else {0}::text end").format(at, SQL(" ").join(cases))
    return value, f"is each word right?{' What are ' + ', '.join(left) + '?' if left else ''}"


def _join(reference: Reference, alias: str) -> sql.Composed:
    return SQL("left join {} as {} on {}.{} = base.{}").format(
        reference.table.identifier,
        SQL(alias),
        SQL(alias),
        sql.Identifier(reference.to),
        sql.Identifier(reference.column),
    )
