"""The boards: the committed JSON is what the code makes, nothing fell out on the way, and its sources exist."""

import json
import re
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from blocks.settings.environment import REPOSITORY
from deployments.grafana.boards import FOLDER, boards
from tasks.monitoring.metrics import METRICS

PROVISIONING = REPOSITORY / "deployments" / "grafana" / "provisioning"
MADE = boards()


def panels(board: str) -> list[dict[str, Any]]:
    return json.loads(board)["panels"]


def test_the_committed_boards_are_what_the_code_makes() -> None:
    """If not: python -m deployments.grafana.boards."""
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == MADE


@pytest.mark.parametrize("name", MADE)
def test_the_sdk_knows_every_key_of_a_board(name: str) -> None:
    """It drops what it does not know, without a word."""
    board = json.loads(MADE[name])
    assert json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder)) == board


def test_the_sdk_does_drop_keys_so_the_test_above_can_fail() -> None:
    board = {**json.loads(MADE["pipeline-health.json"]), "no_such_key": 1}
    assert "no_such_key" not in json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))


@pytest.mark.parametrize("name", MADE)
def test_every_panel_has_a_title_and_a_query_and_room(name: str) -> None:
    assert len(panels(MADE[name])) >= 8
    titles = [panel["title"] for panel in panels(MADE[name])]
    assert len(set(titles)) == len(titles)
    taken: set[tuple[int, int]] = set()
    for panel in panels(MADE[name]):
        (target,) = panel["targets"]
        assert target.get("expr") or target.get("rawSql")
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells


def test_every_source_of_a_query_is_provisioned() -> None:
    text = (PROVISIONING / "datasources" / "datasources.yaml").read_text(encoding="utf-8")
    provisioned = {(source["type"], source["uid"]) for source in yaml.safe_load(text)["datasources"]}
    asked = {
        (source["type"], source["uid"])
        for board in MADE.values()
        for panel in panels(board)
        for source in (panel["datasource"], panel["targets"][0]["datasource"])
    }
    assert asked == provisioned


def test_rows_of_a_number_are_red_where_the_rules_fire() -> None:
    """The board and the alert must not disagree about what is too late or too low."""
    rules = (REPOSITORY / "deployments" / "prometheus" / "rules.yml").read_text(encoding="utf-8")
    reds = {
        panel["title"]: step["value"]
        for board in MADE.values()
        for panel in panels(board)
        for step in panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
        if step["color"] == "red" and step["value"] is not None
    }
    assert reds["Since the last good daily run"] == 26 * 3600
    assert "> 26 * 3600" in rules
    assert reds["Low days in a row"] == 3
    assert "ecommerce_quality_low_days >= 3" in rules


def test_every_panel_of_metrics_says_what_they_are() -> None:
    """In the words of the pipeline that measures them, which Prometheus shows, too."""
    described = 0
    for board in MADE.values():
        for panel in panels(board):
            (target,) = panel["targets"]
            asked = [name for name in METRICS if re.search(rf"\b{name}\b", target.get("expr", ""))]
            assert panel.get("description", "") == "\n\n".join(METRICS[name] for name in asked)
            described += bool(asked)
    assert described >= 12
