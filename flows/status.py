"""Status: everything that is broken now, on one screen. Not a flow, and needs no Prefect.

python -m flows.status         # exit code 0: healthy, 1: broken, 2: something could not be read
python -m flows.status --json
"""

import argparse
import datetime as dt
import sys

from pydantic import ValidationError
from rich.console import Console

from blocks.settings.environment import AlertThresholds
from blocks.settings.failures import PipelineFailure, wrong_configuration
from blocks.settings.settings import quick_settings
from tasks.monitoring.status import collect_status
from tasks.monitoring.status_screen import show

EXIT_CODES = {"healthy": 0, "broken": 1, "unknown": 2}


def main() -> int:
    """Collect the status and show it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m flows.status", description=__doc__)
    parser.add_argument("--json", action="store_true", help="for programs")
    is_json = parser.parse_args().json
    try:
        status = collect_status(quick_settings(), AlertThresholds(), dt.datetime.now(dt.UTC))
    except ValidationError as error:
        sys.stderr.write(f"{wrong_configuration(error)}\n")
        return EXIT_CODES["unknown"]
    except (PipelineFailure, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_CODES["unknown"]
    if is_json:
        sys.stdout.write(status.model_dump_json(indent=2) + "\n")
    else:
        show(status, Console())
    return EXIT_CODES[status.verdict]


if __name__ == "__main__":
    sys.exit(main())
