"""An alert, before any channel gives it a form."""

import datetime as dt
from typing import Annotated, Literal

from prefect.utilities.urls import url_for
from pydantic import AfterValidator, BaseModel, Field

from blocks.settings.fields import AlertFields, Severity

Kind = Literal[
    "run-completed",
    "run-with-warnings",
    "run-failed",
    "run-failed-twice",
    "trouble-over",
    "low-quality",
    "stock-low",
    "stock-out",
    "stock-refilled",
]
"""The event that an alert is about. Each has a heading in the runbook."""


# The name of the fact that is the command to call next.
GO_ON = "to go on"
COLORS = {"info": "#2eb67d", "warning": "#f2952f", "error": "#d72b3f", "critical": "#8b0020"}


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


# Text that holds words of the shop's own, as a product's name, where a channel has room for one line.
OneLine = Annotated[str, AfterValidator(_on_one_line)]


class Alert(BaseModel):
    """One message. `alert_id` is the same whenever people are notified of the same thing again."""

    alert_id: str
    kind: Kind
    severity: Severity
    title: OneLine
    run_id: str
    flow: str
    facts: dict[OneLine, str]
    """Details by name, in the order in which a person wants them."""
    run_url: str | None = None
    runbook_url: str
    dedup_key: str
    """PagerDuty groups by it: a failing flow is one incident until a run of it is good again."""
    is_resolution: bool = False
    """True if the trouble of earlier alerts is over."""
    undoes: Severity | None = None
    """Of good news, the severity of the bad news before it: both go to the same channels."""
    troubles: list[str] = []
    """The names of what it is about; people who know them all are not told again."""
    ends: list[str] = []
    """The names of the troubles that are over."""
    may_repeat: bool = False
    """True if people are reminded of the trouble until somebody acknowledges it."""
    at: dt.datetime = Field(default_factory=lambda: dt.datetime.now(dt.UTC))
    """When it became true."""
    period: tuple[dt.datetime, dt.datetime] | None = None
    """The time that it is about; it is not told if a maintenance window overlaps it."""

    @property
    def is_good_news(self) -> bool:
        """Whether it says that bad news of before no longer holds."""
        return self.undoes is not None


def run_link(run_id: str) -> str | None:
    """The run's page in Prefect's UI, if there is one."""
    return url_for("flow-run", obj_id=run_id)


def runbook_link(settings: AlertFields, kind: str) -> str:
    """The address of the runbook's heading about a kind of alert."""
    return f"{settings.runbook_url}#{kind}"
