"""The reorder plan: terms and forecasts in the lake, the same in the warehouse, and what is missing said once."""

import datetime as dt
import logging
from decimal import Decimal
from typing import Any

import pytest

from blocks.settings.extras import PACKAGES
from blocks.settings.settings import Settings
from lake.catalog import OPTIONAL_TABLES, catalog
from lake.contract import ContractError
from tasks.inventory.reorder_points import Product, read_products
from tasks.reorder import plan
from tasks.reorder.plan import plan_if_wanted, write_plan
from tasks.reorder.policy_table import LAKE_NAME, read_policies
from tasks.restore.damage import drop
from tasks.warehouse.access import staged_warehouse
from tasks.warehouse.load import load_warehouse
from tests.support.platforms import Platform
from tests.support.rows import DAY, at, order, product
from tests.support.silver_tables import Silver


@pytest.fixture
def silver(platform: Platform) -> Silver:
    """Product 1 sells 2 a day for 100 days, product 2 is new."""
    made = Silver(platform)
    made.append("silver.products", product(1), product(2))
    days = [DAY - dt.timedelta(days=number) for number in range(100)]
    orders = [order(n, quantity=2, order_date=day) for n, day in enumerate(days, 1)]
    made.append("silver.orders", *orders, order(999, product_id=2, quantity=7))
    return made


