"""A deployed platform in trouble: each trouble makes one message, and the next good run ends it.

The site is shared; every test leaves it with its database up, its worker stopped, and no alert unread.
"""

import re
import signal
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pytest
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

from tests.deployments.conftest import ROUTING_KEY, SECRET_PATH, Site, assert_marts_are_right, wait_for
from tests.support.rows import DAY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
RED, ORANGE, DARK_RED = "#d72b3f", "#f2952f", "#8b0020"
DS = DAY.isoformat()


def attachment(site: Site) -> dict[str, Any]:
    """The one message that Slack has got."""
    [request] = site.slack.requests
    [only] = request.body["attachments"]
    return only


def text(message: dict[str, Any]) -> str:
    if "text" in message:
        return f"{message['title']}\n{message['text']}"
    return "\n".join(block["text"]["text"] for block in message["blocks"])


def assert_runbook_link(words: str) -> None:
    """The link leads to a heading of a file that is there."""
    [link] = re.findall(r"file://[^|>\s]+", words)
    address = urlsplit(link)
    assert f"\n## {address.fragment}\n" in Path(address.path).read_text(encoding="utf-8")


def deliveries(site: Site, run_id: str) -> list[tuple]:
    with duckdb.connect(site.platform.warehouse, read_only=True) as connection:
        return connection.execute(
            "select kind, channel, is_delivered from ops.alert_deliveries where run_id = ? order by recorded_at",
            [run_id],
        ).fetchall()


def test_a_run_by_the_worker_completes_and_resolves_the_incident(working: Site) -> None:
    printed = working.run(
        *("prefect", "deployment", "run", "daily-ecommerce-pipeline/production"),
        *("--param", f"ds={DS}", "--watch"),
    )
    assert "Completed" in printed
    assert_marts_are_right(working)
    assert working.slack.requests == []
    [request] = working.pagerduty.requests
    assert request.body == {
        "routing_key": ROUTING_KEY,
        "event_action": "resolve",
        "dedup_key": "daily-ecommerce-pipeline",
    }


def test_database_down_is_one_red_message_and_the_second_failure_wakes_somebody(working: Site) -> None:
    with working.database_down():
        first = working.start_run(ds=DS)
        assert working.wait_for_end(first) == "Failed"
        message = attachment(working)
        assert message["color"] == RED
        for part in ("daily-ecommerce-pipeline", DS, "*step*  extract", "cannot be reached", first):
            assert part in text(message)
        assert_runbook_link(text(message))
        assert working.pagerduty.requests == []

        second = working.start_run(ds=DS)
        assert working.wait_for_end(second) == "Failed"
        failed_at = time.monotonic()
        assert [r.body["attachments"][0]["color"] for r in working.slack.requests] == [RED, DARK_RED]
        [incident] = working.pagerduty.requests
        assert (incident.body["event_action"], incident.body["payload"]["severity"]) == (
            "trigger",
            "critical",
        )

    assert_no_secret_in_what_the_server_has(working, first)
    good = working.start_run(ds=DS)
    assert working.wait_for_end(good) == "Completed"
    assert working.pagerduty.requests[-1].body["event_action"] == "resolve"
    assert working.pagerduty.requests[-1].body["dedup_key"] == incident.body["dedup_key"]
    # Until the server would have raised its own: a minute, and its rounds.
    time.sleep(max(0, failed_at + 75 - time.monotonic()))
    over, *again = [request.body["attachments"][0] for request in working.slack.requests[2:]]
    assert "completed: the trouble is over" in over["fallback"]
    assert again == [], "the server's own automation has repeated it"
    assert deliveries(working, second) == [
        ("run-failed-twice", "slack", True),
        ("run-failed-twice", "pagerduty", True),
    ]


def assert_no_secret_in_what_the_server_has(site: Site, run_id: str) -> None:
    """Logs, runs, parameters, names, artifacts, events, deployments, pools: everything but the blocks' secrets."""
    with site.client() as client:
        logs = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id])), limit=200)
        assert logs
        shown = [
            each.model_dump_json() for each in [*client.read_flow_runs(), *client.read_deployments(), *logs]
        ]
        for collection in ("task_runs", "artifacts", "work_pools", "block_documents", "logs"):
            answer = client.request("POST", f"/{collection}/filter", json={})
            shown.append(answer.text)
        shown.append(client.request("POST", "/events/filter", json={"limit": 50}).text)
    shown.append((site.folder / "worker.log").read_text(errors="replace"))
    password = site.environment["SHOP_DSN"].split(":")[2].split("@")[0]
    assert [s for s in (password, ROUTING_KEY, SECRET_PATH) if s in "".join(shown)] == []


def test_slack_down_is_retried_then_mailed_and_on_record(working: Site) -> None:
    working.slack.answers[:] = [500, 500, 500]
    with working.database_down():
        run_id = working.start_run(ds=DS)
        assert working.wait_for_end(run_id) == "Failed"
    assert len(working.slack.requests) == 3
    [mail] = working.mailbox.messages
    assert mail["Subject"] == f"[error] daily-ecommerce-pipeline {DS} failed in extract"
    good = working.start_run(ds=DS)
    assert working.wait_for_end(good) == "Completed"
    assert deliveries(working, run_id) == [("run-failed", "slack", False), ("run-failed", "email", True)]


def test_a_run_that_nobody_takes_is_one_orange_message(deployed: Site) -> None:
    deployed.slack.requests.clear()
    run_id = deployed.start_run("data-quality/production", ds=DS)
    wait_for(lambda: bool(deployed.slack.requests), 60, "no alert that the run is late")
    message = attachment(deployed)
    assert message["color"] == ORANGE
    assert "late" in text(message)
    assert run_id in text(message)
    assert_runbook_link(text(message))

    deployed.start_worker()
    assert deployed.wait_for_end(run_id) == "Completed"
    wait_for(lambda: len(deployed.slack.requests) > 1, 60, "nobody was told that runs are taken again")
    deployed.stop_worker()
    titles = [request.body["attachments"][0]["title"] for request in deployed.slack.requests]
    assert titles[1:] == ["run-late: runs are taken again: none was late since"]


def test_a_machine_lost_in_mid_run_is_alerted_and_the_run_started_again_ends_right(working: Site) -> None:
    working.platform.execute(
        "update orders set amount = amount + 1, updated_at = updated_at + interval '1 minute'"
    )
    run_id = working.start_run(ds=DS)
    wait_for(lambda: working.has_begun(run_id, "transform"), 120, "the run has not come to its transform")
    working.stop_worker(signal.SIGKILL)
    assert working.state(run_id) == "Running"

    # Three missed heartbeats, then the time in which a run confirms its own alert.
    wait_for(lambda: bool(working.slack.requests), 240, "no alert that the run has died")
    message = attachment(working)
    assert message["color"] == RED
    assert "Crashed" in text(message)
    assert "It is started again by itself, once" in text(message)
    assert run_id in text(message)
    assert_runbook_link(text(message))

    # By itself, as soon as there is a worker.
    working.start_worker()
    wait_for(lambda: working.state(run_id) == "Completed", 600, "it has not been started again")
    assert_marts_are_right(working)
