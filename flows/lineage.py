"""The lineage of every column, from the shop's tables to the report: one page, and JSON.

python -m flows.lineage                       # write both anew
python -m flows.lineage unit_cost             # and say what the columns of this name are made of, and seen in

Not a flow: the quality flow writes the same files (docs/lineage.md). Exit code 1: they could not be written,
or there is no such column.
"""

import argparse
import sys

from rich.console import Console
from rich.tree import Tree

from blocks.settings.settings import Settings
from tasks.lineage.files import trace_lineage, write_lineage_files
from tasks.lineage.graph import Lineage, Ref
from tasks.runs.command_line import failures_in_words
from tasks.runs.console import silence_teardown


def main() -> None:
    """Write the files, and show the columns that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m flows.lineage", description="Write the lineage of every column."
    )
    parser.add_argument("columns", nargs="*", help="to show: [<dataset>.]<column>", metavar="COLUMN")
    silence_teardown()
    names = parser.parse_args().columns
    with failures_in_words():
        settings = Settings()
        lineage = trace_lineage(settings)
        files = write_lineage_files(settings, lineage)
    for name in names:
        if not lineage.find(name):
            sys.exit(f"error: no column is called {name}")
        for ref in lineage.find(name):
            Console(soft_wrap=True).print(tree(lineage, ref))
            sys.stdout.write(f"seen in: {', '.join(seen_in(lineage, ref)) or 'nothing that people read'}\n\n")
    sys.stdout.write("".join(f"{file}\n" for file in files))


def tree(lineage: Lineage, ref: Ref) -> Tree:
    """A column, and below it what it is made of, down to the shop."""
    made = lineage.column(ref).made
    branch = Tree(f"{ref} [dim]{made}[/dim]" if made else str(ref))
    for above in lineage.column(ref).direct:
        branch.add(tree(lineage, above))
    return branch


def seen_in(lineage: Lineage, ref: Ref) -> list[str]:
    """What people read that is made of a column."""
    read = ("gold", "features", "metrics", "report")
    return [str(use) for use in lineage.uses(ref) if lineage.dataset(use.dataset).layer in read]


if __name__ == "__main__":
    main()
