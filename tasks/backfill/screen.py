"""The plan of a backfill on one screen."""

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from lake.catalog import shop_tables
from tasks.backfill.plan import Day, Plan


def show(plan: Plan, console: Console) -> None:
    """Print a line per day, then the sum of what is to do."""
    tables = list(shop_tables())
    table = Table(*("day", *tables, "click files", "bytes", "state"), box=None, pad_edge=False)
    for column in table.columns[1:-1]:
        column.justify = "right"
    for day in plan.days:
        rows = ["" if day.is_covered else f"{day.rows.get(name, 0):,}" for name in tables]
        clicks = (f"{len(day.files):,}", decimal(sum(day.files))) if day.files else ("", "")
        table.add_row(str(day.ds), *rows, *clicks, "done" if day.is_done else "to do")
    console.print(table)
    for sentence in summary(plan):
        console.print(sentence, soft_wrap=True, highlight=False)


def summary(plan: Plan) -> list[str]:
    """Sentences about the whole."""
    if plan.is_done:
        return [f"All {len(plan.days)} days are in the marts: nothing to do."]
    if not plan.to_do:
        return [f"All {len(plan.days)} days are in the lake; the marts are to be built from them."]
    sentences = [f"{len(plan.to_do)} of {len(plan.days)} days to do: {_amount(plan.to_do)}."]
    if any(not day.is_covered for day in plan.days):
        since = f"since {plan.since:%Y-%m-%d %H:%M} UTC" if plan.since else "from before"
        sentences.append(f"The first of them brings the shop's rows {since}, too.")
        last = plan.days[-1].ds
        if last < plan.newest:
            sentences.append(
                f"Rows that the shop has changed after {last} come with later days; up to {plan.newest} none "
                "is missing."
            )
    sentences.append(_time(plan))
    return sentences


def _amount(days: list[Day]) -> str:
    rows = sum(sum(day.rows.values()) for day in days)
    files = [size for day in days for size in day.files]
    return f"{rows:,} rows, {len(files):,} click files of {decimal(sum(files))}"


def _time(plan: Plan) -> str:
    if plan.day_seconds is None:
        return "No daily run has completed yet that would tell how long it takes."
    most = plan.day_seconds * len(plan.to_do)
    return (
        f"It takes {most / 60:,.0f} minutes at most: so many daily runs of {plan.day_seconds:.0f} s. "
        "The marts are built once, at the end."
    )
