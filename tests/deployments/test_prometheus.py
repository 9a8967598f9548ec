"""The rules by promtool, and the whole way in real servers: runs, gateway, Prometheus, rules and boards."""

import datetime as dt
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from blocks.settings.environment import REPOSITORY
from blocks.settings.failures import DataFailure
from deployments.grafana.boards import boards
from tests.support.platforms import Broker, Platform
from tests.support.prometheus_servers import debian, open_prometheus, pushed, wait_until
from tests.support.receivers import Webhook
from tests.support.rows import DAY, NEXT_DAY, customer, order, product, put

CONFIG = REPOSITORY / "deployments" / "prometheus"
RULES = CONFIG / "rules.yml"
HOUR_MS = 3_600_000


def promtool(*arguments: str) -> str:
    done = subprocess.run(
        [debian("promtool"), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return group["rules"]


def test_the_configuration_is_valid() -> None:
    assert f"{len(rules())} rules found" in promtool("check", "rules", str(RULES))
    assert "valid prometheus config" in promtool("check", "config", str(CONFIG / "prometheus.yml"))


def test_each_rule_fires_and_does_not_fire() -> None:
    cases = Path(__file__).with_name("prometheus_rules.yml")
    assert "SUCCESS" in promtool("test", "rules", str(cases))
    verdicts = [
        (each["alertname"], bool(each.get("exp_alerts")))
        for test in yaml.safe_load(cases.read_text(encoding="utf-8"))["tests"]
        for each in test["alert_rule_test"]
    ]
    assert set(verdicts) == {(rule["alert"], fires) for rule in rules() for fires in (True, False)}


def queries(kind: str) -> dict[str, str]:
    """What the boards ask, in PromQL (`expr`) or SQL (`rawSql`), by panel."""
    return {
        panel["title"]: panel["targets"][0][kind]
        for board in boards().values()
        for panel in json.loads(board)["panels"]
        if kind in panel["targets"][0]
    }


def selectors() -> set[str]:
    """Every series that a rule looks at, over the time that it looks at."""
    return {
        found.group()
        for rule in rules()
        for found in re.finditer(r"ecommerce_\w+(\{[^}]*\})?(\[\w+\] offset \w+)?", rule["expr"])
    }


@pytest.fixture
def bad_days(
    platform: Platform,
    kafka: Broker,
    pushgateway: str,
    webhook: Webhook,
    prefect_server: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A good daily run, then a day on which every other order is wrong, and nobody mends it for three days."""
    from flows.daily import daily_ecommerce_pipeline

    monkeypatch.setenv("OPS_DSN", platform.dsn)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.address)
    monkeypatch.setenv("INVENTORY_TOPIC", kafka.make_topic())
    monkeypatch.setenv("SLACK_WEBHOOK_URL", webhook.url)
    webhook.answers.extend([404] * 9)
    put(platform, "customers", customer(1))
    put(platform, "products", product(1))
    put(platform, "orders", *(order(number) for number in range(1, 31)))
    daily_ecommerce_pipeline(DAY)
    put(platform, "orders", *(order(100 + n, order_date=NEXT_DAY, quantity=n % 2) for n in range(30)))
    for days in range(3):
        with pytest.raises(DataFailure, match="15 of 30 rows"):
            daily_ecommerce_pipeline(NEXT_DAY + dt.timedelta(days=days))


@pytest.fixture
def prometheus(bad_days: None, pushgateway: str, tmp_path: Path) -> Iterator[str]:
    """A Prometheus on our own configuration, in a hurry, that has known the gateway's series for eight days."""
    config = yaml.safe_load((CONFIG / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(RULES)]
    del config["alerting"]
    (scrape,) = config["scrape_configs"]
    scrape["static_configs"] = [{"targets": [pushgateway.removeprefix("http://")]}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    remember(pushgateway, tmp_path)
    with open_prometheus(tmp_path, tmp_path / "prometheus.yml") as url:
        yield url


def remember(pushgateway: str, folder: Path) -> None:
    """Write what the gateway shows now into Prometheus's store, for every hour of the last eight days."""
    now = int(time.time())
    lines = []
    for (name, labels), value in sorted(pushed(pushgateway).items(), key=lambda each: each[0][0]):
        if not lines or lines[-1].split("{")[0] != name:
            lines.append(f"# TYPE {name} gauge")
        pairs = ",".join(f'{label}="{text}"' for label, text in sorted(labels))
        lines += [f"{name}{{{pairs}}} {value} {now - 3600 * hours}" for hours in range(8 * 24, 2, -1)]
    (folder / "history").write_text("\n".join([*lines, "# EOF", ""]))
    promtool("tsdb", "create-blocks-from", "openmetrics", str(folder / "history"), str(folder / "tsdb"))


def ask(prometheus: str, query: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": query}, timeout=10).json()
    assert answer["status"] == "success", answer
    return answer["data"]["result"]


def firing(prometheus: str) -> set[str]:
    alerts = httpx.get(f"{prometheus}/api/v1/alerts", timeout=10).json()["data"]["alerts"]
    return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


@pytest.mark.slow
def test_three_bad_days_fire_and_every_board_and_rule_has_its_data(
    prometheus: str, platform: Platform
) -> None:
    wait_until(lambda: "LowQuality" in firing(prometheus), 30)
    assert firing(prometheus) == {"LowQuality"}
    (score,) = ask(prometheus, 'ecommerce_quality_score{platform="production"}')
    # Orders, and nothing else, came in since.
    assert score["value"][1] == "0.5"
    assert score["metric"]["job"] == "ecommerce-pipeline"

    asked = queries("expr")
    assert len(asked) > 10
    for title, query in asked.items():
        assert ask(prometheus, query.replace("$platform", "production")), title
    watched = selectors()
    assert len(watched) >= len(rules())
    for selector in watched:
        assert ask(prometheus, f"count_over_time({selector})" if "[" in selector else selector), selector

    found = queries("rawSql")
    assert len(found) >= 5
    for title, query in found.items():
        last_month = r"\1 between now() - interval '30 days' and now()"
        # psycopg2 has its own use for a per cent sign.
        statement = re.sub(r"\$__timeFilter\((\w+)\)", last_month, query).replace("%", "%%")
        assert platform.execute(statement), title
    runs = platform.execute("select status, rows_in, failed_step from ops.pipeline_runs order by started_at")
    assert runs == [("completed", 32, None), *[("failed", 0, "quality-bronze")] * 3]
