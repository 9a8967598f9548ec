"""Feature tables: what was known of each customer and product at the end of each day (docs/features.md).

python -m flows.features                       # the days that have ended since the last time
python -m flows.features --first 2024-01-01    # from that day on; days from before the lake are reconstructed
python -m flows.features --again --full        # all days anew, by the present row rules

Not a flow: with FEATURE_TABLES on, each daily run does the first of these. Exit code 1: they could not be
written.
"""

import argparse
import datetime as dt
import sys

from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.features.refresh import Refreshed, write_features
from tasks.runs.command_line import failures_in_words
from tasks.runs.console import silence_teardown
from tasks.warehouse.access import staged_warehouse


def main() -> None:
    """Write what the command line names, and say what."""
    parser = argparse.ArgumentParser(prog="python -m flows.features", description="Write the feature tables.")
    parser.add_argument("--first", type=dt.date.fromisoformat, help="default: the lake's first read")
    parser.add_argument("--last", type=dt.date.fromisoformat, help="default: yesterday")
    parser.add_argument("--again", action="store_true", help="also the days that are there already")
    parser.add_argument("--full", action="store_true", help="read all of bronze again")
    silence_teardown()
    options = parser.parse_args()
    with failures_in_words():
        settings = Settings()
        lake = Lake(settings.lake_uri)
        with staged_warehouse(settings) as warehouse:
            done = write_features(
                warehouse, settings, lake, options.first, options.last, options.again, options.full
            )
            warehouse.publish(built=())
    sys.stdout.writelines(f"{summary(each)}\n" for each in done)


def summary(refreshed: Refreshed) -> str:
    """A table and the days that are new in it."""
    if not refreshed.written:
        return f"{refreshed.table}: no day has ended since the last time"
    first, last = refreshed.written[0], refreshed.written[-1]
    return f"{refreshed.table}: {len(refreshed.written):,} days, {first} to {last}"


if __name__ == "__main__":
    main()
