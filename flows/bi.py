"""Files of the marts as they are: LookML, Ossie, Tableau's extracts, and a page that needs no tool.

python -m flows.bi             # all of them
python -m flows.bi looker      # those of one tool: looker, ossie, tableau or explore

Not a flow: runs write the same files by tasks of their own (docs/bi.md). Exit code 1: something could not be
written, or published.
"""

import argparse
import sys
from pathlib import Path

import humanize

from blocks.settings.settings import Settings
from tasks.bi.files import TOOLS, build_files
from tasks.runs.command_line import failures_in_words
from tasks.runs.console import silence_teardown


def main() -> None:
    """Write what the command line names, and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m flows.bi", description="Write the files for BI tools.")
    parser.add_argument("tools", nargs="*", help=f"of {', '.join(TOOLS)}; default: all", metavar="TOOL")
    silence_teardown()
    tools = parser.parse_args().tools or TOOLS
    if unknown := [tool for tool in tools if tool not in TOOLS]:
        parser.error(f"no such tool: {', '.join(unknown)}; choose from {', '.join(TOOLS)}")
    with failures_in_words():
        for folder in build_files(Settings(), tools):
            sys.stdout.write(f"{summary(folder)}\n")


def summary(folder: Path) -> str:
    """A folder, the number of its files, and their size."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    size = humanize.naturalsize(sum(file.stat().st_size for file in files))
    return f"{folder}: {len(files)} files, {size}"


if __name__ == "__main__":
    main()
