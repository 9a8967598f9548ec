"""The preview of a shop on one screen: the verdict, what to correct, then each table."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tasks.connect.models import ShopPreview, TablePreview

COLORS = {"ready": "green", "ready with warnings": "yellow", "not ready": "red", "unknown": "yellow"}

SHORT_NAMES = {
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "character varying": "varchar",
}


def show(shop: ShopPreview, console: Console) -> None:
    """Print the verdict, each table, then what to correct and the next command, where people look last."""
    verdict = Text(shop.verdict.upper(), f"bold {COLORS[shop.verdict]}")
    console.print(verdict, Text(f"shop {shop.database}"), soft_wrap=True)
    for table in shop.tables:
        _show_table(table, console)
    for color, title, sentences in (
        ("red", "Correct first", shop.broken),
        ("yellow", "Could not be read", shop.unknown),
        ("yellow", "Warnings, which stop no run", shop.warnings),
    ):
        if sentences:
            console.print()
            console.print(Text(title, "bold"))
        for sentence in sentences:
            console.print(Text(f"- {sentence}", color), soft_wrap=True)
    console.print()
    console.print(verdict, Text(f"next: {shop.next_command}"), soft_wrap=True)


def _show_table(table: TablePreview, console: Console) -> None:
    console.print()
    place = table.place if table.place.startswith("table ") else f"SHOP_QUERIES/{table.place}"
    about = f"read from {place}" if table.place else "cannot be read: see below"
    console.print(Text(table.table, "bold"), Text(about), soft_wrap=True)
    if not table.place:
        return
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for name, value in _facts(table):
        facts.add_row(Text(name, "dim"), Text(value))
    console.print(facts)
    columns = Table(box=None, header_style="dim", padding=(0, 2, 0, 2))
    for header in ("column", "found", "read as", ""):
        columns.add_column(header)
    for column in table.columns:
        color = "red" if column.is_refused else ""
        cells = (column.name, _short(column.found or "-"), _short(column.promised))
        columns.add_row(*(Text(cell, color) for cell in cells), Text(column.note, color or "dim"))
    console.print(columns)
    for sentence in table.additions:
        console.print(Text(f"  {sentence}", "dim"), soft_wrap=True)


def _short(type_name: str) -> str:
    for long, short in SHORT_NAMES.items():
        type_name = type_name.replace(long, short)
    return type_name


def _facts(table: TablePreview) -> list[tuple[str, str]]:
    if table.rows is None and not table.deletes:
        return []
    rows = "not known" if table.rows is None else f"{'about ' if table.is_estimate else ''}{table.rows:,}"
    facts = [
        ("rows", f"{rows}, newest {table.newest_row}"),
        ("index on the cursor", table.cursor_index),
        ("deletes", table.deletes),
    ]
    if table.sampled_rows:
        tried = f"tried on {table.sample}"
        facts.append(("row rules", tried if table.rejected else f"{tried}: none would be rejected"))
    facts += [
        (
            f"  {each.rule}",
            f"{each.share:.2%}, {each.rows:,} rows; {', '.join(each.samples)}",
        )
        for each in table.rejected
    ]
    return facts
