"""A day of a shop that takes away all there is: features, forecasts, terms, extracts, events.

And where, after it, a person can be found: the places that docs/security.md lists, and no other.
"""

import datetime as dt
import json
import logging
import os
from collections.abc import Iterator
from decimal import Decimal

import duckdb
import pytest
from deltalake import DeltaTable
from kafka import KafkaProducer

from blocks.settings.settings import Settings
from demo.services.browser import open_browser
from flows.daily import daily_ecommerce_pipeline
from flows.inventory import inventory
from lake.catalog import OPTIONAL_TABLES
from tasks.bi.explore import PAGE
from tasks.bi.files import build_files
from tasks.bi.hyper import query_extract
from tasks.transform.dbt_sources import write_sources
from tests.support.fake_tableau import FakeTableau, fields, open_tableau
from tests.support.openlineage_events import check_events, outline
from tests.support.platforms import Broker, Platform
from tests.support.receivers import Webhook
from tests.support.rows import DAY, at, click, customer, order, product, put, write_clicks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.usefixtures("prefect_server")]

JOB = "daily-ecommerce-pipeline"
STEPS = [
    *("extract", "quality-bronze", "plan-reorders", "transform", "refresh-features", "dbt-build"),
    *("quality-gold", "publish-warehouse", "write-report", "write-extracts"),
]
PERSON = "Zelda Quillfeather"
MARTS = ("customer_segments", "dim_customers", "fct_orders")
# In the files of the lake, in the warehouse, and in any other file.
PLACES = {
    *("bronze.customers", "bronze.clickstream", "flagged.customers", "flagged.clickstream"),
    *("silver.customers", "silver.clickstream", "quarantine.clickstream", "snapshots.snap_customers"),
    *(f"{layer}.{mart}" for layer in ("gate", "gold") for mart in MARTS),
}


@pytest.fixture
def tableau() -> Iterator[FakeTableau]:
    with open_tableau() as opened:
        yield opened


