"""The status: everything that is broken now, by the lake, the warehouse file and Kafka, in a second or two.

Only reads, and needs no Prefect: it must answer when Prefect is broken. A reading that fails is reported as
unknown, never as good.
"""

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, computed_field

from blocks.settings.environment import AlertThresholds
from blocks.settings.settings import EnvironmentSettings
from lake.delta import Lake
from lake.local_sql import connect
from tasks.alerts.troubles import Trouble, open_troubles
from tasks.ledger.overrides import STANDING, overrides
from tasks.ledger.queries import DAILY, latest, query_records
from tasks.monitoring.freshness import consumer_lag, newest_data

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
# As the rule ConsumerLag has it (deployments/prometheus/rules.yml).
MOST_LAG = 10_000
# Older alerts are no longer actionable.
ALERTS_FOR = dt.timedelta(days=7)


class LastRun(BaseModel):
    """The last run of a flow, and when one of its runs last completed."""

    flow: str
    ds: dt.date
    status: str
    started_at: dt.datetime
    failed_step: str | None
    error: str | None
    completed_at: dt.datetime | None


class OpenRows(BaseModel):
    """Rejected rows that no valid version of the same key has replaced."""

    source: str
    reason: str
    rows: int


class FailedExpectation(BaseModel):
    """An expectation that failed when its table was last validated."""

    layer: str
    table_name: str
    expectation: str
    severity: str
    samples: str | None
    ds: dt.date


class Undelivered(BaseModel):
    """An alert that none of its channels has delivered, and the answer of the last one."""

    alert_id: str
    severity: str
    recorded_at: dt.datetime
    detail: str | None


class Decided(BaseModel):
    """An override that stands, or that a person made for a run in the last days."""

    override_id: str
    decision: str
    person: str
    reason: str
    at: dt.datetime
    until: dt.datetime | None
    stands: bool


class Status(BaseModel):
    """The platform at one moment. `broken` and `unknown` are sentences; empty lists are good news.

    `open_quarantine` is None if the warehouse is in the cloud: the status screen does not connect to it.
    """

    at: dt.datetime
    lake: str
    warehouse: str
    runs: list[LastRun] = []
    newest_data: dict[str, dt.datetime] = {}
    open_quarantine: list[OpenRows] | None = None
    failed_expectations: list[FailedExpectation] = []
    consumer_lag: dict[int, int] = {}
    undelivered: list[Undelivered] = []
    troubles: list[Trouble] = []
    overrides: list[Decided] = []
    broken: list[str] = []
    unknown: list[str] = []

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> Literal["healthy", "broken", "unknown"]:
        """`broken` if anything is, else `unknown` if something could not be read, else `healthy`."""
        return "broken" if self.broken else "unknown" if self.unknown else "healthy"


