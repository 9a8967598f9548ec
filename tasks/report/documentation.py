"""Documentation that runs write: results of the suites, and the models of the warehouse.

- `data quality`: Great Expectations' Data Docs of the suites that this process has run
- `models`: dbt's own site in one file: every source, model, column and test, and the graph from source to
  mart

`lineage`, of single columns, is written by tasks/lineage.
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from dbt.cli.main import dbtRunner
from prefect import task
from prefect.logging import get_run_logger

from blocks.settings.settings import Settings
from tasks.quality.validation import expectation_context
from tasks.replaced_folder import replaced_folder
from tasks.report.site import DOCUMENTATION, folder
from tasks.transform.dbt import PROJECT, dbt_environment
from tasks.warehouse.interface import Warehouse


@task(task_run_name="publish-data-docs")
def write_data_docs(settings: Settings) -> Path | None:
    """Build the Data Docs of the suites that have run; returns their first page.

    None, and a warning, if they cannot be built.
    """
    try:
        return build_data_docs(settings)
    except Exception as error:
        get_run_logger().warning("no Data Docs: %s: %s", type(error).__name__, error)
        return None


@task(task_run_name="publish-dbt-docs")
def write_dbt_docs(warehouse: Warehouse, settings: Settings) -> Path | None:
    """Build dbt's documentation of a warehouse; returns its page.

    None, and a warning, if it cannot be built.
    """
    try:
        return build_dbt_docs(warehouse, settings)
    except Exception as error:
        get_run_logger().warning("no dbt docs: %s: %s", type(error).__name__, error)
        return None


def build_data_docs(settings: Settings) -> Path:
    """Replace the Data Docs by those of the suites that have run; returns their first page."""
    index = folder(settings) / DOCUMENTATION["data quality"]
    context = expectation_context()
    with replaced_folder(index.parent) as draft:
        site = {
            "class_name": "SiteBuilder",
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(draft)},
            "show_how_to_buttons": False,
        }
        context.variables.data_docs_sites = {"quality": site}
        context.build_data_docs()
    return index


def build_dbt_docs(warehouse: Warehouse, settings: Settings) -> Path:
    """Replace dbt's documentation by that of the project on `warehouse`; returns its page."""
    page = folder(settings) / DOCUMENTATION["models"]
    folders = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    # Not where builds write: one may be running.
    with TemporaryDirectory() as target, dbt_environment(warehouse, settings):
        outcome = dbtRunner().invoke(
            ["docs", "generate", "--static", "--quiet", *folders, "--target-path", target]
        )
        if not outcome.success:
            raise RuntimeError(f"dbt could not document its project: {outcome.exception}")
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(target) / "static_index.html", page)
    return page
