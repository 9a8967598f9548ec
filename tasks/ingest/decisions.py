"""What a person has decided about a run: deletes that are meant, and rows to read once more."""

import csv
import datetime as dt
import re

from psycopg2 import sql
from pydantic import BaseModel

from blocks.settings.failures import PermanentFailure
from lake.catalog import shop_tables
from tasks.ingest.comparison import later_condition
from tasks.ingest.corrections import key_condition
from tasks.shop.relation import SQL, Relation

REREAD = re.compile(r"(?P<table>\w+)(?::(?P<column>\w+)=(?P<values>.+))?")


def command(flow: str, ds: dt.date | str | None, *decisions: str) -> str:
    """The command that runs a day's flow again with these decisions, for messages."""
    return f'`python -m flows.{flow} {ds or "<day>"} {" ".join(decisions)} --reason "…"`'


class Decisions(BaseModel, frozen=True):
    """The decisions for one run, as the command line has them."""

    accept_deletes: tuple[str, ...] = ()
    """Tables of which any number of rows may be gone."""
    reread: tuple[str, ...] = ()
    """Rows to read again, whatever their cursor says: `orders`, `orders:order_date=2024-01-15,2024-01-16`."""
    accept_failed: tuple[str, ...] = ()
    """Suites whose critical expectations may fail, by their table or mart, and tests of dbt, by name."""
    reason: str = ""
    person: str = ""

    def check(self) -> None:
        """Raises PermanentFailure if a table or column does not exist, or if nobody says why, or who."""
        for name in self.accept_deletes:
            self._table(name)
        for text in self.reread:
            self._parts(text)
        if self.texts and not self.reason.strip():
            raise PermanentFailure('a decision goes on record: say why with --reason "…"')
        if self.texts and not self.person.strip():
            raise PermanentFailure("a decision goes on record: say who with --person NAME")

    @property
    def named(self) -> list[tuple[str, str, str]]:
        """(kind, what it is about, the decision in a few words) of each."""
        return [
            *(("accept-deletes", table, f"accept deletes of {table}") for table in self.accept_deletes),
            *(("accept-failed", name, f"accept that {name} fails") for name in self.accept_failed),
            *(("reread", rows, f"read {rows} again") for rows in self.reread),
        ]

    @property
    def texts(self) -> list[str]:
        """Each decision in a few words."""
        return [text for _, _, text in self.named]

    def reread_condition(self, relation: Relation, end: dt.datetime) -> sql.Composable | None:
        """The rows of this table to read again, without those of the next run; None if there are none."""
        conditions: list[sql.Composable] = []
        for text in self.reread:
            table, column, values = self._parts(text)
            if table != relation.table.name:
                continue
            if column is None:
                conditions.append(SQL("true"))
            elif column == relation.table.key:
                conditions.append(key_condition(relation, values))
            else:
                conditions.append(
                    SQL("{}::text = any({})").format(relation.value(column), sql.Literal(values))
                )
        if not conditions:
            return None
        return SQL("({}) and not {}").format(SQL(" or ").join(conditions), later_condition(relation, end))

    def _parts(self, text: str) -> tuple[str, str | None, list[str]]:
        found = REREAD.fullmatch(text)
        if found is None:
            raise PermanentFailure(
                f"--reread {text} cannot be read; write <table>, or <table>:<column>=<value>,<value>"
            )
        columns = self._table(found["table"])
        if found["column"] and found["column"] not in columns:
            raise PermanentFailure(
                f"--reread {text}: {found['table']} has no column {found['column']}; "
                f"it has {', '.join(columns)}"
            )
        # A value with a comma is quoted, as in CSV.
        return found["table"], found["column"], next(csv.reader([found["values"] or ""]))

    @staticmethod
    def _table(name: str) -> list[str]:
        tables = shop_tables()
        if name not in tables:
            raise PermanentFailure(f"there is no source table {name}; there are {', '.join(tables)}")
        return tables[name].schema.names