def collect_status(settings: EnvironmentSettings, thresholds: AlertThresholds, now: dt.datetime) -> Status:
    """Collect the platform's status, with sentences about everything that is broken or unknown."""
    lake = Lake(settings.lake_uri)
    status = Status(at=now, lake=settings.lake_uri, warehouse=str(settings.duckdb_path))

    def try_read(what: str, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except Exception as error:
            reason = str(error).partition("\n")[0]
            status.unknown.append(f"{what}: {type(error).__name__}: {reason}")
            return otherwise

    with ThreadPoolExecutor(max_workers=1) as pool:
        # Of all readings only Kafka's may take long.
        lag = pool.submit(lambda: consumer_lag(settings, lake) if settings.kafka_bootstrap_servers else {})
        status.runs = try_read("runs", lambda: last_runs(lake), [])
        status.newest_data = try_read("freshness", lambda: newest_data(lake, now), {})
        status.failed_expectations = try_read("expectations", lambda: failed_expectations(lake), [])
        status.undelivered = try_read("alerts", lambda: undelivered(lake, now - ALERTS_FOR), [])
        status.troubles = try_read("troubles", lambda: list(open_troubles(lake).values()), [])
        status.overrides = try_read("overrides", lambda: decided(lake, now), [])
        if settings.warehouse == "duckdb" and (status.runs or settings.duckdb_path.exists()):
            status.open_quarantine = try_read(
                "quarantine", lambda: open_quarantine(settings.duckdb_path), None
            )
        status.consumer_lag = try_read("consumer lag", lag.result, {})
    if not status.runs and not status.unknown:
        status.unknown.append(f"runs: none is on record in {status.lake}; is LAKE_URI right?")
    status.broken = find_broken(status, thresholds)
    return status


def find_broken(status: Status, thresholds: AlertThresholds) -> list[str]:
    """Sentences about everything that people have to put right."""
    broken = []
    for run in status.runs:
        age = status.at - run.started_at
        if run.status == "failed":
            why = (run.error or "").partition("\n")[0]
            step = f"in {run.failed_step}" if run.failed_step else "before its first step"
            broken.append(f"{run.flow} {run.ds} failed {step}: {why}")
        elif run.status == "running" and age > thresholds.running_after:
            broken.append(f"{run.flow} {run.ds} has been running for {age}: it is stuck, or dead")
        if run.flow == DAILY and (
            run.completed_at is None or status.at - run.completed_at > thresholds.success_within
        ):
            broken.append(
                f"no {DAILY} has completed since {run.completed_at:%Y-%m-%d %H:%M} UTC"
                if run.completed_at
                else f"no {DAILY} has ever completed"
            )
    if status.runs and DAILY not in {run.flow for run in status.runs}:
        broken.append(f"no {DAILY} has ever run")
    broken += [
        f"{each.layer} {each.table_name}: {each.expectation}"
        for each in status.failed_expectations
        if each.severity == "critical"
    ]
    if (waiting := sum(status.consumer_lag.values())) > MOST_LAG:
        broken.append(f"{waiting:,} inventory events wait in Kafka")
    broken += [f"nobody was notified: {each.alert_id}" for each in status.undelivered]
    return broken


def last_runs(lake: Lake) -> list[LastRun]:
    """The last run of each flow, by flow."""
    query = f"""
        select
            flow, ds, status, started_at, failed_step, error,
            max(ended_at) filter (status = 'completed') over (partition by flow)
        from ({latest("pipeline_runs")})
        qualify row_number() over (partition by flow order by started_at desc) = 1
        order by flow
    """
    return _models(LastRun, query_records(lake, "pipeline_runs", query))


def failed_expectations(lake: Lake) -> list[FailedExpectation]:
    """Expectations that failed when each table was last validated, the worst first."""
    query = f"""
        select layer, table_name, expectation, severity, samples, ds
        from ({latest("quality_results")})
        qualify recorded_at = max(recorded_at) over (partition by layer, table_name) and not is_success
        order by list_position(['critical', 'warning', 'info'], severity), layer, table_name, expectation
    """
    return _models(FailedExpectation, query_records(lake, "quality_results", query))


def undelivered(lake: Lake, since: dt.datetime) -> list[Undelivered]:
    """Alerts since then that no channel has delivered, the newest first."""
    query = """
        select alert_id, any_value(severity), max(recorded_at), arg_max(detail, recorded_at)
        from records
        group by alert_id having not bool_or(is_delivered) and max(recorded_at) >= ?
        order by max(recorded_at) desc
    """
    return _models(Undelivered, query_records(lake, "alert_deliveries", query, [since]))


def decided(lake: Lake, now: dt.datetime) -> list[Decided]:
    """The overrides that stand now or will, then those of ALERTS_FOR, the newest first."""
    found = [
        Decided(
            **each.model_dump(include={"override_id", "decision", "person", "reason"}),
            at=each.starts_at,
            until=each.ends_at if each.kind in STANDING else None,
            stands=each.kind in STANDING and (each.ends_at is None or each.ends_at > now),
        )
        for each in overrides(lake)
    ]
    recent = [each for each in found if each.stands or each.at > now - ALERTS_FOR]
    return sorted(recent, key=lambda each: not each.stands)


def open_quarantine(warehouse: Path) -> list[OpenRows]:
    """Open quarantine of the live warehouse by source and reason, the commonest first."""
    query = """
        select source, reason, count(*) as rows from quarantine.open_rows
        group by all order by rows desc, source, reason
    """
    with connect(warehouse, read_only=True) as connection:
        return _models(OpenRows, connection.execute(query).fetchall())


def _models(model: type[M], rows: list[tuple[Any, ...]]) -> list[M]:
    return [model(**dict(zip(model.model_fields, row, strict=True))) for row in rows]
