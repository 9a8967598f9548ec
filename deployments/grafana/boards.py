"""The Grafana boards as code: what each panel asks, and of whom. Grafana reads the JSON that this writes.

python -m deployments.grafana.boards  # after a change; wants the development packages
"""

import json
import re
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.runtime import UnknownDataquery
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    TableCellHeight,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
    VariableRefresh,
)

from tasks.monitoring.metrics import METRICS

FOLDER = Path(__file__).parent / "dashboards"
# As deployments/grafana/provisioning/datasources names them.
PROMETHEUS = DataSourceRef("prometheus", "prometheus")
OPS = DataSourceRef("grafana-postgresql-datasource", "ops")
HERE = 'platform="$platform"'
DAILY = f'{HERE}, flow="daily-ecommerce-pipeline"'

SCORES = """
select min(recorded_at) as time, 1 - sum(rows_unexpected)::float / sum(rows_checked) as score
from ops.quality_results
where $__timeFilter(recorded_at) and layer = 'bronze' and expectation like 'reject_reason %'
group by ds
having sum(rows_checked) > 0
order by time
"""
REJECTED = """
select recorded_at as time, table_name as metric, rows_quarantined as rows
from ops.table_runs
where $__timeFilter(recorded_at)
order by time
"""
FAILED_EXPECTATIONS = """
with validated as (
    select *, max(recorded_at) over (partition by layer, table_name) as last_validated_at
    from ops.quality_results
)
select
    severity, layer, table_name, expectation, coalesce(rows_unexpected::text, observed) as seen, samples,
    consequence, ds
from validated
where not is_success and recorded_at = last_validated_at
order by severity, layer, table_name
"""
RUNS = """
select
    started_at, flow, ds, status, failed_step, round(duration_seconds) as seconds, rows_in, rows_quarantined,
    error
from ops.pipeline_runs
where $__timeFilter(started_at)
order by started_at desc
"""
NOT_DELIVERED = """
select recorded_at, severity, kind, channel, detail
from ops.alert_deliveries
where $__timeFilter(recorded_at) and not is_delivered
order by recorded_at desc
"""


class Sql(Builder[Dataquery]):
    """A query of PostgreSQL, which the SDK has no builder for."""

    def __init__(self, query: str, shape: str) -> None:
        self.query, self.shape = query, shape

    def build(self) -> UnknownDataquery:
        """The query as Grafana keeps it."""
        source = {"datasource": OPS.to_json(), "editorMode": "code", "rawQuery": True}
        return UnknownDataquery({"refId": "A", **source, "rawSql": self.query.strip(), "format": self.shape})


def boards() -> dict[str, str]:
    """Every board as JSON, by the name of its file."""
    made = {
        "pipeline-health": _board("Pipeline health", 7, pipeline_health()),
        "daily-data-quality": _board("Daily data quality", 30, daily_data_quality()),
    }
    return {
        f"{name}.json": json.dumps(board.uid(name).build(), cls=JSONEncoder, indent=2) + "\n"
        for name, board in made.items()
    }


def pipeline_health() -> list[Builder]:
    """Do runs succeed, how long do they take, how new are the tables, does anything wait?"""
    age = "time() - ecommerce_{}_timestamp_seconds{{{}}}".format
    success = _number("Last run of each flow", _promql(f"ecommerce_run_success{{{HERE}}}", "{{flow}}"))
    words = {"0": ValueMappingResult("failed"), "1": ValueMappingResult("completed")}
    return [
        _number("Since the last good daily run", _promql(age("run_last_success", DAILY)), "s", red=26 * 3600),
        success.mappings([ValueMap(words)]).thresholds(_steps(("red", None), ("green", 1))),
        _number("Alerts that fire", _promql('count(ALERTS{alertstate="firing"}) or vector(0)'), red=1),
        _lines("Duration of runs", _promql(f"ecommerce_run_duration_seconds{{{HERE}}}", "{{flow}}"), "s"),
        _lines(
            "Duration of the daily run's steps",
            _promql(f"ecommerce_step_duration_seconds{{{DAILY}}}", "{{step}}"),
            "s",
        ),
        _lines("Records processed", _promql(f"ecommerce_run_records_processed{{{HERE}}}", "{{flow}}")),
        _lines("Rows taken in", _promql(f"ecommerce_table_rows_out{{{HERE}}}", "{{table}} ({{flow}})")),
        _lines("Age of the newest row", _promql(age("table_newest_data", HERE), "{{table}}"), "s"),
        _lines(
            "Since everything was taken in",
            _promql(age("table_last_success", HERE), "{{table}} ({{flow}})"),
            "s",
        ),
        _lines(
            "Events that wait in Kafka",
            _promql(f"ecommerce_consumer_lag_events{{{HERE}}}", "{{topic}}-{{partition}}"),
        ),
    ]


