"""The lineage as people and programs read it: one page and one JSON file, beside the daily reports.

The page holds all it needs and asks the network for nothing. Both need the extra bi.
"""

import datetime as dt
import hashlib
from pathlib import Path

from prefect import task
from prefect.logging import get_run_logger

from blocks.settings.environment import REPOSITORY
from blocks.settings.extras import check_extra
from blocks.settings.settings import Settings
from lake.catalog import CONTRACTS, catalog
from tasks.lineage.graph import Lineage, Ref
from tasks.replaced_file import replace_file
from tasks.report.site import DOCUMENTATION, folder
from tasks.templates.render import render
from tasks.transform.dbt import PROJECT
from tasks.transform.dbt_sources import write_sources

# All that the lineage is read from, and what reads it.
READ = (
    *(PROJECT / name for name in ("models", "macros", "snapshots")),
    *(REPOSITORY / name for name in ("spark_jobs", "lake")),
    *(REPOSITORY / "tasks" / name for name in ("lineage", "report", "bi", "features", "reorder")),
)


@task(task_run_name="write-lineage")
def write_lineage(settings: Settings) -> list[Path] | None:
    """Write the page and the JSON file; returns both. None, and a warning, if they cannot be written."""
    try:
        return write_lineage_files(settings, read_lineage(settings))
    except Exception as error:
        get_run_logger().warning("no lineage: %s", error)
        return None


def read_lineage(settings: Settings) -> Lineage:
    """The lineage of the project as it is: from the JSON file, or if that is of another, traced and written.

    Raises PipelineFailure.
    """
    known = json_file(settings)
    if known.is_file():
        lineage = Lineage.model_validate_json(known.read_text(encoding="utf-8"))
        if lineage.project == project_hash(settings):
            return lineage
    lineage = trace_lineage(settings)
    write_lineage_files(settings, lineage)
    return lineage


def trace_lineage(settings: Settings) -> Lineage:
    """The lineage of the project as it is, traced anew, which takes some seconds.

    Raises PermanentFailure without the extra, and if a model or a metric reads a column that is not there.
    """
    check_extra("bi")
    from tasks.lineage.trace import trace

    write_sources()
    return trace(Path(settings.shop_queries) if settings.shop_queries else None, project_hash(settings))


def write_lineage_files(settings: Settings, lineage: Lineage) -> list[Path]:
    """Write the page and the JSON file; returns both. A reader never sees half of one."""
    page = folder(settings) / DOCUMENTATION["lineage"]
    page.parent.mkdir(parents=True, exist_ok=True)
    replace_file(page, render_page(lineage))
    replace_file(json_file(settings), lineage.model_dump_json(exclude_defaults=True))
    return [page, json_file(settings)]


def render_page(lineage: Lineage) -> str:
    """The page, as HTML."""
    day = lineage.dataset("report.day")
    return render(
        "lineage.html.j2",
        lineage=lineage.model_dump(mode="json", exclude_defaults=True),
        columns=sum(len(dataset.names) for dataset in lineage.datasets),
        figures=[
            {
                "ref": ref,
                "label": column.label,
                "description": column.description,
                "origins": lineage.origins(ref),
            }
            for name, column in day.columns.items()
            for ref in [Ref(day.name, name)]
        ],
        written_at=dt.datetime.now(dt.UTC),
    )


def json_file(settings: Settings) -> Path:
    """The JSON file, which may not be there yet."""
    return (folder(settings) / DOCUMENTATION["lineage"]).with_suffix(".json")


def project_hash(settings: Settings) -> str:
    """A hash of all that the lineage is read from."""
    digest = hashlib.sha256(" ".join(catalog()).encode())
    folders = [*READ, CONTRACTS, *([Path(settings.shop_queries)] if settings.shop_queries else [])]
    for folder_ in folders:
        for file in sorted(folder_.rglob("*.*")):
            if file.suffix in (".py", ".sql", ".yml", ".yaml"):
                digest.update(file.read_bytes())
    return digest.hexdigest()
