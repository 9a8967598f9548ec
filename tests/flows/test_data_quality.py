"""The quality flow: it judges what people read, and changes nothing of it."""

from typing import Any

import duckdb
import pytest
from hand_made import DAY, click, customer, order, product, put, write_clicks

from blocks.failures import DataFailure, PermanentFailure
from flows.daily import daily_ecommerce_pipeline
from flows.data_quality import data_quality

pytestmark = pytest.mark.usefixtures("prefect_server")


def test_without_marts_it_says_what_to_run_first(platform: Any) -> None:
    with pytest.raises(PermanentFailure, match="no marts yet; run daily-ecommerce-pipeline first"):
        data_quality(DAY)


def test_good_marts_pass_and_a_mart_that_was_tampered_with_does_not(platform: Any) -> None:
    put(platform, "customers", customer(1))
    put(platform, "products", product(1))
    put(platform, "orders", *(order(number) for number in range(1, 21)))
    write_clicks(platform.clickstream, DAY, [click("e1")])
    daily_ecommerce_pipeline(DAY)
    data_quality(DAY)

    with duckdb.connect(platform.warehouse) as connection:
        connection.execute("update gold.fct_orders set order_amount = 11 where order_id = 7")
    with pytest.raises(DataFailure, match="2024-03-04"):
        data_quality(DAY)
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        assert connection.execute(
            "select order_amount from gold.fct_orders where order_id = 7"
        ).fetchall() == [(11,)]
        assert connection.execute(
            "select status, failed_step from ops.pipeline_runs where flow = 'data-quality' order by started_at"
        ).fetchall() == [("completed", None), ("failed", "quality-gold")]