@pytest.fixture
def optional(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shop has the table replenishment."""
    monkeypatch.setenv(OPTIONAL_TABLES, "replenishment")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the log of a run would say."""
    monkeypatch.setattr(plan, "get_run_logger", logging.getLogger)
    return caplog


def agree(silver: Silver, product_id: int, **terms: Any) -> None:
    """Terms of a product's supplier."""
    row = {"product_id": product_id, "updated_at": at(DAY), **terms}
    silver.append("silver.replenishment", row, schema=catalog()["replenishment"].silver_schema)


def policies(silver: Silver) -> dict[int, dict[str, Any]]:
    return {row["product_id"]: row for row in read_policies(silver.lake).to_pylist()}


def test_a_run_that_is_asked_for_nothing_plans_nothing(silver: Silver) -> None:
    assert plan_if_wanted(Settings(), silver.lake) is None
    assert silver.lake.table(LAKE_NAME) is None


def test_a_product_with_a_history_has_a_forecast(silver: Silver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REORDER_FORECAST", "true")
    assert write_plan(Settings(), silver.lake) == 1
    [found] = policies(silver).values()
    assert (found["product_id"], found["forecast_model"], found["forecast_date"]) == (1, "weekdays", DAY)
    assert found["forecast_per_day"] == Decimal("2.0000")
    # 16 pieces in eight days, and what a Poisson of them may be more; up to it, a week's 14.
    assert found["order_up_to"] - found["reorder_point"] == 14
    assert 16 < found["reorder_point"] < 26
    version = silver.lake.table(LAKE_NAME).version()
    write_plan(Settings(), silver.lake)
    assert silver.lake.table(LAKE_NAME).version() == version, "a plan that is the same is not written"


def test_terms_of_the_supplier_count_with_and_without_a_forecast(
    silver: Silver, optional: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(silver, 1, lead_time_days=Decimal(14), pack_size=6, service_level=Decimal("0.99"))
    agree(silver, 2, minimum_order=50, on_order=3)
    assert write_plan(Settings(), silver.lake) == 2
    assert policies(silver)[1]["reorder_point"] is None
    products = read_products(silver.lake, Settings())
    # 2 a day for 14 days and 3 in reserve; product 2's 7 pieces are a quarter a day over 28 days.
    assert (products[1].reorder_point, products[1].order_up_to) == (34, 48)
    assert products[1].quantity_to_order(33) == 18
    assert products[1].quantity_to_order(34) == 0
    assert (products[2].reorder_point, products[2].on_order) == (3, 3)
    assert products[2].quantity_to_order(0) == 0

    monkeypatch.setenv("REORDER_FORECAST", "true")
    monkeypatch.setenv("SERVICE_LEVEL", "0.9")
    assert write_plan(Settings(), silver.lake) == 2
    found = policies(silver)
    assert found[1]["reorder_point"] > 34
    assert (found[2]["forecast_model"], found[2]["minimum_order"]) == (None, 50)
    assert read_products(silver.lake, Settings())[1].reorder_point == found[1]["reorder_point"]


def test_without_the_extra_it_says_so_and_has_the_terms_alone(
    silver: Silver, optional: None, monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture
) -> None:
    agree(silver, 1, pack_size=6)
    monkeypatch.setenv("REORDER_FORECAST", "true")
    monkeypatch.setitem(PACKAGES, "ml", ("sklearn", "not_installed"))
    assert write_plan(Settings(), silver.lake) == 1
    assert [record.getMessage() for record in said.records][-1:] == [
        "reorder points by the 28-day rule: the extra ml is missing (not_installed); install it: `make ml`, or "
        "`pip install --no-deps --require-hashes -r requirements-ml.txt`"
    ]
    assert policies(silver)[1]["reorder_point"] is None


def test_an_old_forecast_is_not_used(silver: Silver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REORDER_FORECAST", "true")
    write_plan(Settings(), silver.lake)
    by_forecast = policies(silver)[1]["reorder_point"]
    silver.append("silver.orders", order(2000, product_id=2, order_date=DAY + dt.timedelta(days=7)))
    assert read_products(silver.lake, Settings())[1].reorder_point == by_forecast
    silver.append("silver.orders", order(2001, product_id=2, order_date=DAY + dt.timedelta(days=8)))
    # 20 of the 28 days had 2 pieces each, for 10 days.
    assert read_products(silver.lake, Settings())[1].reorder_point == 15


def test_the_warehouse_has_the_plan_and_an_empty_table_without(
    silver: Silver, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "select product_id, reorder_point, load_id from ops.reorder_policy"
    with staged_warehouse(Settings()) as warehouse:
        first = load_warehouse.fn(warehouse, silver.lake)
        with warehouse.session() as session:
            assert session.rows(query).read_all().num_rows == 0
        monkeypatch.setenv("REORDER_FORECAST", "true")
        write_plan(Settings(), silver.lake)
        second = load_warehouse.fn(warehouse, silver.lake)
        load_warehouse.fn(warehouse, silver.lake)
        with warehouse.session() as session:
            [row] = session.rows(query).read_all().to_pylist()
    assert (row["product_id"], row["load_id"]) == (1, second.load_id)
    assert second.load_id == first.load_id + 1


def test_a_plan_that_was_made_anew_is_loaded_though_its_version_is_the_same(
    silver: Silver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restore, which may delete the lake's table: it counts its versions from 0 again."""
    monkeypatch.setenv("REORDER_FORECAST", "true")
    write_plan(Settings(), silver.lake)
    before, version = policies(silver)[1]["reorder_point"], silver.lake.table(LAKE_NAME).version()
    with staged_warehouse(Settings()) as warehouse:
        load_warehouse.fn(warehouse, silver.lake)
        drop(silver.lake, LAKE_NAME)
        days = [DAY - dt.timedelta(days=number) for number in range(100)]
        silver.append(
            "silver.orders", *(order(3000 + n, quantity=9, order_date=day) for n, day in enumerate(days))
        )
        write_plan(Settings(), silver.lake)
        after = policies(silver)[1]["reorder_point"]
        assert (silver.lake.table(LAKE_NAME).version(), after > before) == (version, True)
        load_warehouse.fn(warehouse, silver.lake)
        with warehouse.session() as session:
            held = session.rows("select reorder_point from ops.reorder_policy").read_all()["reorder_point"]
    assert held.to_pylist() == [after]


def test_an_optional_table_that_is_not_known_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "replenishment" not in catalog()
    monkeypatch.setenv(OPTIONAL_TABLES, "replenishment, suppliers")
    with pytest.raises(ContractError, match="suppliers has no contract; there are: replenishment"):
        catalog()


@pytest.mark.parametrize(
    ("on_hand", "pieces"),
    [
        pytest.param(15, 0, id="at the point"),
        pytest.param(14, 24, id="below it: 16 up to 30, in dozens"),
        pytest.param(0, 36, id="nothing left"),
    ],
)
def test_what_is_ordered_is_whole_packs(on_hand: int, pieces: int) -> None:
    made = Product(
        product_id=1, product_name=None, units_per_day=1, reorder_point=15, order_up_to=30, pack_size=12
    )
    assert made.quantity_to_order(on_hand) == pieces
    assert made.model_copy(update={"on_order": 15}).quantity_to_order(on_hand) == 0
    small = made.model_copy(update={"minimum_order": 40})
    assert small.quantity_to_order(on_hand) == (48 if pieces else 0)
