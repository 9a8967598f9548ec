"""Files for BI tools, of the marts as they are: LookML, Ossie, and Tableau's extracts and data sources.

python -m flows.bi             # all of them
python -m flows.bi looker      # those of one tool: looker, ossie or tableau

Not a flow: runs write the same files by tasks of their own (docs/bi.md). Exit code 1: something could not be
written, or published.
"""

import argparse
import sys
from pathlib import Path

import humanize
from pydantic import ValidationError

from blocks.settings.environment import UnreadableEnvFile
from blocks.settings.failures import PipelineFailure, wrong_configuration
from blocks.settings.settings import Settings
from tasks.bi.files import TOOLS, build_files
from tasks.runs.console import silence_teardown


def main() -> int:
    """Write what the command line names, and say where it is; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flows.bi", description="Write the files for BI tools.")
    parser.add_argument("tools", nargs="*", help=f"of {', '.join(TOOLS)}; default: all", metavar="TOOL")
    silence_teardown()
    tools = parser.parse_args().tools or TOOLS
    if unknown := [tool for tool in tools if tool not in TOOLS]:
        parser.error(f"no such tool: {', '.join(unknown)}; choose from {', '.join(TOOLS)}")
    try:
        for folder in build_files(Settings(), tools):
            sys.stdout.write(f"{summary(folder)}\n")
    except (PipelineFailure, UnreadableEnvFile) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except ValidationError as error:
        sys.stderr.write(f"{wrong_configuration(error)}\n")
        return 1
    return 0


def summary(folder: Path) -> str:
    """A folder, the number of its files, and their size."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    size = humanize.naturalsize(sum(file.stat().st_size for file in files))
    return f"{folder}: {len(files)} files, {size}"


if __name__ == "__main__":
    sys.exit(main())
