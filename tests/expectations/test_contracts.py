"""The contract of the sources: what stops a run before anything is written, and what is only reported."""

import pytest

from blocks.settings.failures import DataFailure, PermanentFailure
from blocks.settings.settings import Settings
from tasks.ingest.postgres import check_contracts
from tests.support.platforms import Platform
from tests.support.rows import order, put


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        pytest.param(
            "alter table orders add column coupon text", "orders.coupon (text) is new", id="a new column"
        ),
        pytest.param(
            "alter table products alter column product_name type varchar(80)", None, id="varchar is text"
        ),
        pytest.param("alter table orders alter column amount set default 1", None, id="a default"),
        pytest.param("select 1", None, id="no change"),
    ],
)
def test_a_harmless_change_goes_on(platform: Platform, change: str, warning: str | None) -> None:
    platform.execute(change)
    warnings = check_contracts.fn(Settings())
    found = [text for texts in warnings.values() for text in texts]
    assert len(found) == (warning is not None)
    assert warning is None or found[0].startswith(warning)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(
            "alter table orders drop column status",
            "orders.status is gone (the contract promises text)",
            id="dropped",
        ),
        pytest.param(
            "alter table orders rename column quantity to pieces", "orders.quantity is gone", id="renamed"
        ),
        pytest.param(
            "alter table orders alter column quantity type text",
            "orders.quantity is text, which cannot be read as integer without loss",
            id="a number as text",
        ),
        pytest.param(
            "alter table customers alter column updated_at type timestamp",
            "customers.updated_at is timestamp without time zone",
            id="no time zone",
        ),
        pytest.param(
            "alter table products alter column unit_cost type double precision",
            "products.unit_cost is double precision",
            id="money as a float",
        ),
    ],
)
def test_a_break_stops_everything_before_anything_is_written(
    platform: Platform, change: str, sentence: str
) -> None:
    put(platform, "orders", order(1))
    platform.execute(change)
    with pytest.raises(DataFailure) as failure:
        check_contracts.fn(Settings())
    assert sentence in str(failure.value)
    assert "Nothing was extracted" in str(failure.value)
    assert not (platform.folder / "lake").exists()


def test_every_break_is_named_at_once(platform: Platform) -> None:
    platform.execute("alter table orders drop column status")
    platform.execute("alter table customers drop column customer_id")
    with pytest.raises(DataFailure, match=r"customers\.customer_id is gone.*orders\.status is gone"):
        check_contracts.fn(Settings())


def test_a_missing_table_is_permanent_and_says_what_to_do(platform: Platform) -> None:
    platform.execute("drop table products")
    with pytest.raises(PermanentFailure, match=r"table products is missing.*SHOP_QUERIES/products\.sql"):
        check_contracts.fn(Settings())
