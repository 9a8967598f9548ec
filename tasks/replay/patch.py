"""Patch files: CSV with a line per quarantined row, as `--export` writes them, corrected by a person.

A patch becomes a newer version of its row in bronze, so that a rebuild finds it, too.
"""

import csv
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from blocks.settings.failures import DataFailure, PermanentFailure
from blocks.settings.settings import Settings
from lake.catalog import catalog
from lake.delta import Lake
from lake.quarantine import PATCH, RULE, replay_mark
from lake.source_table import READ_AT, UNREADABLE, SourceTable
from tasks.replay.rules import rejected
from tasks.replay.versions import ID, bronze_rows, bronze_schema, mark_column

REASON = "reason"
MOST_SHOWN = 20


def export(file: Path, lake: Lake, name: str, quarantined: pa.Table) -> int:
    """Write a patch file with these rows as they are; returns their number.

    Empty cells are nulls. Raises PermanentFailure if it cannot be written.
    """
    reasons = dict(zip(quarantined[ID].to_pylist(), quarantined[REASON].to_pylist(), strict=True))
    raws = dict(zip(quarantined[ID].to_pylist(), quarantined["raw"].to_pylist(), strict=True))
    rows = bronze_rows(lake, name, quarantined).to_pylist()
    columns = _columns(catalog()[name])
    try:
        with file.open("w", newline="", encoding="utf-8") as opened:
            writer = csv.writer(opened)
            writer.writerow([ID, REASON, *columns])
            for row in rows:
                # Of a line with several objects, the one that was rejected.
                known = row | {"raw": raws[row[ID]]}
                writer.writerow([row[ID], reasons[row[ID]], *(_as_text(known[column]) for column in columns)])
    except OSError as error:
        raise PermanentFailure(f"--export {file} cannot be written: {error.strerror}") from error
    return len(rows)


def read_patch(
    file: Path,
    quarantined: pa.Table,
    fixes: dict[str, str],
    name: str,
    settings: Settings,
    lake: Lake,
    at: dt.datetime,
) -> pa.Table:
    """The patched rows as bronze will have them, read `at` that moment, each with its `quarantine_id`.

    Rows that are patched already are left out. Raises PermanentFailure if the file is none, and DataFailure
    with file and line of each row that is refused: then the whole file is.
    """
    table = catalog()[name]
    held = {row[ID]: row for row in bronze_rows(lake, name, quarantined).to_pylist()}
    refused: list[tuple[int, str]] = []
    patched: dict[int, dict[str, Any]] = {}
    for line, cells in _lines(file, table):
        fix = fixes.get(cells[ID])
        try:
            if cells[ID] not in held:
                raise ValueError(f"no selected row is {cells[ID] or 'without an id'}, or a line above has it")
            known = held.pop(cells[ID])
            if fix not in (None, PATCH):
                raise ValueError(
                    "the row needs no patch: " + ("it passes" if fix == RULE else "it is replaced")
                )
            if fix is None:
                patched[line] = _patched(table, known, cells, at)
        except ValueError as error:
            refused.append((line, str(error)))
    schema = bronze_schema(table).append(pa.field(ID, pa.string()))
    rows = pa.Table.from_pylist(list(patched.values()), schema=schema)
    refused += _broken(table, rows, list(patched), settings)
    if refused:
        lines = [f"{file}, line {line}: {what}" for line, what in sorted(refused)]
        more = f"; and {len(lines) - MOST_SHOWN} more" if len(lines) > MOST_SHOWN else ""
        raise DataFailure(
            f"the patch is refused: {'; '.join(lines[:MOST_SHOWN])}{more}. Nothing was replayed"
        )
    return rows


def _columns(table: SourceTable) -> list[str]:
    return ["raw"] if table.is_event else table.schema.names


def _lines(file: Path, table: SourceTable) -> Iterator[tuple[int, dict[str, str]]]:
    known = {ID, REASON, *_columns(table)}
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            reader = csv.DictReader(opened, restkey="", strict=True)
            header = reader.fieldnames or []
            if ID not in header or not known.issuperset(header):
                raise PermanentFailure(
                    f"{file}, line 1: its columns are {', '.join(header) or 'none'}; it needs {ID} and takes "
                    f"{', '.join(_columns(table))}; begin with the file that --export writes"
                )
            for cells in reader:
                if "" in cells or None in cells.values():
                    raise PermanentFailure(
                        f"{file}, line {reader.line_num}: its cells are not those of line 1"
                    )
                yield reader.line_num, cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PermanentFailure(f"--patch {file} cannot be read as CSV in UTF-8: {error}") from error


def _patched(
    table: SourceTable, known: dict[str, Any], cells: dict[str, str], at: dt.datetime
) -> dict[str, Any]:
    """The row with the cells' values. Raises ValueError, with what is wrong, if they cannot be taken."""
    mark = replay_mark(PATCH, cells[ID])
    if table.is_event:
        return known | {"raw": cells["raw"], mark_column(table): mark}
    values = {
        column.name: _value(column.name, column.type, column.arrow_type, cells[column.name])
        for column in table.columns
        if column.name in cells
    }
    for name in (table.key, table.cursor):
        if name in values and values[name] != known[name]:
            raise ValueError(f"{name} is {known[name]}: no patch may change it; correct the row in the shop")
    unreadable = json.loads(known[UNREADABLE] or "{}")
    left = {name: text for name, text in unreadable.items() if values.get(name) is None}
    unread = {UNREADABLE: json.dumps(left, separators=(",", ":")) if left else None}
    return known | values | unread | {READ_AT: at, mark_column(table): mark}


def _value(name: str, kind: str, arrow_type: pa.DataType, text: str) -> Any:
    try:
        return pa.scalar(text or None, pa.string()).cast(arrow_type).as_py()
    except pa.ArrowInvalid:
        raise ValueError(f"{name} {text} is no {kind}") from None


def _broken(
    table: SourceTable, rows: pa.Table, lines: list[int], settings: Settings
) -> list[tuple[int, str]]:
    """(line, what is wrong) of the rows that break a rule."""
    if not lines:
        return []
    place = ["source_file", "line_number"] if table.is_event else [table.key]
    line_of = dict(zip(zip(*(rows[each].to_pylist() for each in place), strict=True), lines, strict=True))
    return [
        (line_of[tuple(values)], f"breaks the rule {reason}")
        for reason, *values in rejected(rows, table.name, place, settings)
    ]


def _as_text(value: Any) -> str:
    return "" if value is None else value.isoformat() if isinstance(value, dt.date) else str(value)
