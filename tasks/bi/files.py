"""The folder of the files for BI tools, and the tasks that write them.

`looker` is a LookML project, `tableau` a data source per mart. Both are of what people read in the warehouse.
"""

import shutil
from importlib.util import find_spec
from pathlib import Path

from prefect import task
from prefect.logging import get_run_logger

from blocks.settings.environment import namespaced
from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import Settings
from tasks.timing import timed
from tasks.warehouse.access import reading_warehouse

# Of the extra bi; whatever needs them is imported where it is used.
PACKAGES = ("lkml", "pantab", "sqlglot", "tableauserverclient")


@task(task_run_name="write-lookml")
def write_lookml(settings: Settings) -> Path | None:
    """Write the LookML project; returns its folder. None, and a warning, if it cannot be written."""
    try:
        return build_lookml(settings)
    except Exception as error:
        get_run_logger().warning("no LookML: %s", error)
        return None


def refresh_extracts(settings: Settings) -> list[Path] | None:
    """Write the Tableau extracts if they are asked for: a run without them has no such step."""
    return write_tableau(settings) if settings.tableau_extracts else None


@task(task_run_name="write-tableau")
@timed
def write_tableau(settings: Settings) -> list[Path] | None:
    """Write the Tableau extracts, and publish them if a server is named; returns the data sources.

    None, and a warning, if that fails: the marts are published, and people see yesterday's extracts.
    """
    try:
        return build_tableau(settings)
    except Exception as error:
        get_run_logger().warning("no Tableau extracts: %s", error)
        return None


def build_lookml(settings: Settings) -> Path:
    """Replace the LookML project by that of the marts as they are; returns its folder.

    Raises PipelineFailure.
    """
    check_extra()
    with reading_warehouse(settings) as session:
        from tasks.bi.lookml import lookml_files
        from tasks.bi.manifest import parse_project, read_semantic_layer

        layer = read_semantic_layer(parse_project(), session)
    folder = bi_folder(settings) / "looker"
    draft = folder.with_name(".looker.draft")
    shutil.rmtree(draft, ignore_errors=True)
    for name, text in lookml_files(layer).items():
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        (draft / name).write_text(text, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    return folder


def build_tableau(settings: Settings) -> list[Path]:
    """Replace the Tableau files by those of the marts as they are, and publish them if a server is named.

    Returns the data sources (.tds). Raises PipelineFailure.
    """
    check_extra()
    with reading_warehouse(settings) as session:
        from tasks.bi.manifest import parse_project, read_semantic_layer
        from tasks.bi.tableau import publish_data_sources, write_tableau_files

        layer = read_semantic_layer(parse_project(), session)
        sources = write_tableau_files(session, layer, bi_folder(settings) / "tableau")
    if settings.tableau_server_url:
        publish_data_sources(sources, settings)
    return sources


def check_extra() -> None:
    """Raise PermanentFailure if packages of the extra are missing."""
    if missing := [name for name in PACKAGES if not find_spec(name)]:
        raise PermanentFailure(
            f"the extra bi is missing ({', '.join(missing)}); install it: `make bi`, or "
            "`pip install --no-deps --require-hashes -r requirements-bi.txt`"
        )


def bi_folder(settings: Settings) -> Path:
    """The folder itself, which may not exist yet; a platform other than production has one within it."""
    return Path(namespaced(str(settings.bi_dir.resolve()), "/"))
