"""OpenLineage's events of real daily runs: every step, its rows, and the way from PostgreSQL to the marts."""

import json
from pathlib import Path

import pytest

from blocks.settings.failures import DataFailure
from flows.daily import daily_ecommerce_pipeline
from tests.support.openlineage_events import Event, check_events, outline, rows
from tests.support.platforms import Platform
from tests.support.rows import DAY
from tests.support.small_shop import open_shop

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

JOB = "daily-ecommerce-pipeline"
STEPS = [
    *("extract", "quality-bronze", "transform", "dbt-build", "quality-gold"),
    *("publish-warehouse", "write-report"),
]


def take(file: Path) -> list[Event]:
    events = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    file.unlink()
    return events


def test_a_day_and_one_that_a_dropped_column_stops(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = platform.folder / "events.jsonl"
    configuration = {"type": "file", "log_file_path": str(file), "append": True}
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT", json.dumps(configuration))
    monkeypatch.delenv("OPENLINEAGE_URL", raising=False)
    open_shop(platform)
    daily_ecommerce_pipeline(DAY)
    events = take(file)
    check_events(events)
    assert outline(events) == [
        ("START", JOB),
        *((state, f"{JOB}.{step}") for step in STEPS for state in ("START", "COMPLETE")),
        ("COMPLETE", JOB),
    ]
    ended = {event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"}
    extracted, built = ended[f"{JOB}.extract"], ended[f"{JOB}.dbt-build"]
    assert rows(extracted["outputs"]) == {"customers": 3, "products": 2, "orders": 25, "clickstream": 41}
    namespace = next(each["namespace"] for each in extracted["inputs"] if each["name"].endswith(".orders"))
    assert namespace.startswith("postgres://")
    sales = next(each for each in built["outputs"] if each["name"] == "gold.agg_daily_sales")
    made = sales["facets"]["columnLineage"]["fields"]["total_revenue"]["inputFields"]
    assert "order_amount" in {each["field"] for each in made}

    platform.execute("alter table orders drop column amount")
    with pytest.raises(DataFailure):
        daily_ecommerce_pipeline(DAY)
    events = take(file)
    check_events(events)
    extract = f"{JOB}.extract"
    assert outline(events) == [("START", JOB), ("START", extract), ("FAIL", extract), ("FAIL", JOB)]
    assert "amount" in events[-1]["run"]["facets"]["errorMessage"]["message"]
