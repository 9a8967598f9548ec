"""dbt's page of sources, written from the contracts: `dbt/models/staging/__sources.yml`.

The file is in the repository, so that dbt works without the pipeline; a run writes it anew if a contract has
changed since.

python -m tasks.transform.dbt_sources
"""

from pathlib import Path
from typing import Any

import yaml

from blocks.settings.environment import REPOSITORY
from blocks.settings.failures import PermanentFailure
from lake.catalog import catalog
from lake.contract import PERSONAL
from lake.source_table import Column, SourceTable

FILE = REPOSITORY / "dbt" / "models" / "staging" / "__sources.yml"
HEADER = (
    "# Written from expectations/contracts by tasks/transform/dbt_sources.py; change the contracts instead.\n"
)
DESCRIPTION = (
    "Today's typed truth, loaded before dbt runs: one row per key, the newest version wins. `load_id` counts "
    "the loads (1, 2, 3, …) and is the only change marker: clocks skew, and a late row's cursor can be old. "
    "Loads must commit in the order of their ids, and none while dbt runs. If silver is ever loaded afresh "
    "with ids counted from 1 again, run dbt with `--full-refresh`: the incremental models look only at ids "
    "above the largest they have seen."
)
OPS = {
    "name": "ops",
    "description": "What the pipeline keeps on record besides its tables.",
    "schema": "ops",
    "tables": [
        {
            "name": "deleted_rows",
            "description": (
                "Rows that are gone from the shop's tables. Grain: one row per table and key; a row that "
                "comes back leaves."
            ),
            "columns": [
                {"name": "deleted_key", "description": "Table and key."},
                {"name": "table_name", "description": "The source table."},
                {"name": "key", "description": "The row's key, as text."},
                {
                    "name": "deletes",
                    "description": "follow: silver and marts lose the row; keep: they keep it.",
                },
                {"name": "deleted_at", "description": "When the delete was noticed."},
                {"name": "load_id", "description": "The load that recorded it."},
            ],
        },
        {
            "name": "reorder_policy",
            "description": (
                "What is known of a product's reorders beyond the 28-day rule: the terms of its supplier, "
                "and its forecast. Grain: one row per product with either; none without them."
            ),
            "columns": [
                {"name": "product_id", "description": "The product."},
                {"name": "lead_time_days", "description": "Days from an order to goods on the shelf."},
                {"name": "pack_size", "description": "Pieces in a pack; only whole packs can be ordered."},
                {"name": "minimum_order", "description": "The fewest pieces that the supplier delivers."},
                {"name": "on_order", "description": "Pieces ordered and not yet delivered."},
                {"name": "forecast_model", "description": "How demand was forecast."},
                {"name": "forecast_per_day", "description": "Pieces a day that are expected."},
                {"name": "forecast_date", "description": "The last day that the forecast has seen."},
                {"name": "reorder_point", "description": "Pieces below which to order, by the forecast."},
                {"name": "order_up_to", "description": "Pieces that an order lifts the stock to."},
                {"name": "load_id", "description": "The load that last changed the row."},
            ],
        },
    ],
}
VERSION_COLUMNS = [
    {"name": "read_at", "description": "When this version was read from the shop's database."},
    {
        "name": "deleted_at",
        "description": "When it was noticed that the row is gone there; null while it is.",
    },
]
LOAD_ID = {"name": "load_id", "description": "The load that last inserted or changed the row."}


def write_sources(file: Path = FILE) -> None:
    """Write the file if it differs from the contracts. Raises PermanentFailure if it cannot be written."""
    page = sources_page()
    if file.exists() and file.read_text(encoding="utf-8") == page:
        return
    draft = file.with_name(f".{file.name}.draft")
    try:
        draft.write_text(page, encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        raise PermanentFailure(
            f"{file.name} differs from the contracts, and cannot be written ({error}); run "
            "`python -m tasks.transform.dbt_sources` where it can, and deploy that"
        ) from error


def sources_page() -> str:
    """The text of the file."""
    source = {
        "name": "silver",
        "description": DESCRIPTION,
        "schema": "silver",
        "tables": [_table(table) for table in catalog().values()],
    }
    return HEADER + yaml.safe_dump({"sources": [source, OPS]}, sort_keys=False, allow_unicode=True, width=110)


def _table(table: SourceTable) -> dict[str, Any]:
    freshness = table.freshness_hours and {"warn_after": {"count": table.freshness_hours, "period": "hour"}}
    columns = [_column(column) for column in table.columns if column.warehouse_name]
    return {
        "name": table.name,
        "description": f"{table.description} Grain: {table.grain[0].lower()}{table.grain[1:]}",
        "config": {
            "loaded_at_field": table.cursor,
            "freshness": freshness,
            "meta": {"source": table.source, "key": table.key, "deletes": table.deletes},
        },
        "columns": [*columns, *([] if table.is_event else map(dict, VERSION_COLUMNS)), dict(LOAD_ID)],
    }


def _column(column: Column) -> dict[str, Any]:
    meta = {"type": column.type} | ({"classification": PERSONAL} if column.is_personal else {})
    return {"name": column.warehouse_name, "description": column.description, "config": {"meta": meta}}


if __name__ == "__main__":
    write_sources()