@pytest.fixture
def terms(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The shop has the table replenishment, from before its database is made."""
    monkeypatch.setenv(OPTIONAL_TABLES, "replenishment")
    yield
    monkeypatch.delenv(OPTIONAL_TABLES)
    # A run writes dbt's page of sources, which is in the repository.
    write_sources()


@pytest.fixture
def shop(
    terms: None,
    platform: Platform,
    kafka: Broker,
    webhook: Webhook,
    tableau: FakeTableau,
    monkeypatch: pytest.MonkeyPatch,
) -> Platform:
    """A shop with everything on: product 1 has sold two a day for 100 days, and comes in packs of six."""
    events = {"type": "file", "log_file_path": str(platform.folder / "events.jsonl"), "append": True}
    given = fields(tableau)
    for name, value in {
        "FEATURE_TABLES": "true",
        "REORDER_FORECAST": "true",
        "TABLEAU_EXTRACTS": "true",
        "TABLEAU_SERVER_URL": given.tableau_server_url,
        "TABLEAU_PROJECT": given.tableau_project,
        "TABLEAU_TOKEN_NAME": given.tableau_token_name,
        "TABLEAU_TOKEN": given.tableau_token.get_secret_value(),
        "OPENLINEAGE__TRANSPORT": json.dumps(events),
        "KAFKA_BOOTSTRAP_SERVERS": kafka.address,
        "INVENTORY_TOPIC": kafka.make_topic(partitions=1),
        "SLACK_WEBHOOK_URL": f"{webhook.url}/slack",
    }.items():
        monkeypatch.setenv(name, value)
    put(platform, "customers", customer(1, customer_name=PERSON), customer(2))
    put(platform, "products", product(1), product(2))
    days = [DAY - dt.timedelta(days=number) for number in range(100)]
    put(platform, "orders", *(order(n, order_date=day, quantity=2) for n, day in enumerate(days, 1)))
    put(
        platform,
        "replenishment",
        {"product_id": 1, "lead_time_days": 14, "pack_size": 6, "updated_at": at(DAY)},
    )
    clicks = [click(f"e{number}", user_id=PERSON) for number in range(40)]
    write_clicks(platform.clickstream, DAY, [*clicks, click("late", user_id=PERSON, timestamp="yesterday")])
    return platform


def rows(shop: Platform, statement: str) -> list[tuple]:
    with duckdb.connect(shop.warehouse, read_only=True) as connection:
        return connection.execute(statement).fetchall()


def places(shop: Platform) -> set[str]:
    """Where the person is: tables of the lake and of the warehouse, and other files the pipeline wrote."""
    lake = shop.folder / "lake"
    tables = {f"{log.parents[1].name}.{log.parent.name}": log.parent for log in lake.rglob("_delta_log")}
    held = {name: DeltaTable(path).to_pyarrow_table().to_pylist() for name, path in tables.items()}
    found = {name for name, content in held.items() if PERSON in str(content)}
    names = "select schema_name || '.' || table_name from duckdb_tables() where not internal"
    for (name,) in rows(shop, names):
        if rows(shop, f"select 1 from {name} as t where contains(t::text, '{PERSON}') limit 1"):
            found.add(name)
    files = [file for file in shop.folder.rglob("*") if file.is_file() and not file.is_relative_to(lake)]
    ours = [file for file in files if not file.is_relative_to(shop.clickstream) and file != shop.warehouse]
    assert len(ours) > 20
    return found | {str(file) for file in ours if PERSON.encode() in file.read_bytes()}


def test_a_day_with_everything_on(
    shop: Platform, webhook: Webhook, tableau: FakeTableau, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        daily_ecommerce_pipeline(DAY)
    # Each of them goes on without what it cannot do, and says so.
    assert [
        each.getMessage()
        for each in caplog.records
        if each.getMessage().startswith(("no ", "reorder points by"))
    ] == []

    events = [json.loads(line) for line in (shop.folder / "events.jsonl").read_text().splitlines()]
    check_events(events)
    assert [job for state, job in outline(events) if state == "COMPLETE"] == [
        *(f"{JOB}.{step}" for step in STEPS),
        JOB,
    ]

    extracts = shop.folder / "bi" / "tableau" / "Data" / "Extracts"
    sold = {day: Decimal("10.00") for day in (DAY, DAY - dt.timedelta(days=99))}
    by_day = 'select "order_date", sum("order_amount") from "Extract"."Extract" group by 1'
    assert sold.items() <= dict(query_extract(extracts / "fct_orders.hyper", by_day)).items()
    assert tableau.published.keys() == {extract.stem for extract in extracts.iterdir()}

    # What a person without any of these tools sees.
    [folder] = build_files(Settings(), ["explore"])
    with open_browser(shop.folder / "chromium") as page:
        page.open(folder / PAGE, 1280, "document.getElementById('table')?.dataset.shown === '1'")
        shown = page.evaluate(
            "[...document.querySelectorAll('.tabulator-row')].map(row => "
            "[...row.querySelectorAll('.tabulator-cell')].slice(0, 2).map(cell => cell.textContent.trim()))"
        )
    revenue = rows(
        shop, "select order_date, sum(total_revenue) from gold.agg_daily_sales group by 1 order by 1 desc"
    )
    assert shown[:3] == [[str(day), f"{amount:,.2f}"] for day, amount in revenue[:3]]
    assert shown[-1] == ["All", f"{sum(amount for _, amount in revenue):,.2f}"]

    webhook.requests.clear()
    producer = KafkaProducer(bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"])
    levels = {1: 5, 2: 50}
    for product_id, on_hand in levels.items():
        event = {"event_id": f"s{product_id}", "product_id": product_id, "warehouse_id": "north"}
        event |= {"quantity_change": 0, "on_hand": on_hand, "event_time": at(DAY, 9).isoformat()}
        producer.send(os.environ["INVENTORY_TOPIC"], json.dumps(event).encode()).get(timeout=30)
    producer.close()
    inventory()
    [(rule, point, quantity, by)] = rows(
        shop,
        "select reorder_rule, reorder_point, quantity_to_order, order_by_date"
        " from gold.inventory_status where product_id = 1",
    )
    # Two a day for 14 days of delivery and a day until the next look: 30, and what a Poisson may be more.
    assert (rule, 30 < point < 40, by) == ("forecast", True, DAY)
    assert (quantity % 6, quantity >= point + 14 - 5) == (0, True)
    alert = webhook.requests[0].body["attachments"][0]["blocks"][1]["text"]["text"]
    assert f"5 left, enough for 2.5 days; sells 2.0 a day, order below {point}; order {quantity} now" in alert

    assert places(shop) == PLACES
