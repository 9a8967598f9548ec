"""Load the shop's changed rows and a day's click lines into DuckDB with dlt: `python load.py YYYY-MM-DD`."""

import datetime as dt
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import dlt
import pyarrow as pa
import pyarrow.csv as pacsv
from dlt.sources.sql_database import sql_table

KEYS = {"orders": "order_id", "customers": "customer_id", "products": "product_id"}
# A character that never occurs: each line is one value.
ONE_COLUMN = pacsv.ParseOptions(delimiter="\x01", quote_char=False)
AS_TEXT = pacsv.ConvertOptions(column_types={"raw": pa.string()})


@dlt.resource(name="clicks", write_disposition="append")
def clicks(folder: Path, day: dt.date) -> Iterator[pa.Table]:
    """The lines of a day's files, unparsed: dlt's own reader ends at the first broken one."""
    for file in sorted(folder.glob("*.jsonl")):
        read = pacsv.ReadOptions(column_names=["raw"])
        lines = pacsv.read_csv(file, read, ONE_COLUMN, AS_TEXT)
        yield lines.append_column("day", pa.repeat(pa.scalar(day), lines.num_rows))


def main() -> None:
    """Load one day."""
    day = dt.date.fromisoformat(sys.argv[1])
    folder = Path(unquote(urlsplit(os.environ["CLICKSTREAM_URI"]).path)) / day.isoformat()
    pipeline = dlt.pipeline(
        "shop", destination=dlt.destinations.duckdb(os.environ["SHOP_DUCKDB"]), dataset_name="raw"
    )
    tables = [
        sql_table(
            credentials=os.environ["SHOP_DSN"],
            table=table,
            backend="pyarrow",
            chunk_size=100_000,
            incremental=dlt.sources.incremental("updated_at"),
            primary_key=key,
            write_disposition={"disposition": "merge", "strategy": "upsert"},
        )
        for table, key in KEYS.items()
    ]
    pipeline.run([*tables, clicks(folder, day)])


if __name__ == "__main__":
    main()
