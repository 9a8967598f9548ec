"""Status: everything that is broken now, on one screen; and what the person on call decides about messages.

python -m flows.status         # exit code 0: healthy, 1: broken, 2: something could not be read
python -m flows.status --json
python -m flows.status --snooze low-quality 3d --why "a known import"
python -m flows.status --acknowledge stock-low --why "ordered"
python -m flows.status --maintenance 2024-01-15T22:00 6h --why "the database moves"

Not a flow, and needs no Prefect.
"""

import datetime as dt
import sys

from pydantic import ValidationError
from rich.console import Console

from blocks.settings.environment import AlertThresholds
from blocks.settings.failures import PipelineFailure, wrong_configuration
from blocks.settings.settings import quick_settings
from tasks.monitoring.status import collect_status
from tasks.monitoring.status_command import decide, parser
from tasks.monitoring.status_screen import show

EXIT_CODES = {"healthy": 0, "broken": 1, "unknown": 2}


def main() -> int:
    """Collect the status and show it, or record a decision; returns the exit code."""
    asked = parser(__doc__).parse_args()
    try:
        settings = quick_settings()
        if decide(asked, settings, Console()):
            return 0
        status = collect_status(settings, AlertThresholds(), dt.datetime.now(dt.UTC))
    except ValidationError as error:
        sys.stderr.write(f"{wrong_configuration(error)}\n")
        return EXIT_CODES["unknown"]
    except (PipelineFailure, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_CODES["unknown"]
    if asked.json:
        sys.stdout.write(status.model_dump_json(indent=2) + "\n")
    else:
        show(status, Console())
    return EXIT_CODES[status.verdict]


if __name__ == "__main__":
    sys.exit(main())
