"""The plan of a replay on one screen."""

from rich.console import Console
from rich.table import Table

from lake.quarantine import PATCH, RULE, SOURCE
from tasks.replay.plan import WAITING, ReplayPlan

STATES = {
    RULE: "passes the rules now",
    SOURCE: "replaced by a newer version",
    PATCH: "patched",
    WAITING: "waits for a fix",
}


def show(plan: ReplayPlan, console: Console) -> None:
    """Print a line per day, reason and state, then the sum."""
    table = Table("day", "reason", "rows", "state", box=None, pad_edge=False)
    table.columns[2].justify = "right"
    for each in plan.counts:
        table.add_row(str(each.ds or ""), each.reason, f"{each.rows:,}", STATES[each.fix])
    if plan.counts:
        console.print(table)
    console.print(summary(plan), soft_wrap=True, highlight=False)


def summary(plan: ReplayPlan) -> str:
    """Sentences about the whole."""
    if not plan.rows:
        return f"quarantine.{plan.selection.table} has no such row: nothing to replay."
    waiting = sum(each.rows for each in plan.counts if each.fix == WAITING)
    text = f"{plan.rows - waiting:,} of {plan.rows:,} rows will leave quarantine.{plan.selection.table}."
    return (
        f"{text} A run looks again whether the source has corrected the {waiting:,} that wait."
        if waiting
        else text
    )
