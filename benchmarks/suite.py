"""The benchmarks: first load by every contender, an unchanged re-run, day 30 against day 1."""

import datetime as dt
import shutil
import statistics
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import ours
from benchmarks.check import Layout, differences
from benchmarks.contender import REPOSITORY, Inputs
from benchmarks.data import DataSet, generate, next_day
from benchmarks.dlt_dbt import environment
from benchmarks.measure import CommandFailed, Measurement, measure

Settings = Callable[[Path], dict[str, str | None]]


@dataclass(frozen=True)
class Contender:
    """A program that does a day's work: `python -m COMMAND YYYY-MM-DD`."""

    key: str
    title: str
    command: tuple[str, ...]
    layout: Layout
    settings: Settings | None = None
    prepare: Callable[[Path], None] | None = None
    """Untimed: what an installation has before its first run."""

    @property
    def is_ours(self) -> bool:
        """Whether this is the project's own pipeline, and not what it is compared with."""
        return self.settings is not None


_LESSON = Layout(
    orders="silver/orders/{day}",
    clicks="bronze/clickstream/{day}",
    sales="silver/daily_aggregates/{day}/daily_sales",
    sales_of_the_day_only=True,
)
_OURS = Layout(orders="silver/orders", clicks="silver/clickstream", sales="gold/daily_sales")
_DLT = Layout(
    orders="shop.duckdb#marts.fct_orders",
    clicks="shop.duckdb#marts.stg_clicks",
    sales="shop.duckdb#marts.agg_daily_sales",
    order_amount="order_amount",
)
_HAND = Layout(
    orders="silver/{day}/orders.parquet",
    clicks="silver/{day}/clickstream.parquet",
    sales="gold/{day}/daily_sales.parquet",
)

CONTENDERS = {
    contender.key: contender
    for contender in (
        Contender("lesson", "lesson chain", ("benchmarks.lesson_chain",), _LESSON),
        Contender(
            "lesson-concurrent",
            "lesson chain, extracts together",
            ("benchmarks.lesson_chain", "--concurrent"),
            _LESSON,
        ),
        Contender("lake", "ours, lake work", ("benchmarks.ours",), _OURS, ours.settings),
        Contender("flow", "ours, whole daily flow", ("flows.daily",), _OURS, ours.settings, ours.prepare),
        Contender("dlt", "dlt and dbt", ("benchmarks.dlt_dbt",), _DLT, prepare=environment.install),
        Contender("hand", "DuckDB by hand", ("benchmarks.by_hand",), _HAND),
    )
}
# What the others' seconds are divided by: the part of ours that does the same work.
YARDSTICK = "lake"


@dataclass
class FirstLoad:
    """A contender's loads of the whole data set into an empty lake, and its unchanged re-runs."""

    contender: Contender
    runs: list[Measurement] = field(default_factory=list)
    reruns: list[Measurement] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    failure: str | None = None

    @property
    def typical(self) -> Measurement | None:
        """The run of median length."""
        return median_run(self.runs)


@dataclass(frozen=True)
class History:
    """One contender's daily runs over days of equal volume."""

    contender: Contender
    share: float
    days: list[Measurement]
    differences: list[str]

    @property
    def growth(self) -> float:
        """The last day's seconds over the first's, each the median of three days, to keep noise out."""
        early, late = ([run.seconds for run in part] for part in (self.days[:3], self.days[-3:]))
        return statistics.median(late) / statistics.median(early)


class Workshop:
    """A scratch folder in which contenders run, each in a sub-folder of its own."""

    def __init__(self, folder: Path, memory_limit: int | None = None) -> None:
        self.folder, self.memory_limit = folder, memory_limit

    def clear(self, contender: Contender) -> None:
        """An empty lake and warehouse, as in a new installation."""
        shutil.rmtree(self._home(contender), ignore_errors=True)
        self.lake(contender).mkdir(parents=True)
        if contender.prepare:
            contender.prepare(self._home(contender))

    def lake(self, contender: Contender) -> Path:
        """The contender's lake."""
        return self._home(contender) / "lake"

    def log(self, contender: Contender) -> Path:
        """The output of the contender's last run."""
        return self.folder / "logs" / f"{contender.key}.log"

    def run(self, contender: Contender, data: DataSet, day: dt.date) -> Measurement:
        """One measured run for `day` on what the contender's folder holds."""
        inputs = Inputs(data.dsn, data.clickstream, self.lake(contender))
        environment: dict[str, str | None] = dict(inputs.environment())
        if contender.settings:
            environment |= contender.settings(self._home(contender))
        return measure(
            [sys.executable, "-m", *contender.command, day.isoformat()],
            environment=environment,
            directory=REPOSITORY,
            log=self.log(contender),
            memory_limit=self.memory_limit,
        )

    def _home(self, contender: Contender) -> Path:
        return self.folder / contender.key


def first_loads(
    data: DataSet, contenders: Iterable[Contender], workshop: Workshop, *, repeat: int, rerun: bool
) -> list[FirstLoad]:
    """Load `data` with every contender in turn, `repeat` times over; ours also runs again, unchanged."""
    results = [FirstLoad(contender) for contender in contenders]
    for _ in range(repeat):
        for result in results:
            if result.failure is None:
                _load_once(data, result, workshop, rerun=rerun and result.contender.is_ours)
    return results


def _load_once(data: DataSet, result: FirstLoad, workshop: Workshop, *, rerun: bool) -> None:
    workshop.clear(result.contender)
    try:
        result.runs.append(workshop.run(result.contender, data, data.day))
        if rerun:
            result.reruns.append(workshop.run(result.contender, data, data.day))
    except CommandFailed as failure:
        result.failure = str(failure)
        return
    # After the re-run on purpose: it must not have changed the answer.
    result.differences = differences(data, workshop.lake(result.contender), result.contender.layout)


def history(data: DataSet, contender: Contender, workshop: Workshop, *, days: int, share: float) -> History:
    """Run `days` daily runs of equal volume, `share` of the scale each, on a shop that began the day before.

    Replaces the source tables. Starting small is the hard case: the lake of the last day is `days` times
    that of the first, and only the work that grows with history can tell the two apart.
    """
    workshop.clear(contender)
    folder = workshop.folder / "history"
    shutil.rmtree(folder, ignore_errors=True)
    small = generate(data.scale.part(share), data.dsn, folder, data.day)
    workshop.run(contender, small, small.day)
    runs = []
    for number in range(1, days + 1):
        day = small.day + dt.timedelta(days=number)
        next_day(small, day, small.scale.daily_changes())
        runs.append(workshop.run(contender, small, day))
    # The day before day 1 counts too.
    return History(
        contender, share, runs, differences(small, workshop.lake(contender), contender.layout, days=days + 1)
    )


def median_run(runs: list[Measurement]) -> Measurement | None:
    """The run of median length, the shorter of two in the middle."""
    return sorted(runs, key=lambda run: run.seconds)[(len(runs) - 1) // 2] if runs else None
