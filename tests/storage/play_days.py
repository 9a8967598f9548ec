"""A process of its own that plays the demo shop's first three days and runs the pipeline after each.

python -m tests.storage.play_days CLICK_FOLDER [--flow]

The environment says where shop, lake, clickstream and warehouse are. Of its own, because an engine remembers
the first object store that it was shown.
"""

import sys
from pathlib import Path

import pyarrow.fs as pafs

from blocks.settings import Settings
from demo.__main__ import FIRST_DAY, next_days
from demo.shop import Shop

SCALE = 0.1


def main() -> None:
    """Play and run; with `--flow` through Prefect, else as plain functions."""
    folder, settings = Path(sys.argv[1]), Settings()
    if "--flow" in sys.argv:
        from flows.daily import daily_ecommerce_pipeline as run
    else:
        from tests.law.runs import daily_run

        def run(day):  # noqa: ANN001, ANN202
            daily_run(day, lambda name: None)

    shop = Shop(settings.shop_dsn.get_secret_value(), folder, scale=SCALE)
    shop.open(FIRST_DAY)
    for day in next_days(shop):
        shop.play(day)
        if settings.clickstream_uri != folder.as_uri():
            pafs.copy_files(folder.as_uri(), settings.clickstream_uri)
        run(day)


if __name__ == "__main__":
    main()
