"""OpenLineage's events of a run: what is sent, that it is valid, and that no receiver can stop a run."""

import json
import logging
import socket
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from blocks.settings.extras import PACKAGES
from blocks.settings.failures import DataFailure
from blocks.settings.settings import Settings
from lake.row_counts import Extracted, Flagged, RowCounts
from tasks.features.refresh import Refreshed
from tasks.ledger.run import Run
from tasks.lineage.graph import Lineage
from tasks.openlineage import client, events
from tasks.openlineage.watch import watched_run
from tasks.reorder.plan import Planned
from tasks.timing import current, timed
from tasks.transform.dbt import Built
from tasks.warehouse.interface import Loaded
from tests.support.openlineage_events import Event, check_events, facets, outline, rows
from tests.support.platforms import Platform
from tests.support.receivers import Webhook
from tests.support.recorded_runs import fails, ledger, pipeline, works
from tests.support.rows import DAY, at

JOB = "test-pipeline"


@timed
def extract() -> list[Extracted]:
    return [Extracted("orders", 12), Extracted("clickstream", 40), Extracted("inventory", 3)]


@timed
def quality_bronze() -> tuple[list[Flagged], list[Any]]:
    return [Flagged("orders", 1, 12, {"status_known": 2})], []


@timed
def dbt_build() -> tuple[Loaded, Built]:
    return Loaded(load_id=1, rows={"orders": 10}), Built(models=["agg_daily_sales", "stg_orders"])


@timed
def plan_reorders() -> Planned:
    return Planned(rows=7)


@timed
def refresh_features() -> list[Refreshed]:
    return [Refreshed("features.customer_features", [DAY], [DAY])]


@timed
def transform() -> list[RowCounts]:
    raise DataFailure("orders: too many rejected")


@pytest.fixture
def settings(folder: Path, monkeypatch: pytest.MonkeyPatch, lineage: Lineage) -> Settings:
    monkeypatch.setattr(events, "read_lineage", lambda settings: lineage)
    monkeypatch.setenv("SHOP_DSN", "postgresql://reader:secret@db.example:6432/shop")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.example:9093,other:9093")
    return Settings()


@pytest.fixture
def run_of_steps() -> Run:
    return Run(run_id=str(uuid4()), flow=JOB, ds=DAY, started_at=at(DAY))


def sent(webhook: Webhook) -> list[Event]:
    return [request.body for request in webhook.requests]


def play(run: Run, settings: Settings, *steps: Any) -> None:
    with watched_run(run, settings) as watching, current(run, watching):
        for step in steps:
            step()


@pytest.mark.usefixtures("prefect_server")
def test_a_good_and_a_failing_run(
    platform: Platform, webhook: Webhook, monkeypatch: pytest.MonkeyPatch, lineage: Lineage
) -> None:
    monkeypatch.setattr(events, "read_lineage", lambda settings: lineage)
    monkeypatch.setenv("OPENLINEAGE_URL", webhook.url)
    pipeline(works)()
    with pytest.raises(DataFailure):
        pipeline(works, fails)()
    good, failing = sent(webhook)[:4], sent(webhook)[4:]
    check_events(good + failing)
    step = f"{JOB}.step-that-works"
    begin = [("START", JOB), ("START", step), ("COMPLETE", step)]
    assert outline(good) == [*begin, ("COMPLETE", JOB)]
    failed = f"{JOB}.step-that-fails"
    assert outline(failing) == [*begin, ("START", failed), ("FAIL", failed), ("FAIL", JOB)]
    for event in failing[-2:]:
        assert event["run"]["facets"]["errorMessage"]["message"] == "DataFailure: orders: too many rejected"
    assert {request.path for request in webhook.requests} == {"/api/v1/lineage"}
    assert len(ledger(platform)) == 2


