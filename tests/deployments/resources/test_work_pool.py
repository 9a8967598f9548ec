"""prefect.yaml and the pool templates, for every kind of pool, against what each kind's worker takes."""

import os
from collections.abc import Iterator
from typing import Any, get_args

import jsonschema
import pytest
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.templating import find_placeholders

from blocks.settings.environment import REPOSITORY
from blocks.settings.settings import EnvironmentSettings
from deployments.resources.deployments import entries, full_name, wanted
from deployments.resources.settings import DeploymentSettings
from deployments.resources.work_pool import defaults, job_template

KINDS = get_args(DeploymentSettings.model_fields["work_pool"].annotation)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A kind of pool, chosen by the environment as bootstrap does it."""
    monkeypatch.setenv("WORK_POOL", request.param)
    monkeypatch.setenv("SHOP_TIMEZONE", "Europe/Berlin")
    for name, value in DeploymentSettings().variables(EnvironmentSettings()).items():
        monkeypatch.setenv(name, value)
    return request.param


def variables(template: dict[str, Any]) -> dict[str, Any]:
    return template["variables"]


def schema_violations(template: dict[str, Any], values: dict[str, Any]) -> list[str]:
    """What a worker of the template's kind would refuse in these job variables."""
    checker = jsonschema.Draft202012Validator({**variables(template), "additionalProperties": False})
    return [error.message for error in checker.iter_errors(values)]


def test_every_default_is_of_the_type_its_worker_takes(kind: str) -> None:
    assert schema_violations(job_template(kind), defaults(kind)) == []


def test_the_job_uses_no_variable_that_the_template_does_not_have(kind: str) -> None:
    template = job_template(kind)
    used = {each.name for each in find_placeholders(template["job_configuration"])}
    assert {name for name in used if not name.startswith("ctx.")} <= variables(template)["properties"].keys()


def test_runs_find_the_code_and_beat(kind: str) -> None:
    env = variables(job_template(kind))["properties"]["env"]["default"]
    expected = str(REPOSITORY) if kind == "process" else "/opt/ecommerce-pipeline"
    wanted = {"PIPELINE_HOME": expected, "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
    if kind != "process":
        wanted["PREFECT_HOME"] = "/home/pipeline/.prefect"
    assert env == wanted


def test_the_image_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_IMAGE", "registry.example/shop:7")
    for kind in set(KINDS) - {"process"}:
        assert variables(job_template(kind))["properties"]["image"]["default"] == "registry.example/shop:7"


def test_a_default_for_a_variable_that_the_worker_has_not_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "work_pools").mkdir()
    (tmp_path / "work_pools" / "process.yaml").write_text("memory: 4g\n")
    monkeypatch.setattr("deployments.resources.work_pool.FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"process\.yaml: a process worker has no variable 'memory'"):
        job_template("process")


def test_a_wrong_type_would_be_refused(kind: str) -> None:
    assert schema_violations(job_template(kind), {"env": "A=1"}) != []


def test_every_entry_goes_to_the_pool_with_variables_it_takes(kind: str) -> None:
    for entry in entries():
        assert entry["work_pool"]["name"] == kind
        assert schema_violations(job_template(kind), entry["work_pool"].get("job_variables", {})) == []


KEYS = {"name", "entrypoint", "work_pool", "concurrency_limit", "schedules", "parameters"}


@pytest.mark.usefixtures("kind")
def test_entries_have_no_key_or_parameter_that_prefect_would_ignore() -> None:
    """`prefect deploy` is silent about misspelt keys and about parameters that the flow does not have."""
    for entry in entries():
        assert set(entry) <= KEYS
        assert set(entry["concurrency_limit"]) == {"limit", "collision_strategy"}
        flow = load_flow_from_entrypoint(entry["entrypoint"], use_placeholder_flow=False)
        assert set(entry.get("parameters", {})) <= set(flow.parameters.properties)


@pytest.mark.usefixtures("kind")
def test_every_flow_that_people_start_is_deployed_twice_and_staging_has_no_schedule() -> None:
    by_name = {full_name(entry): entry for entry in entries()}
    started = {
        path.stem
        for path in (REPOSITORY / "flows").glob("*.py")
        if "from_command_line" in path.read_text(encoding="utf-8")
    }
    deployed = {entry["entrypoint"].split("/")[1].split(".")[0] for entry in entries()}
    assert deployed == started
    assert len(by_name) == 2 * len(started)
    for name, entry in by_name.items():
        is_staging = name.endswith("/staging")
        environment = entry["work_pool"].get("job_variables", {}).get("env", {})
        assert environment == ({"PLATFORM": "staging"} if is_staging else {})
        assert not (is_staging and entry["schedules"])


@pytest.mark.usefixtures("kind")
def test_the_daily_run_starts_at_six_in_the_shops_time_zone_one_at_a_time() -> None:
    [daily] = [entry for entry in entries() if full_name(entry) == "daily-ecommerce-pipeline/production"]
    [schedule] = daily["schedules"]
    assert (schedule["cron"], schedule["timezone"]) == ("0 6 * * *", "Europe/Berlin")
    assert daily["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}


@pytest.mark.parametrize(
    ("mode", "servers", "active"),
    [
        ("hourly", "kafka:9092", ["every-hour"]),
        ("continuous", "kafka:9092", ["at-all-times"]),
        ("hourly", "", []),
        ("continuous", "", []),
    ],
)
def test_stock_events_are_taken_in_one_way_and_only_where_there_is_kafka(
    mode: str, servers: str, active: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = EnvironmentSettings(kafka_bootstrap_servers=servers)
    for name, value in DeploymentSettings(inventory_mode=mode).variables(settings).items():  # type: ignore[arg-type]
        monkeypatch.setenv(name, value)
    [entry] = [entry for entry in entries() if full_name(entry) == "inventory/production"]
    schedules = wanted(entry)["schedules"]
    assert [slug for slug, (_, _, is_active, _) in schedules.items() if is_active] == active
    assert schedules["at-all-times"][-1] == {"follow_minutes": 61}


def test_prefect_yaml_holds_no_secret() -> None:
    """`{{ prefect.blocks.x.y }}` would be stored in the deployment in plain text."""
    text = (REPOSITORY / "prefect.yaml").read_text(encoding="utf-8")
    assert "prefect.blocks" not in text
    assert os.environ.get("SHOP_DSN", "postgresql://") not in text
