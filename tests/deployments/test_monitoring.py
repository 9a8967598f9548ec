"""Sweeps over metrics, rules, boards and their documentation: whatever one of them names, the others know."""

import json
import re
from typing import Any

import yaml

from blocks.settings.environment import REPOSITORY
from deployments.grafana.boards import boards
from tasks.monitoring.metrics import METRICS

RULES: list[dict[str, Any]] = yaml.safe_load(
    (REPOSITORY / "deployments" / "prometheus" / "rules.yml").read_text(encoding="utf-8")
)["groups"][0]["rules"]
PANELS = [panel for board in boards().values() for panel in json.loads(board)["panels"]]
EXPRESSIONS = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in PANELS for target in panel["targets"] if "expr" in target
]
MONITORING = (REPOSITORY / "docs" / "monitoring.md").read_text(encoding="utf-8")
RUNBOOK = (REPOSITORY / "docs" / "runbook.md").read_text(encoding="utf-8")


def test_every_metric_that_is_asked_for_is_exported_and_every_exported_one_is_asked_for() -> None:
    asked = set(re.findall(r"\b[a-z]+_[a-z_]+(?=[{\s\[)]|$)", " ".join(EXPRESSIONS)))
    functions = {"quantile_over_time"}
    assert len(asked) > 10
    assert asked - functions == set(METRICS)


def test_every_alert_links_the_heading_of_its_own_name() -> None:
    assert len(RULES) >= 5
    for rule in RULES:
        heading = re.sub(r"(?<!^)([A-Z])", r"-\1", rule["alert"]).lower()
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{heading}"
        assert f"\n## {heading}\n" in RUNBOOK
        assert rule["labels"]["severity"] in ("warning", "error", "critical")


def test_every_rule_and_panel_has_its_words() -> None:
    assert PANELS
    for rule in RULES:
        assert "{{" in rule["annotations"]["summary"] or rule["alert"] == "NoMetrics"
    for panel in PANELS:
        assert panel["title"][0].isupper()


def test_the_documentation_lists_every_metric_and_every_alert_with_its_severity() -> None:
    for name in METRICS:
        assert f"`{name.removeprefix('ecommerce_')}`" in MONITORING, name
    for rule in RULES:
        assert f"| [{rule['alert']}](runbook.md#" in MONITORING
        assert re.search(rf"\| \[{rule['alert']}\].*\| {rule['labels']['severity']} \|", MONITORING)
