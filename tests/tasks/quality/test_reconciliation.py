"""The money gate: the source's audited totals against gold, the board and the lake."""

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from blocks.settings.failures import DataFailure
from lake.catalog import catalog
from tasks.ingest.postgres import extract_table
from tasks.quality.gate import stop_on_critical
from tasks.quality.validation import validate_gold
from tasks.warehouse.duckdb import DuckDBWarehouse
from tests.support.platforms import Platform, here
from tests.support.rows import DAY, NEXT_DAY, at, order, put

MONEY = pa.decimal128(18, 2)
FIRST = DAY - dt.timedelta(days=1)
# Two orders of one day that differ in amount, and one of the day before.
ORDERS = [
    order(1, amount=Decimal("10.10")),
    order(2, amount=Decimal("0.05")),
    order(3, amount=Decimal("7.00"), order_date=FIRST),
]


class Books:
    """A shop with ORDERS, an extract of it, and gold in warehouse and lake as a faultless run leaves them."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        put(platform, "orders", *ORDERS)
        self.execute(
            "create schema gold",
            "create schema quarantine",
            "create table gold.fct_orders (order_id bigint, order_date date, order_amount decimal(12, 2),"
            " deleted_at timestamp)",
            "create table gold.agg_daily_sales (order_date date, total_revenue decimal(18, 2))",
            "create table quarantine.open_rows (source varchar, key varchar, raw json)",
        )
        for row in ORDERS:
            self.execute(
                "insert into gold.fct_orders (order_id, order_date, order_amount) "
                f"values ({row['order_id']}, '{row['order_date']}', {row['amount']})"
            )

    def execute(self, *statements: str) -> None:
        with duckdb.connect(self.platform.warehouse) as connection:
            for statement in statements:
                connection.execute(statement)

    def aggregate(self) -> None:
        """Bring the board and the lake's gold up to the facts."""
        self.execute(
            "delete from gold.agg_daily_sales",
            "insert into gold.agg_daily_sales "
            "select order_date, sum(order_amount) from gold.fct_orders group by 1",
        )
        with duckdb.connect(self.platform.warehouse) as connection:
            rows = connection.execute("select order_date, total_revenue from gold.agg_daily_sales").fetchall()
        self.lake_gold("daily_sales", "total_revenue", dict(rows))
        self.lake_gold("daily_segment_sales", "total_revenue", dict(rows))

    def lake_gold(self, table: str, column: str, amounts: dict[dt.date, Decimal]) -> None:
        schema = pa.schema([("order_date", pa.date32()), (column, MONEY)])
        rows = [{"order_date": date, column: amount} for date, amount in amounts.items()]
        write_deltalake(
            self.platform.lake.uri(f"gold.{table}"),
            pa.Table.from_pylist(rows, schema=schema),
            mode="overwrite",
        )

    def open_row(self, order_id: int, amount: str | None, date: dt.date = DAY) -> None:
        """An order whose newest version, with this amount, is open in quarantine."""
        raw = {"order_id": order_id, "order_date": date.isoformat()} | ({"amount": amount} if amount else {})
        self.execute(f"insert into quarantine.open_rows values ('orders', '{order_id}', '{json.dumps(raw)}')")

    def validate(self, ds: dt.date = DAY) -> list[str]:
        """Extract and validate; returns the failed expectations."""
        extract_table.fn("orders", ds, *here())
        results = validate_gold.fn(
            "order_totals",
            DuckDBWarehouse(self.platform.warehouse, self.platform.warehouse),
            ds,
            "run",
            *here(),
        )
        return [result.expectation for result in results if not result.is_success]


@pytest.fixture
def books(platform: Platform) -> Books:
    return Books(platform)


SOURCE, BOARD, LAKE_SALES, LAKE_SEGMENTS = (
    "B=gold_amount",
    "B=sales_amount",
    "B=lake_sales_amount",
    "B=lake_segments",
)

Fault = Callable[[Books], object]


def patched(books: Books) -> None:
    """Order 9, which the shop gives away, is patched to 5.00 in bronze; gold has the patch."""
    put(books.platform, "orders", order(9, amount=Decimal(0)))
    extract_table.fn("orders", DAY, *here())
    schema = catalog()["orders"].bronze_schema
    patch = order(9, amount=Decimal("5.00"), read_at=dt.datetime.now(dt.UTC), replay_of="patch q9")
    write_deltalake(
        books.platform.lake.uri("bronze.orders"),
        pa.Table.from_pylist([patch], schema=schema),
        mode="append",
    )
    books.execute(f"insert into gold.fct_orders values (9, '{DAY}', 5.00, null)")