def daily_data_quality() -> list[Builder]:
    """The board of data quality, from Prometheus and the run ledger."""
    share = f"ecommerce_table_rows_quarantined{{{HERE}}} / (ecommerce_table_rows_in{{{HERE}}} > 0)"
    score = _number(
        "Quality score of the last day", _promql(f"ecommerce_quality_score{{{HERE}}}"), "percentunit"
    )
    return [
        score.thresholds(_steps(("red", None), ("yellow", 0.95), ("green", 0.99))),
        _number("Low days in a row", _promql(f"ecommerce_quality_low_days{{{HERE}}}"), red=3),
        _number("Rejected in the last run", _promql(share, "{{table}}"), "percentunit", red=0.05),
        _lines("Quality score of each day", Sql(SCORES, "time_series"), "percentunit"),
        _lines("Rejected rows of each run", Sql(REJECTED, "time_series")),
        _rows("Expectations that fail", FAILED_EXPECTATIONS),
        _rows("Runs", RUNS),
        _rows("Alerts that a channel did not take", NOT_DELIVERED),
    ]


def _board(title: str, days: int, panels: list[Builder]) -> dashboard.Dashboard:
    platform = (
        dashboard.QueryVariable("platform")
        .label("Platform")
        .datasource(PROMETHEUS)
        .query("label_values(ecommerce_run_success, platform)")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )
    board = dashboard.Dashboard(title).tags(["ecommerce-pipeline"]).timezone("utc").refresh("1m").readonly()
    board.time(f"now-{days}d", "now").with_variable(platform)
    for panel in panels:
        board.with_panel(panel)
    return board


def _number(
    title: str, target: prometheus.Dataquery, unit: str = "none", red: float | None = None
) -> stat.Panel:
    """A panel of the present value; from `red` on it is red."""
    panel = stat.Panel().title(title).datasource(PROMETHEUS).unit(unit).span(8).height(5)
    panel.description(_words(target))
    thresholds = _steps(("green", None), *([("red", red)] if red is not None else []))
    return panel.graph_mode(BigValueGraphMode.NONE).thresholds(thresholds).with_target(target.instant())


def _lines(title: str, target: Builder[Dataquery], unit: str = "short") -> timeseries.Panel:
    """A panel of values over time."""
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).show_legend(True)
    legend.placement(LegendPlacement.BOTTOM)
    panel = timeseries.Panel().title(title).unit(unit).min(0).span(12).height(8).legend(legend)
    panel.description(_words(target))
    return panel.datasource(OPS if isinstance(target, Sql) else PROMETHEUS).with_target(target)


def _rows(title: str, query: str) -> table.Panel:
    """A panel of rows of the run ledger."""
    panel = table.Panel().title(title).datasource(OPS).span(24).height(8)
    return panel.cell_height(TableCellHeight.SM).with_target(Sql(query, "table"))


def _words(target: Builder[Dataquery]) -> str:
    """What the metrics of a query are, in the words of the pipeline that measures them."""
    text = target.query if isinstance(target, Sql) else str(getattr(target.build(), "expr", ""))
    return "\n\n".join(words for metric, words in METRICS.items() if re.search(rf"\b{metric}\b", text))


def _steps(*steps: tuple[str, float | None]) -> dashboard.ThresholdsConfig:
    thresholds = [Threshold(value, color) for color, value in steps]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(thresholds)


def _promql(expression: str, legend: str = "") -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(expression).legend_format(legend).datasource(PROMETHEUS).ref_id("A")


if __name__ == "__main__":
    for file, text in boards().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
