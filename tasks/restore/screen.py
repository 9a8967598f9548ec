"""The plan of a restore on one screen."""

from rich.console import Console
from rich.table import Table

from tasks.restore.plan import Part, RestorePlan
from tasks.restore.request import WAREHOUSE


def show(plan: RestorePlan, console: Console) -> None:
    """Print a line per table that is replaced, then what follows."""
    if plan.parts:
        table = Table("table", "rows now", "rows then", "as of", box=None, pad_edge=False)
        for column in table.columns[1:3]:
            column.justify = "right"
        for part in plan.parts:
            now = "damaged" if part.damage else _number(part.rows_now, "none")
            table.add_row(part.name, now, _number(part.rows_then, "all there are"), _as_of(part))
        console.print(table)
    for sentence in summary(plan):
        console.print(sentence, soft_wrap=True, highlight=False)


def show_state(damaged: dict[str, str], tables: list[str], console: Console) -> None:
    """Print whether the tables of the lake are whole, and what is wrong with those that are not."""
    for name, wrong in damaged.items():
        console.print(f"{name}: {wrong}", soft_wrap=True, highlight=False)
    whole = len(tables) - len(damaged)
    console.print(f"{whole} of {len(tables)} tables of the lake are whole.", highlight=False)


def summary(plan: RestorePlan) -> list[str]:
    """Sentences about the whole."""
    wanted = plan.wanted
    sentences = [f"Restore {wanted}; tables replaced: {len(plan.parts)}."] if plan.parts else []
    sentences += [f"{part.name} is damaged: {part.damage}." for part in plan.parts if part.damage]
    if wanted.what == WAREHOUSE:
        begins = f"as the copy of {plan.moment:%Y-%m-%d %H:%M} UTC" if plan.moment else "empty"
        sentences.append(f"The warehouse begins {begins}; silver is loaded and the marts are built.")
        if wanted.source == "lake":
            sentences.append("Older versions of customers and products are not in silver: they are lost.")
    if wanted.is_of_bronze:
        sentences.append("What bronze then lacks is read from the shop and the click files.")
        if any(part.name == "bronze.inventory" for part in plan.parts):
            sentences.append("Stock events come with the next `python -m flows.inventory`.")
        sentences.append(
            "Versions of rows that the source no longer has, and patches of replays, are lost with what goes."
        )
    if wanted.is_built_again:
        sentences.append("Silver, quarantine, gold and the marts are built again, beside the live ones.")
    elif wanted.what != WAREHOUSE and not wanted.what.startswith("ops."):
        sentences.append("What bronze has had since is brought in again, and the marts are built.")
    return sentences


def _number(rows: int | None, otherwise: str) -> str:
    return otherwise if rows is None else f"{rows:,}"


def _as_of(part: Part) -> str:
    moment = f"{part.moment:%Y-%m-%d %H:%M:%S} UTC" if part.moment else "now"
    return f"version {part.version}, {moment}" if part.version is not None else moment
