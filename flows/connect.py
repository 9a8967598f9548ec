"""Connect: the shop's own tables as a run would find them. Reads only; not a flow, and needs no Prefect.

python -m flows.connect                     # exit code 0: ready, 1: not ready, 2: something could not be read
python -m flows.connect --json
python -m flows.connect --scaffold FOLDER   # write a first <table>.sql per table, from what is in the shop
"""

import argparse
import datetime as dt
import sys
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from blocks.settings.failures import PipelineFailure, wrong_configuration
from blocks.settings.settings import quick_settings
from tasks.connect.preview import preview_shop
from tasks.connect.preview_screen import show
from tasks.connect.scaffold import scaffold

EXIT_CODES = {"ready": 0, "ready with warnings": 0, "not ready": 1, "unknown": 2}


def main() -> int:
    """Preview the shop and show it, or write first queries; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m flows.connect",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--scaffold",
        metavar="FOLDER",
        nargs="?",
        const="",
        help="write a first <table>.sql per table there (default: SHOP_QUERIES, else data/queries)",
    )
    asked = parser.parse_args()
    try:
        settings = quick_settings()
        if asked.scaffold is not None:
            written = scaffold(settings, Path(asked.scaffold) if asked.scaffold else None)
            sys.stdout.write("\n".join(written.sentences) + "\n")
            return EXIT_CODES["ready" if written.is_whole else "not ready"]
        shop = preview_shop(settings, dt.datetime.now(dt.UTC))
    except ValidationError as error:
        sys.stderr.write(f"{wrong_configuration(error)}\n")
        return EXIT_CODES["unknown"]
    except (PipelineFailure, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_CODES["unknown"]
    if asked.json:
        sys.stdout.write(shop.model_dump_json(indent=2) + "\n")
    else:
        show(shop, Console())
    return EXIT_CODES[shop.verdict]


if __name__ == "__main__":
    sys.exit(main())
