"""Extract: what the shop has written since the last run, from PostgreSQL and clickstream files to bronze."""

import datetime as dt

from prefect import flow

from blocks.settings.settings import Settings
from lake.catalog import shop_tables
from lake.delta import Lake
from lake.row_counts import Extracted
from tasks.ingest.clickstream import extract_clickstream
from tasks.ingest.postgres import check_contracts, extract_table
from tasks.timing import timed


@flow(name="extract", flow_run_name="extract-{ds}")
@timed
def extract(ds: dt.date, settings: Settings, lake: Lake) -> list[Extracted]:
    """Append to bronze what a run for `ds` covers; all sources at once, after their contracts hold."""
    drift = check_contracts(settings)
    sources = [extract_table.submit(name, ds, settings, lake, drift[name]) for name in shop_tables()]
    clicks = extract_clickstream.submit(ds, settings, lake)
    return [source.result() for source in [*sources, clicks]]
