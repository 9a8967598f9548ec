"""A replay: rows leave quarantine after a changed rule, a fix in the source and a patch, and the marts are right."""

import csv
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from blocks.settings.failures import DataFailure, PermanentFailure
from flows.daily import daily_ecommerce_pipeline
from flows.rebuild import rebuild
from flows.replay import replay
from tasks.replay.patch import export
from tasks.replay.selection import Selection
from tests.properties.compare import lake_rows
from tests.support.contracts import changed_columns
from tests.support.platforms import Platform
from tests.support.rows import DAY, click, customer, order, product, put, write_clicks

pytestmark = pytest.mark.usefixtures("prefect_server")

ORDERS = Selection(table="orders")
CLICKS = Selection(table="clickstream", days=(DAY,))


def query(platform: Platform, statement: str) -> list[tuple]:
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        return connection.execute(statement).fetchall()


def write_patch(platform: Platform, file: Path, selection: Selection, **cells: str) -> Path:
    """A patch file as a person makes it from an export: the same cells in every line."""
    assert export(file, platform.lake, selection.table, selection.rows(platform.lake))
    with file.open(newline="") as opened:
        rows = [row | cells for row in csv.DictReader(opened)]
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return file


def counts_add_up(platform: Platform, table: str) -> None:
    """Every row of bronze is in silver, older than the row there, in quarantine, or on record as replayed."""
    bronze = len(lake_rows(platform.lake, f"bronze.{table}"))
    rows = query(
        platform,
        f"select sum(rows_out), sum(rows_duplicate), sum(rows_in) from ops.table_runs where table_name = '{table}'",
    )
    [(written, duplicates, rows_in)] = rows
    quarantined = len(lake_rows(platform.lake, f"quarantine.{table}"))
    [(replayed,)] = query(platform, f"select count(*) from ops.replayed_rows where table_name = '{table}'")
    assert rows_in == bronze
    assert bronze == written + duplicates + quarantined + replayed
    assert quarantined == query(platform, f"select count(*) from quarantine.{table}")[0][0]


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_rows_leave_quarantine_by_a_rule_the_source_and_a_patch_and_stay_out(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARANTINE_THRESHOLD", "0.5")
    put(platform, "customers", customer(1))
    put(platform, "products", product(1))
    put(platform, "orders", *(order(number) for number in range(1, 11)))
    put(platform, "orders", order(40, quantity=200), order(41, amount=Decimal(0)), order(42, status="lost"))
    put(platform, "orders", order(43, amount=Decimal(-1)))
    write_clicks(platform.clickstream, DAY, [click("a"), "{broken"])
    daily_ecommerce_pipeline(DAY)
    assert query(platform, "select key from quarantine.open_rows where key is not null order by key") == [
        ("40",), ("41",), ("42",), ("43",)
    ]  # fmt: skip

    patch = write_patch(
        platform,
        tmp_path / "orders.csv",
        Selection(table="orders", reasons=("amount_in_range",)),
        amount="-5",
    )
    before = {name: platform.lake.table(name).version() for name in platform.lake.tables()}
    with pytest.raises(DataFailure) as failure:
        replay(ORDERS, "as on the invoice", "ada", str(patch), dry_run=False)
    for line in (2, 3):
        assert f"{patch}, line {line}: breaks the rule amount_in_range" in str(failure.value)
    assert {name: platform.lake.table(name).version() for name in platform.lake.tables()} == before

    # 40 passes a wider rule, 42 is corrected where no cursor tells of it, 41 is patched; 43 waits.
    platform.execute("update orders set status = 'shipped' where order_id = 42")
    write_patch(platform, patch, Selection(table="orders", reasons=("amount_in_range",)), amount="25.50")
    patch.write_text("".join(line for line in patch.open() if ",43," not in line))
    with changed_columns("orders", "quantity", logicalTypeOptions={"minimum": 1, "maximum": 500}):
        replay(ORDERS, "as on the invoice", "ada", str(patch))
        assert {name: platform.lake.table(name).version() for name in platform.lake.tables()} == before
        replay(ORDERS, "as on the invoice", "ada", str(patch), dry_run=False)
        assert query(platform, "select order_id, order_amount from gold.fct_orders where order_id >= 40 order by 1") == [
            (40, Decimal("10.00")), (41, Decimal("25.50")), (42, Decimal("10.00"))
        ]  # fmt: skip
        assert query(platform, "select key from quarantine.orders") == [("43",)]
        assert query(platform, "select key, fix, person, reason from ops.replayed_rows order by key") == [
            ("40", "rule", "ada", "as on the invoice"),
            ("41", "patch", "ada", "as on the invoice"),
            ("42", "source", "ada", "as on the invoice"),
        ]
        assert query(platform, "select flow, decision, person from ops.overrides where flow = 'replay'") == [
            ("replay", "replay orders", "ada")
        ]
        counts_add_up(platform, "orders")

        lines = write_patch(platform, tmp_path / "clicks.csv", CLICKS, raw=click("mended"))
        replay(CLICKS, "cut by a full disk", "bob", str(lines), dry_run=False)
        assert query(platform, "select event_id from silver.clickstream order by 1") == [("a",), ("mended",)]
        assert query(platform, "select count(*) from quarantine.clickstream") == [(0,)]
        counts_add_up(platform, "clickstream")

        # That run's gate has compared the marts with a source that still says 0. A rebuild judges all of bronze.
        marts = query(platform, "select order_id, order_amount from gold.fct_orders order by 1")
        rebuild(DAY)
        assert query(platform, "select order_id, order_amount from gold.fct_orders order by 1") == marts
        assert query(platform, "select key from quarantine.open_rows") == [("43",)]
        assert query(platform, "select count(*) from quarantine.clickstream") == [(0,)]


def test_a_replay_without_a_reason_changes_nothing(platform: Platform) -> None:
    replay(ORDERS, dry_run=False)
    assert platform.lake.tables() == []
    with pytest.raises(
        PermanentFailure, match="--table nowhere: there is no such table; there are customers"
    ):
        replay(Selection(table="nowhere"))