HARMLESS: dict[str, Fault] = {
    "nothing": lambda books: None,
    "an order that a person has patched": patched,
    "an order that gold keeps although it is gone": lambda books: books.execute(
        f"insert into gold.fct_orders values (9, '{DAY}', 5.00, '{DAY} 12:00:00')"
    ),
    "an order changed at the source after the day": lambda books: put(
        books.platform, "orders", order(1, amount=Decimal("99.00"), updated_at=at(NEXT_DAY))
    ),
    "a new order after the day": lambda books: put(
        books.platform, "orders", order(9, amount=Decimal("5.00"), updated_at=at(NEXT_DAY))
    ),
    "a new order in quarantine": lambda books: (
        put(books.platform, "orders", order(9, amount=Decimal("-5.00"))),
        books.open_row(9, "-5.00"),
    ),
    "the newest version in quarantine, an older one in gold": lambda books: (
        put(books.platform, "orders", order(1, amount=Decimal("2000000.00"))),
        books.open_row(1, "2000000.00"),
    ),
    "in quarantine without an amount": lambda books: (
        put(books.platform, "orders", order(9, amount=None)),
        books.open_row(9, None),
    ),
    "in quarantine with NaN": lambda books: (
        put(books.platform, "orders", order(9, amount=Decimal("NaN"))),
        books.open_row(9, None),
    ),
    "in quarantine, then changed after the day": lambda books: (
        put(books.platform, "orders", order(9, amount=Decimal("5.00"), updated_at=at(NEXT_DAY))),
        books.open_row(9, "-5.00"),
    ),
    "a rejected row without a key": lambda books: books.execute(
        "insert into quarantine.open_rows values ('orders', null, '{}')"
    ),
    "rejected rows of other tables": lambda books: books.execute(
        "insert into quarantine.open_rows values ('clickstream', 'not-a-number', 'null')"
    ),
}
HARMFUL: dict[str, Fault] = {
    "an order lost": lambda books: books.execute("delete from gold.fct_orders where order_id = 1"),
    "all orders of a day lost": lambda books: books.execute("delete from gold.fct_orders where order_id = 3"),
    "an order doubled": lambda books: books.execute(
        "insert into gold.fct_orders from gold.fct_orders where order_id = 2"
    ),
    "a cent changed": lambda books: books.execute(
        "update gold.fct_orders set order_amount = 10.11 where order_id = 1"
    ),
    "moved to another day": lambda books: books.execute(
        f"update gold.fct_orders set order_date = '{FIRST}' where order_id = 1"
    ),
    "an order of nowhere": lambda books: books.execute(
        "insert into gold.fct_orders (order_id, order_date, order_amount) values (77, '2001-01-01', 1.00)"
    ),
    "an order without an updated_at": lambda books: put(
        books.platform, "orders", order(9, amount=Decimal("5.00"), updated_at=None)
    ),
    "a patch that a newer version in the source has replaced": lambda books: (
        patched(books),
        put(books.platform, "orders", order(9, amount=Decimal("8.00"), updated_at=at(DAY, 13))),
    ),
    "quarantined, but another amount than the source's": lambda books: (
        put(books.platform, "orders", order(9, amount=Decimal("-5.00"))),
        books.open_row(9, "-6.00"),
    ),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_the_gate_stays_quiet(books: Books, what: str) -> None:
    HARMLESS[what](books)
    books.aggregate()
    assert books.validate() == []


@pytest.mark.parametrize("what", HARMFUL)
def test_the_gate_fires_when_gold_is_not_the_source(books: Books, what: str) -> None:
    HARMFUL[what](books)
    books.aggregate()
    failed = books.validate()
    assert len(failed) == 1
    assert SOURCE in failed[0]


@pytest.mark.parametrize(
    ("fault", "fails"),
    [
        pytest.param(
            lambda b: b.execute("update gold.agg_daily_sales set total_revenue = total_revenue + 0.01"),
            BOARD,
            id="board",
        ),
        pytest.param(
            lambda b: b.execute("delete from gold.agg_daily_sales where total_revenue = 7.00"),
            BOARD,
            id="board lost a day",
        ),
        pytest.param(
            lambda b: b.lake_gold("daily_sales", "total_revenue", {DAY: Decimal("10.15")}),
            LAKE_SALES,
            id="lake sales",
        ),
        pytest.param(
            lambda b: b.lake_gold(
                "daily_segment_sales", "total_revenue", {DAY: Decimal("10.14"), FIRST: Decimal("7.00")}
            ),
            LAKE_SEGMENTS,
            id="lake segments",
        ),
    ],
)
def test_the_gate_fires_when_an_aggregate_is_not_the_facts(books: Books, fault: Fault, fails: str) -> None:
    books.aggregate()
    fault(books)
    failed = books.validate()
    assert len(failed) == 1
    assert fails in failed[0]


def test_an_old_day_again_is_compared_as_of_that_day(books: Books) -> None:
    """Orders of later days are in gold by then, and newer than the old day's window at the source."""
    later = order(9, amount=Decimal("5.00"), order_date=NEXT_DAY)
    put(books.platform, "orders", later)
    books.execute(f"insert into gold.fct_orders values (9, '{NEXT_DAY}', 5.00, null)")
    books.aggregate()
    assert books.validate(NEXT_DAY) == []
    assert books.validate(DAY) == []


def test_the_gate_names_date_and_consequence_and_stops_the_run(books: Books) -> None:
    books.execute("delete from gold.fct_orders where order_id = 3")
    books.aggregate()
    extract_table.fn("orders", DAY, *here())
    results = validate_gold.fn(
        "order_totals",
        DuckDBWarehouse(books.platform.warehouse, books.platform.warehouse),
        DAY,
        "run",
        *here(),
    )
    with pytest.raises(DataFailure) as failure:
        stop_on_critical.fn(results)
    sentence = str(failure.value)
    assert "order_totals" in sentence
    assert "1 of 2 rows" in sentence
    assert str(FIRST) in sentence
    assert "gold has lost, doubled or missed orders of these dates" in sentence
