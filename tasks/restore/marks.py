"""The marks of a lake table: how far it has read, which is right only beside the rows it had then.

They are application transactions in its Delta log. Delta's own restore leaves them as they are, ahead of the
rows: the next run would take for read what is gone.
"""

import itertools
from collections.abc import Iterator

from deltalake import DeltaTable

from blocks.settings.settings import Settings
from lake.catalog import catalog
from lake.delta import UNREAD
from spark_jobs.gold.job import SILVER
from tasks.ingest.bronze import COMPARED, COVERED
from tasks.inventory.silver import BRONZE as BRONZE_INVENTORY
from tasks.inventory.silver import PRODUCTS
from tasks.inventory.stock_changes import MARK as ALERT_NUMBER

# No topic has more partitions without an event between two that have some.
GAP = 100


def marks_of(name: str, table: DeltaTable, settings: Settings) -> dict[str, int]:
    """The marks in a version of a table."""
    return {
        mark: version
        for mark in _names(name, table, settings)
        if (version := table.transaction_version(mark)) is not None
    }


def marks_beside(name: str, then: DeltaTable, now: DeltaTable | None, settings: Settings) -> dict[str, int]:
    """The marks that are right beside the rows of `then`, in a table that is now as `now`."""
    known = marks_of(name, then, settings)
    present = marks_of(name, now, settings) if now else {}
    if name.startswith("ops."):
        # Numbers that have been given to alerts are not given twice.
        return known | present
    return dict.fromkeys(present, UNREAD) | known | _to_look_again(name)


def unread_marks(name: str, now: DeltaTable, settings: Settings) -> dict[str, int]:
    """The marks of a table whose rows are all to be read again."""
    return dict.fromkeys(marks_of(name, now, settings), UNREAD)


def readers(name: str) -> list[tuple[str, str]]:
    """(table, mark) of those that have read a table of bronze."""
    table = name.split(".")[1]
    if catalog()[table].source == "topic":
        return [("silver.inventory", BRONZE_INVENTORY), ("quarantine.inventory", BRONZE_INVENTORY)]
    return [(f"silver.{table}", "bronze")]


def _to_look_again(name: str) -> dict[str, int]:
    """What must be looked at as a whole: rows that no window shows, click files that came late."""
    layer, _, table = name.partition(".")
    if layer != "bronze":
        return {}
    return {"file": {COVERED: UNREAD}, "table": {COMPARED: UNREAD}}.get(catalog()[table].source, {})


def _names(name: str, table: DeltaTable, settings: Settings) -> Iterator[str]:
    layer, _, source = name.partition(".")
    is_topic = source in catalog() and catalog()[source].source == "topic"
    if layer == "bronze" and is_topic:
        topic, missed = f"kafka/{settings.inventory_topic}", 0
        yield topic
        for number in itertools.count():
            mark = f"{topic}/{number}"
            yield mark
            missed = 0 if table.transaction_version(mark) is not None else missed + 1
            if missed > GAP:
                return
    elif layer == "bronze":
        yield from (COVERED, COMPARED)
    elif layer in ("silver", "quarantine"):
        yield from (BRONZE_INVENTORY, PRODUCTS) if is_topic else ("bronze",)
    elif layer == "gold":
        yield from SILVER
    elif name == "ops.stock_alerts":
        yield ALERT_NUMBER
