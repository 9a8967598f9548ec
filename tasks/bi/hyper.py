"""Tableau extracts (.hyper): a mart as one file, read and written row by row."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pantab

from tasks.bi.semantic_layer import Column, Mart
from tasks.bi.tds import TABLE, extract_columns
from tasks.warehouse.interface import Session

# The version of the file from which decimals may have more than 18 digits: Tableau 2023.1 and newer.
FILE_VERSION = "3"


def write_extract(session: Session, mart: Mart, path: Path) -> None:
    """Write a mart's rows, all of them, in its order of columns; a file that is there is replaced."""
    columns = ", ".join(map(_value, extract_columns(mart)))
    rows = session.rows(f"select {columns} from gold.{mart.name}")
    path.unlink(missing_ok=True)
    with TemporaryDirectory() as log:
        pantab.frames_to_hyper({TABLE: rows}, path, process_params=_process(log))


def query_extract(path: Path, sql: str) -> list[tuple]:
    """The answer of Hyper itself to a query on an extract."""
    with TemporaryDirectory() as log:
        found = pantab.frame_from_hyper_query(
            path, sql, return_type="pyarrow", process_params=_process(log)
        ).to_pylist()
    return [tuple(row.values()) for row in found]


def _process(log: str) -> dict[str, str]:
    # Otherwise it leaves its log where the run was started.
    return {"log_dir": log, "default_database_version": FILE_VERSION}


def _value(column: Column) -> str:
    # Sums of whole numbers are wide decimals in some warehouses, and would be fractions to Tableau.
    return f"cast({column.name} as bigint) as {column.name}" if column.kind == "whole" else column.name