def test_a_step_belongs_to_its_run_and_each_attempt_is_one(
    settings: Settings, run_of_steps: Run, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", webhook.url)
    play(run_of_steps, Settings(), extract, extract)
    start, *steps, end = sent(webhook)
    check_events(sent(webhook))
    assert start["run"]["runId"] == end["run"]["runId"] == run_of_steps.run_id
    assert "parent" not in start["run"]["facets"]
    for event in steps:
        parent = event["run"]["facets"]["parent"]
        assert parent["run"]["runId"] == parent["root"]["run"]["runId"] == run_of_steps.run_id
        assert (parent["job"]["namespace"], parent["job"]["name"]) == ("ecommerce-pipeline", JOB)
    ids = [event["run"]["runId"] for event in steps]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    nominal = start["run"]["facets"]["nominalTime"]
    assert nominal["nominalStartTime"] == f"{DAY}T00:00:00+00:00"


def test_the_datasets_of_a_step_have_rows_columns_and_where_they_come_from(
    settings: Settings, run_of_steps: Run, webhook: Webhook, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", webhook.url)
    play(run_of_steps, Settings(), extract, quality_bronze, dbt_build)
    check_events(sent(webhook))
    extracted, flagged, built = (event for event in sent(webhook)[:-1] if event["eventType"] == "COMPLETE")

    read = {(each["namespace"], each["name"]) for each in extracted["inputs"]}
    assert ("postgres://db.example:6432", "shop.public.orders") in read
    assert ("kafka://kafka.example:9093", "inventory") in read
    assert {namespace for namespace, _ in read} >= {"file"}
    assert rows(extracted["outputs"]) == {"orders": 12, "clickstream": 40, "inventory": 3}
    [orders] = [each for each in extracted["outputs"] if each["name"].endswith("/orders")]
    assert orders["namespace"] == "file"
    assert orders["name"] == str(folder / "lake" / "bronze" / "orders")
    fields = {field["name"]: field for field in orders["facets"]["schema"]["fields"]}
    assert fields["amount"]["type"] == "decimal128(12, 2)"
    assert fields["amount"]["description"]
    [amount] = orders["facets"]["columnLineage"]["fields"]["amount"]["inputFields"]
    assert (amount["namespace"], amount["name"], amount["field"]) == (
        *("postgres://db.example:6432", "shop.public.orders", "amount"),
    )

    assert rows(flagged["inputs"]) == {"orders": 12}
    assert rows(flagged["outputs"]) == {"orders": 2}
    assert flagged["outputs"][0]["name"].endswith("quarantine/orders")

    names = [each["name"] for each in built["outputs"]]
    assert names == ["silver.orders", "gold.agg_daily_sales", "staging.stg_orders"]
    made = built["outputs"][1]["facets"]["columnLineage"]["fields"]["total_revenue"]["inputFields"]
    assert [each["field"] for each in made if each["transformations"][0]["type"] == "DIRECT"] == [
        "order_amount"
    ]
    indirect = {each["field"] for each in made if each["transformations"][0]["type"] == "INDIRECT"}
    assert indirect == {"order_date", "category", "region", "customer_segment"}
    assert {each["name"] for each in made} == {"gold.fct_orders"}


def test_no_password_is_in_any_event(
    settings: Settings, run_of_steps: Run, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", webhook.url)
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "the-key")
    play(run_of_steps, Settings(), extract, dbt_build)
    text = json.dumps(sent(webhook))
    assert "db.example" in text
    assert "secret" not in text
    assert "the-key" not in text


def test_a_run_that_is_stopped_is_aborted(
    settings: Settings, run_of_steps: Run, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    @timed
    def stopped() -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("OPENLINEAGE_URL", webhook.url)
    with pytest.raises(KeyboardInterrupt):
        play(run_of_steps, Settings(), stopped)
    assert outline(sent(webhook))[-2:] == [("ABORT", f"{JOB}.stopped"), ("ABORT", JOB)]
    check_events(sent(webhook))


def test_it_is_off_by_default(settings: Settings, run_of_steps: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "Sender", None)
    play(run_of_steps, settings, extract)
    assert run_of_steps.seconds.keys() == {"extract"}


def test_openlineage_s_own_configuration_switches_it_on_and_wins(
    settings: Settings, run_of_steps: Run, webhook: Webhook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    configuration = tmp_path / "openlineage.yml"
    configuration.write_text(f"transport: {{type: file, log_file_path: {file}, append: true}}")
    monkeypatch.setenv("OPENLINEAGE_CONFIG", str(configuration))
    monkeypatch.setenv("OPENLINEAGE_URL", webhook.url)
    with pytest.raises(DataFailure):
        play(run_of_steps, Settings(), extract, transform)
    written = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    check_events(written)
    assert [state for state, _ in outline(written)] == ["START", "START", "COMPLETE", "START", "FAIL", "FAIL"]
    assert sent(webhook) == []


def test_openlineage_s_own_word_for_off_is_heard(
    settings: Settings, run_of_steps: Run, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", webhook.url)
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
    play(run_of_steps, Settings(), extract)
    assert sent(webhook) == []


def test_a_receiver_that_does_not_answer_costs_its_timeout_once(
    settings: Settings, run_of_steps: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://user:secret@127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("OPENLINEAGE_URL", url)
        begun = time.monotonic()
        with caplog.at_level(logging.WARNING):
            play(run_of_steps, Settings(), extract, quality_bronze, dbt_build)
    # Eight events, and one of them waited.
    assert time.monotonic() - begun < 3
    said = [record.getMessage() for record in caplog.records if "OpenLineage" in record.getMessage()]
    assert said == ["no more OpenLineage events of this run by http: ReadTimeout "]
    assert "secret" not in caplog.text
    assert run_of_steps.seconds.keys() == {"extract", "quality-bronze", "dbt-build"}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:9", "no more OpenLineage events of this run by http: ConnectionError "),
        ("not an address", "no OpenLineage event: ValueError"),
    ],
)
def test_a_receiver_that_is_not_there_fails_no_run(
    settings: Settings,
    run_of_steps: Run,
    url: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", url)
    with caplog.at_level(logging.WARNING):
        play(run_of_steps, Settings(), extract, quality_bronze)
    assert [record.getMessage() for record in caplog.records if "OpenLineage" in record.getMessage()] == [
        said
    ]


def test_a_receiver_that_refuses_gets_no_more(
    settings: Settings,
    run_of_steps: Run,
    webhook: Webhook,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    webhook.answers = [500]
    monkeypatch.setenv("OPENLINEAGE_URL", webhook.url)
    with caplog.at_level(logging.WARNING):
        play(run_of_steps, Settings(), extract)
    assert len(webhook.requests) == 1
    assert "no more OpenLineage events of this run by http: HTTPError 500" in caplog.text


def test_without_lineage_events_still_come(
    settings: Settings,
    run_of_steps: Run,
    webhook: Webhook,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(settings: Settings) -> Lineage:
        raise DataFailure("no lineage today")

    monkeypatch.setattr(events, "read_lineage", broken)
    monkeypatch.setenv("OPENLINEAGE_URL", webhook.url)
    with caplog.at_level(logging.WARNING):
        play(run_of_steps, Settings(), extract, dbt_build)
    check_events(sent(webhook))
    assert caplog.text.count("without column lineage: no lineage today") == 1
    built = sent(webhook)[-2]
    assert [each["name"] for each in built["outputs"]] == [
        "silver.orders",
        "gold.agg_daily_sales",
        "gold.stg_orders",
    ]
    assert "columnLineage" not in {name for each in built["outputs"] for name in each["facets"]}
    assert any(facet.get("fields") for facet in facets(built))


def test_what_models_and_buyers_read_comes_from_the_lake(
    settings: Settings, run_of_steps: Run, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", webhook.url)
    play(run_of_steps, Settings(), plan_reorders, refresh_features)
    check_events(sent(webhook))
    planned, refreshed = (event for event in sent(webhook)[:-1] if event["eventType"] == "COMPLETE")
    assert rows(planned["outputs"]) == {"reorder_policy": 7}
    held, copy = refreshed["outputs"]
    assert (held["namespace"], copy["namespace"].partition(":")[0]) == ("file", "duckdb")
    assert held["name"].endswith("/lake/features/customer_features")
    assert copy["name"] == "features.customer_features"
    made = held["facets"]["columnLineage"]["fields"]["region"]["inputFields"]
    [region] = [each for each in made if each["transformations"][0]["type"] == "DIRECT"]
    assert region["name"].endswith("/lake/versions/customers")
    assert region["field"] == "region"


def test_without_the_extra_it_is_said_once(
    settings: Settings,
    run_of_steps: Run,
    webhook: Webhook,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(PACKAGES, "bi", (*PACKAGES["bi"], "not_installed"))
    monkeypatch.setenv("OPENLINEAGE_URL", webhook.url)
    with caplog.at_level(logging.WARNING):
        play(run_of_steps, Settings(), extract, dbt_build)
    said = "no OpenLineage events: the extra bi is missing (not_installed); install it: `make bi`, or "
    assert caplog.text.count(said) == 1
    assert sent(webhook) == []
    assert "openlineage" in PACKAGES["bi"]
