"""Extract: what the shop has written since the last run, from PostgreSQL and clickstream files to bronze."""

import datetime as dt
import sys

from prefect import flow

from expectations.contracts import SOURCE_TABLES
from lake.row_counts import Extracted
from tasks.ingest.clickstream import ingest_clickstream
from tasks.ingest.postgres import check_contracts, extract_table


@flow(name="extract", flow_run_name="extract-{ds}")
def extract(ds: dt.date) -> list[Extracted]:
    """Append to bronze what a run for `ds` covers; all sources at once, after their contracts hold."""
    contract_warnings = check_contracts()
    sources = [extract_table.submit(name, ds) for name in SOURCE_TABLES]
    extracted = [source.result() for source in [*sources, ingest_clickstream.submit(ds)]]
    extracted[0].warnings.extend(contract_warnings)
    return extracted


if __name__ == "__main__":
    extract(dt.date.fromisoformat(sys.argv[1]))
