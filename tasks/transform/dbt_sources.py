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
    return HEADER + yaml.safe_dump({"sources": [source]}, sort_keys=False, allow_unicode=True, width=110)


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
        "columns": [*columns, dict(LOAD_ID)],
    }


def _column(column: Column) -> dict[str, Any]:
    meta = {"type": column.type} | ({"classification": PERSONAL} if column.is_personal else {})
    return {"name": column.warehouse_name, "description": column.description, "config": {"meta": meta}}


if __name__ == "__main__":
    write_sources()
