"""A damaged lake: what is wrong is named, with the command that mends it; a lake that is whole is left alone."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from blocks.settings.failures import PermanentFailure
from lake.delta import Lake
from tasks.restore.damage import damaged_tables, remedies
from tests.support.platforms import Platform
from tests.support.recorded_runs import ledger, pipeline

COMMITS = 3


def make(lake: Lake, name: str) -> Path:
    """A table with some commits; returns its folder."""
    for number in range(COMMITS):
        write_deltalake(lake.uri(name), pa.table({"id": [number]}), mode="append")
    return Path(lake.uri(name).removeprefix("file://"))


def cut_file(table: Path) -> None:
    file = sorted(table.glob("*.parquet"))[0]
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def lose_file(table: Path) -> None:
    sorted(table.glob("*.parquet"))[0].unlink()


def cut_log(table: Path) -> None:
    file = sorted((table / "_delta_log").glob("*.json"))[-1]
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def lose_commit(table: Path) -> None:
    (table / "_delta_log" / f"{1:020}.json").unlink()


def lose_log(table: Path) -> None:
    for file in (table / "_delta_log").iterdir():
        file.unlink()


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (cut_file, "cannot be read"),
        (lose_file, "is gone"),
        (cut_log, "its log cannot be read"),
        (lose_commit, "its log cannot be read"),
        (lose_log, "its log is gone"),
    ],
)
def test_damage_is_named_with_its_table(lake: Lake, harm: Callable[[Path], None], says: str) -> None:
    make(lake, "silver.customers")
    harm(make(lake, "silver.orders"))
    found = damaged_tables(lake)
    assert list(found) == ["silver.orders"]
    assert says in found["silver.orders"]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("bronze.orders", "python -m flows.restore bronze.orders --from copy (or --from source)"),
        ("silver.orders", "python -m flows.restore silver.orders --from bronze"),
        ("gold.daily_sales", "python -m flows.restore gold.daily_sales --from bronze"),
        ("ops.overrides", "python -m flows.restore ops.overrides --from copy"),
        ("flagged.orders", "delete the folder"),
    ],
)
def test_each_kind_of_table_has_its_remedy(lake: Lake, name: str, command: str) -> None:
    cut_file(make(lake, name))
    [sentence] = remedies(lake)
    assert sentence.startswith(f"{name} is damaged: ")
    assert command in sentence


def test_a_lake_that_is_whole_or_not_there_has_none(lake: Lake) -> None:
    assert damaged_tables(lake) == {}
    make(lake, "silver.orders")
    assert damaged_tables(lake) == {}


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("is_damaged", [True, False])
def test_a_run_that_meets_damage_names_the_command_and_another_error_stays_itself(
    platform: Platform, is_damaged: bool
) -> None:
    table = make(platform.lake, "silver.orders")

    def fails_on_a_file() -> None:
        raise ValueError("Parquet magic bytes not found")

    if is_damaged:
        cut_file(table)
    with pytest.raises(PermanentFailure if is_damaged else ValueError) as failure:
        pipeline(fails_on_a_file)()
    assert ("python -m flows.restore silver.orders --from bronze" in str(failure.value)) == is_damaged
    [(status, _, error, *_)] = ledger(platform)
    assert status == "failed"
    assert ("flows.restore" in error) == is_damaged
    assert "Parquet magic bytes not found" in error
