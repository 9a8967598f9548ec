"""Troubles: what alerts are about. One trouble is told once, however many runs of whatever flows it spoils.

A trouble is known by a name that is the same in each of these runs: of a gate its table and expectation, of
anything else its message without what differs from run to run. `ops.alerts` says of each what was told, and
when it was over. Nothing here decides or sends anything; needs no Prefect.
"""

import datetime as dt
import re

from pydantic import BaseModel

from blocks.settings.failures import PipelineFailure
from blocks.settings.fields import Severity
from lake.delta import Lake
from tasks.ledger.queries import query_records
from tasks.ledger.run import Run

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error", "critical")
LONGEST = 200
# Commands name the day; dates, counts and ids differ; and so do the keys of sample rows.
COMMAND = re.compile(r"`[^`]*`")
NUMBER = re.compile(r"\b[0-9a-f]{8}(?:-?[0-9a-f]{4})+[0-9a-f]*\b|\d+(?:[.,:T-]\d+)*")
SAMPLES = re.compile(r"(, e\.g\. | \(product |; sample).*", re.DOTALL)
# Of warnings, those that say that a source brought nothing.
ABSENCE = re.compile(
    r"clickstream has no folder for|clickstream folder \S+ has no file|"
    r"table row count to be between.*: 0: |no order for days"
)


class Trouble(BaseModel):
    """A trouble that is not over, by `ops.alerts`. Rows of it are runs, and alerts about stock."""

    name: str
    kind: str
    """Of the first alert about it."""
    flows: list[str]
    runs: int
    alerts: int
    """Alerts about it, told or not."""
    told: int
    """Alerts about it that a channel has delivered."""
    severity: Severity | None
    """The worst that people were told; None if nobody was told of it."""
    began_at: dt.datetime
    last_at: dt.datetime

    def is_told(self, severity: Severity) -> bool:
        """Whether people know of it, and that it is as bad as this."""
        return self.severity is not None and rank(self.severity) >= rank(severity)


def rank(severity: Severity) -> int:
    """The severity as a number, the worst the highest."""
    return SEVERITIES.index(severity)


def name_of(text: str) -> str:
    """The name of the trouble that a message is about: without what differs from run to run."""
    words = " ".join(COMMAND.sub("", text).split())
    return NUMBER.sub("#", SAMPLES.sub("", words))[:LONGEST].rstrip(" .;:(")


def failure_troubles(error: BaseException) -> list[str]:
    """The names of the troubles that a run has failed of."""
    if not isinstance(error, Exception):
        return ["stopped from outside"]
    given = error.troubles if isinstance(error, PipelineFailure) else ()
    return list(dict.fromkeys(map(name_of, given))) or [name_of(f"{type(error).__name__}: {error}")]


def note_troubles(run: Run) -> dict[str, str]:
    """What deserves a look in a run that completed: each note by the name of its trouble."""
    results = {str(result): name_of(result.trouble) for result in run.warnings}
    return {results.get(note) or name_of(note): note for note in run.notes}


def is_absence(note: str) -> bool:
    """Whether a note says that a source brought nothing."""
    return bool(ABSENCE.search(note))


def open_troubles(lake: Lake) -> dict[str, Trouble]:
    """The troubles that are not over, by name, those that people were told of last first."""
    rows = query_records(
        lake,
        "alerts",
        """
        with ends as (
            select trouble, max(recorded_at) as over_at from records
            where is_over and outcome != 'undelivered' group by trouble
        )
        select
            trouble, arg_min(kind, recorded_at), list_sort(list_distinct(list(flow))),
            count(distinct run_id), count(distinct alert_id),
            count(distinct alert_id) filter (outcome = 'told'),
            arg_max(severity, list_position($severities, severity)) filter (outcome = 'told'),
            min(recorded_at), max(recorded_at)
        from records left join ends using (trouble)
        where trouble is not null and not is_over
            and recorded_at > coalesce(over_at, '-infinity'::timestamptz)
        group by trouble order by max(recorded_at) filter (outcome = 'told') desc nulls last, trouble
        """,
        {"severities": list(SEVERITIES)},
    )
    fields = list(Trouble.model_fields)
    return {row[0]: Trouble(**dict(zip(fields, row, strict=True))) for row in rows}
