"""Metrics for Prometheus, through a Pushgateway: the outcome of a run, and the lake's state after it.

Two groups of series per platform, each under a key that stays the same, so that runs replace each other and
never pile up: one per flow for its last run, and one for the lake. Groups are added to (POST), so that a
failed run leaves the time of the last success as it was.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import takewhile
from urllib.error import URLError
from urllib.parse import unquote, urlsplit

from prefect.logging import get_logger
from prometheus_client import CollectorRegistry, Gauge, pushadd_to_gateway
from prometheus_client.exposition import basic_auth_handler

from blocks.settings.environment import PlatformName
from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.ledger.queries import quality_scores
from tasks.ledger.run import Run
from tasks.monitoring.freshness import consumer_lag, newest_data

JOB = "ecommerce-pipeline"
TIMEOUT_SECONDS = 5
# So many low days in a row are counted; more would not be worse.
LONGEST_STREAK = 30
# All are gauges: they describe the last run or the present state, not everything since some start.
METRICS = {
    "ecommerce_run_success": "1 if the flow's last run completed, 0 if it failed",
    "ecommerce_run_duration_seconds": "Wall time of the flow's last run",
    "ecommerce_run_records_processed": "Rows that came into the last run, over all tables",
    "ecommerce_run_last_success_timestamp_seconds": "When the last run that completed ended",
    "ecommerce_step_duration_seconds": "Wall time of each step of the last run",
    "ecommerce_table_rows_in": "Rows that came into the table's job in the last run",
    "ecommerce_table_rows_out": "Of these, the rows that were inserted or replaced an older one",
    "ecommerce_table_rows_quarantined": "Of these, the rows that broke a rule",
    "ecommerce_table_last_success_timestamp_seconds": "When the table last received all new rows",
    "ecommerce_table_newest_data_timestamp_seconds": "When the newest row of the silver table became true",
    "ecommerce_quality_score": "Share of rows, 0 to 1, that passed the row rules, of the last validated day",
    "ecommerce_quality_low_days": "Validated days in a row, up to the last, below QUALITY_MINIMUM",
    "ecommerce_consumer_lag_events": "Events that Kafka holds and the lake does not",
}
# (metric, its labels, its value)
Sample = tuple[str, dict[str, str], float]


def push_metrics(run: Run, settings: Settings, lake: Lake) -> None:
    """Push the metrics of a run and of the lake to `PUSHGATEWAY_URL`, if that is set.

    A metric that cannot be measured or pushed is logged and left out: the run ends as it ends.
    """
    try:
        if gateway := settings.pushgateway_url.get_secret_value():
            platform = {"platform": PlatformName().platform}
            _push(gateway, run_samples(run), platform | {"flow": run.flow})
            _push(gateway, state_samples(settings, lake), platform)
    except Exception as error:
        # Not the error's own words: the address may hold a password, and some errors quote it.
        reason = error.reason if isinstance(error, URLError) else type(error).__name__
        get_logger("metrics").warning(
            "run %s: PUSHGATEWAY_URL took no metrics (%s); start the gateway, or correct the address",
            run.run_id,
            reason,
        )


def run_samples(run: Run) -> Iterator[Sample]:
    """The metrics of a run that has ended."""
    now, is_good = dt.datetime.now(dt.UTC).timestamp(), run.status == "completed"
    yield "ecommerce_run_success", {}, is_good
    yield "ecommerce_run_duration_seconds", {}, run.duration_seconds or 0
    yield "ecommerce_run_records_processed", {}, sum(table.rows_in for table in run.tables)
    if is_good:
        yield "ecommerce_run_last_success_timestamp_seconds", {}, now
    for step, seconds in run.seconds.items():
        yield "ecommerce_step_duration_seconds", {"step": step}, seconds
    for table in run.tables:
        label = {"table": table.table}
        yield "ecommerce_table_rows_in", label, table.rows_in
        yield "ecommerce_table_rows_out", label, table.rows_out
        yield "ecommerce_table_rows_quarantined", label, table.quarantined
        if is_good:
            yield "ecommerce_table_last_success_timestamp_seconds", label, now


def state_samples(settings: Settings, lake: Lake) -> Iterator[Sample]:
    """The metrics of the lake's state, whichever flow ran last."""
    for part in (_quality, _freshness, _lag):
        try:
            yield from part(settings, lake)
        except Exception as error:
            get_logger("metrics").warning("no metrics about %s: %s", part.__name__.strip("_"), error)


def _quality(settings: Settings, lake: Lake) -> Iterator[Sample]:
    if scores := [score for _, score in quality_scores(lake, LONGEST_STREAK)]:
        low = takewhile(lambda score: score < settings.quality_minimum, scores)
        yield "ecommerce_quality_score", {}, scores[0]
        yield "ecommerce_quality_low_days", {}, sum(1 for _ in low)


def _freshness(settings: Settings, lake: Lake) -> Iterator[Sample]:
    for table, at in newest_data(lake, dt.datetime.now(dt.UTC)).items():
        yield "ecommerce_table_newest_data_timestamp_seconds", {"table": table}, at.timestamp()


def _lag(settings: Settings, lake: Lake) -> Iterator[Sample]:
    if not settings.kafka_bootstrap_servers:
        return
    for partition, events in consumer_lag(settings, lake).items():
        labels = {"topic": settings.inventory_topic, "partition": str(partition)}
        yield "ecommerce_consumer_lag_events", labels, events


def _push(gateway: str, samples: Iterable[Sample], key: dict[str, str]) -> None:
    address = urlsplit(gateway)
    pushadd_to_gateway(
        address._replace(netloc=address.netloc.rpartition("@")[2]).geturl(),
        JOB,
        _registry(samples),
        grouping_key=key,
        timeout=TIMEOUT_SECONDS,
        handler=partial(
            basic_auth_handler,
            username=unquote(address.username) if address.username else None,
            password=unquote(address.password) if address.password else None,
        ),
    )


def _registry(samples: Iterable[Sample]) -> CollectorRegistry:
    registry, gauges = CollectorRegistry(), dict[str, Gauge]()
    for name, labels, value in samples:
        if name not in gauges:
            gauges[name] = Gauge(name, METRICS[name], list(labels), registry=registry)
        (gauges[name].labels(**labels) if labels else gauges[name]).set(value)
    return registry
