"""Extract: new rows of the shop's PostgreSQL and its clickstream files, appended to bronze."""

import datetime as dt

from prefect import flow

from blocks.settings.settings import Settings
from lake.delta import Lake
from lake.row_counts import Extracted
from tasks.ingest.clickstream import extract_clickstream
from tasks.ingest.decisions import Decisions
from tasks.ingest.postgres import check_contracts, extract_table
from tasks.timing import timed


@flow(name="extract", flow_run_name="extract-{ds}")
@timed
def extract(
    ds: dt.date,
    settings: Settings,
    lake: Lake,
    decisions: Decisions | None = None,
    clicks_only: bool = False,
) -> list[Extracted]:
    """Append to bronze the rows that a run for `ds` covers, and what is gone; returns their number per table.

    All sources at once, after they have passed their contracts; with `clicks_only` the clickstream alone.
    Raises PipelineFailure.
    """
    drift = {} if clicks_only else check_contracts(settings)
    sources = [
        extract_table.submit(name, ds, settings, lake, warnings, decisions)
        for name, warnings in drift.items()
    ]
    clicks = extract_clickstream.submit(ds, settings, lake)
    return [source.result() for source in [*sources, clicks]]
