"""A process of its own that plays the demo shop's first three days and runs the pipeline after each.

python -m tests.storage.play_days CLICK_FOLDER [--flow]      the last day as a flow, gates and ledger included

The environment says where shop, lake, clickstream and warehouse are. Of its own, because an engine remembers
the first object store that it was shown.
"""

import sys
from pathlib import Path

import pyarrow.fs as pafs

from blocks.settings.settings import Settings
from demo.__main__ import FIRST_DAY, next_days
from demo.shop.shop import Shop
from flows.daily import daily_ecommerce_pipeline
from tests.properties.runs import daily_run

SCALE = 0.1


def main() -> None:
    """Play and run, as plain functions or through Prefect."""
    folder, settings = Path(sys.argv[1]), Settings()
    shop = Shop(settings.shop_dsn.get_secret_value(), folder, scale=SCALE)
    shop.open(FIRST_DAY)
    days = next_days(shop)
    for day in days:
        shop.play(day)
        if settings.clickstream_uri != folder.as_uri():
            pafs.copy_files(folder.as_uri(), settings.clickstream_uri)
        if "--flow" in sys.argv and day == days[-1]:
            daily_ecommerce_pipeline(day)
        else:
            daily_run(day, lambda name, is_complete: None)


if __name__ == "__main__":
    main()
