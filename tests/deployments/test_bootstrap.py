"""Bootstrap on a real server: what it makes, that it makes it once, and that it sees what has been changed."""

import dataclasses

import pytest
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.schedules import CronSchedule

from tests.deployments.conftest import ROUTING_KEY, SECRET_PATH, Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
AUTOMATIONS = {
    "low-quality",
    "no-successful-run",
    "run-again",
    "run-died",
    "run-late",
    "run-late is over",
    "run-silent",
    "run-stuck",
    "run-waiting",
    "run-waiting is over",
}


def test_a_dry_run_lists_everything_and_makes_nothing(deployed: Site) -> None:
    for name in ("process", "warehouse-writer", "shop-database/production", "rebuild/staging", *AUTOMATIONS):
        assert name in deployed.dry_run_output
    assert deployed.made_by_dry_run == []


def test_check_tries_every_block_and_names_the_one_that_does_not_work(deployed: Site) -> None:
    assert "error" not in deployed.run("deployments.bootstrap", "--check")
    with deployed.database_down():
        printed = deployed.run("deployments.bootstrap", "--check", check=False)
    assert "shop-database/production: the shop's database at 127.0.0.1" in " ".join(printed.split())
    assert "cannot be reached" in printed


def test_the_second_bootstrap_changes_nothing(deployed: Site) -> None:
    with deployed.client() as client:
        before = [each.model_dump() for each in client.read_automations()]
    assert deployed.run("deployments.bootstrap") == "no changes\n"
    with deployed.client() as client:
        assert [each.model_dump() for each in client.read_automations()] == before
        assert {each.name for each in client.read_automations()} == {f"production: {n}" for n in AUTOMATIONS}


def test_secrets_are_neither_printed_nor_in_what_the_server_shows(deployed: Site) -> None:
    with deployed.client() as client:
        shown = "".join(
            each.model_dump_json()
            for each in [
                *client.read_deployments(),
                *client.read_automations(),
                *client.read_work_pools(),
                *client.read_block_documents(include_secrets=False),
            ]
        )
    password = deployed.environment["SHOP_DSN"].split(":")[2].split("@")[0]
    for secret in (password, ROUTING_KEY, SECRET_PATH):
        assert secret not in shown
        assert secret not in deployed.bootstrap_output


def test_what_was_changed_by_hand_or_in_the_environment_is_seen_and_put_right(deployed: Site) -> None:
    with deployed.client() as client:
        deployment = client.read_deployment_by_name("rebuild/production")
        client.update_deployment(deployment.id, DeploymentUpdate(entrypoint="flows/gone.py:rebuild"))
        client.create_deployment_schedules(
            deployment.id, [DeploymentScheduleCreate(schedule=CronSchedule(cron="0 3 * * *"))]
        )
        late = next(each for each in client.read_automations() if each.name == "production: run-late")
        client.delete_automation(late.id)
    changed = dataclasses.replace(deployed, environment={**deployed.environment, "SPARK_REMOTE": "local[2]"})
    printed = changed.run("deployments.bootstrap", "--dry-run")
    rows = [line.split("│")[1:3] for line in printed.splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["spark-endpoint/production", "spark_remote"],
        ["rebuild/production", "entrypoint, schedules"],
        ["production: run-late", "new"],
        # It turns the other on again, which will be another.
        ["production: run-late is over", "actions"],
    ]
    deployed.run("deployments.bootstrap")
    assert deployed.run("deployments.bootstrap") == "no changes\n"


def test_a_shell_without_a_variable_does_not_empty_what_it_once_filled(deployed: Site) -> None:
    bare = {name: value for name, value in deployed.environment.items() if name != "SLACK_WEBHOOK_URL"}
    assert dataclasses.replace(deployed, environment=bare).run("deployments.bootstrap") == "no changes\n"


def test_without_a_server_it_says_so(deployed: Site) -> None:
    printed = deployed.run(
        "deployments.bootstrap", check=False, PREFECT_API_URL="", PREFECT_PROFILE="ephemeral"
    )
    assert printed == ("error: PREFECT_API_URL is not set: start `prefect server start` and point it there\n")
