"""The selection of a replay: quarantined rows by table, reason and day."""

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from blocks.settings.failures import PermanentFailure
from lake.catalog import spark_tables
from lake.delta import Lake
from lake.quarantine import QUARANTINE_SCHEMA


class Selection(BaseModel, frozen=True):
    """Rows of one table's quarantine; of any reason or day unless some are named."""

    table: str
    reasons: tuple[str, ...] = ()
    days: tuple[dt.date, ...] = ()

    def rows(self, lake: Lake) -> pa.Table:
        """The selected rows, as `quarantine.<table>` has them.

        Raises PermanentFailure if there is no such table, or if its quarantine has no row of a reason or day.
        """
        tables = spark_tables()
        if self.table not in tables:
            raise PermanentFailure(
                f"--table {self.table}: there is no such table; there are {', '.join(tables)}"
            )
        table = lake.table(f"quarantine.{self.table}")
        rows = table.to_pyarrow_table() if table else QUARANTINE_SCHEMA.empty_table()
        for option, column, wanted in (("reason", "reason", self.reasons), ("day", "ds", self.days)):
            held = rows[column].unique()
            for value in wanted:
                if value not in held.to_pylist():
                    there = ", ".join(sorted(map(str, held.to_pylist()))) or "nothing"
                    raise PermanentFailure(
                        f"--{option} {value}: quarantine.{self.table} has no such row; it has {there}"
                    )
        for column, wanted in (("reason", self.reasons), ("ds", self.days)):
            if wanted:
                rows = rows.filter(pc.is_in(rows[column], pa.array(wanted, rows[column].type)))
        return rows

    def __str__(self) -> str:
        return ", ".join([self.table, *self.reasons, *map(str, self.days)])
