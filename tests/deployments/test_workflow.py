"""The workflow of continuous deployment: what it names is there, and production comes last."""

import re

import yaml

from blocks.settings.environment import REPOSITORY
from deployments.resources.deployments import full_name
from tests.support.variables import VARIABLES

FILE = REPOSITORY / ".github" / "workflows" / "deploy.yml"
TEXT = FILE.read_text(encoding="utf-8")
NIGHTLY = FILE.with_name("nightly.yml").read_text(encoding="utf-8")
JOBS = yaml.safe_load(TEXT)["jobs"]


def test_nothing_is_built_before_the_tests_and_production_waits_for_staging() -> None:
    needs = {name: job.get("needs") for name, job in JOBS.items()}
    assert needs == {"test": None, "image": "test", "staging": "image", "production": "staging"}
    assert (JOBS["staging"]["environment"], JOBS["production"]["environment"]) == ("staging", "production")
    assert "pull_request" in JOBS["staging"]["if"]
    assert JOBS["production"]["if"] == JOBS["staging"]["if"]


def test_a_pull_request_changes_nothing() -> None:
    [build] = [step["with"] for step in JOBS["image"]["steps"] if "build-push" in step.get("uses", "")]
    assert build["push"] == "${{ github.event_name == 'push' }}"
    bootstraps = [step["run"] for step in JOBS["image"]["steps"] if "bootstrap" in step.get("run", "")]
    assert len(bootstraps) == 1
    assert bootstraps[0].endswith("--dry-run")


def test_what_it_names_is_there() -> None:
    assert (REPOSITORY / ".ci" / "run").exists()
    [build] = [step["with"] for step in JOBS["image"]["steps"] if "build-push" in step.get("uses", "")]
    dockerfile = (REPOSITORY / build["file"]).read_text(encoding="utf-8")
    assert f" AS {build['target']}\n" in dockerfile
    assert "ARG REVISION" in dockerfile
    prefect_yaml = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text(encoding="utf-8"))
    assert re.findall(r"prefect deployment run (\S+)", TEXT) == [full_name(prefect_yaml["deployments"][0])]
    passed = {name for name in re.findall(r"--env (\w+)", TEXT) if not name.startswith("PREFECT_")}
    assert passed <= set(VARIABLES)
    assert not {"SHOP_DSN", "AWS_SECRET_ACCESS_KEY"} & set(re.findall(r"\w+", TEXT))


def test_every_action_is_pinned_to_a_version() -> None:
    used = re.findall(r"uses: (\S+)", TEXT + NIGHTLY)
    assert len(used) > 8
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action) for action in used)


def test_the_nightly_workflow_runs_what_ci_leaves_out() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert re.findall(r"run: make (\w+)", NIGHTLY) == ["nightly"]
    assert re.search(r"^nightly:.*\n.* -m nightly$", makefile, re.MULTILINE)
    assert "make nightly" not in (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
