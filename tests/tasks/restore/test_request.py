"""What can be asked of a restore, and what each refusal says."""

import datetime as dt
from typing import Any

import pytest

from blocks.settings.failures import PermanentFailure
from lake.delta import Lake
from tasks.restore.plan import plan_restore
from tasks.restore.request import Restoration
from tests.support.platforms import Platform, here
from tests.tasks.restore.test_damage import make

MOMENT = dt.datetime(2024, 1, 15, 6, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("asked", "command"),
    [
        ({"what": "warehouse"}, "python -m flows.restore warehouse --from lake"),
        ({"what": "lake"}, "python -m flows.restore lake --from bronze"),
        ({"what": "silver.orders"}, "python -m flows.restore silver.orders --from bronze"),
        (
            {"what": "bronze.orders", "version": 3},
            "python -m flows.restore bronze.orders --from history --version 3",
        ),
        (
            {"what": "lake", "at": MOMENT},
            "python -m flows.restore lake --from history --at 2024-01-15T06:00:00+00:00",
        ),
    ],
)
def test_what_is_not_said_follows(asked: dict[str, Any], command: str) -> None:
    assert Restoration.of(**asked).command == command


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"what": "orders"}, "orders is no table"),
        ({"what": "flagged.orders"}, "flagged.orders is no table"),
        ({"what": "bronze.orders", "source": "bronze"}, "only from history, copy, source"),
        ({"what": "warehouse", "version": 1}, "only from lake, copy"),
        ({"what": "bronze.orders"}, "to a --version or --at a moment"),
        ({"what": "bronze.orders", "source": "copy", "version": 1}, "from elsewhere to neither"),
        ({"what": "bronze.orders", "version": 1, "at": MOMENT}, "to a --version or --at a moment"),
        ({"what": "lake", "source": "history", "version": 1}, "each table counts its own versions"),
    ],
)
def test_what_cannot_be_is_refused(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(PermanentFailure, match=says):
        Restoration.of(**asked)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"what": "bronze.nothing", "version": 0}, "the lake has no table bronze.nothing"),
        ({"what": "bronze.orders", "version": 9}, "has no version 9: its history goes from version 0"),
        ({"what": "bronze.orders", "at": MOMENT}, "has no version of 2024-01-15 06:00:00 UTC: its history"),
        ({"what": "bronze.orders", "source": "copy"}, "BACKUP_URI is not set"),
        ({"what": "warehouse", "source": "copy"}, "BACKUP_URI is not set"),
        ({"what": "bronze.customers", "version": 0}, "bronze.customers has no history"),
        ({"what": "lake", "source": "copy"}, "nothing to restore lake from copy"),
        ({"what": "lake", "at": MOMENT}, "nothing to restore lake from history"),
    ],
)
def test_what_is_not_there_is_said(platform: Platform, asked: dict[str, Any], says: str) -> None:
    make(platform.lake, "bronze.orders")
    with pytest.raises(PermanentFailure, match=says):
        plan_restore(Restoration.of(**asked), *here())


def test_a_plan_counts_rows_and_changes_nothing(platform: Platform) -> None:
    make(platform.lake, "bronze.orders")
    version = platform.lake.table("bronze.orders").version()
    [part] = plan_restore(Restoration.of("bronze.orders", version=0), *here()).parts
    assert (part.rows_now, part.rows_then, part.version) == (3, 1, 0)
    assert platform.lake.table("bronze.orders").version() == version


def test_files_that_maintenance_has_deleted_are_not_promised(platform: Platform) -> None:
    lake: Lake = platform.lake
    make(lake, "bronze.orders")
    table = lake.table("bronze.orders")
    table.optimize.compact()
    table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    with pytest.raises(PermanentFailure, match="files of version 1 are gone: maintenance keeps them for"):
        plan_restore(Restoration.of("bronze.orders", version=1), *here())
