"""The folder of the files for BI tools, and the tasks that write them.

- `looker`: a LookML project
- `ossie`: the same metrics in Apache Ossie
- `tableau`: an extract and a data source per mart
- `explore`: a page that needs no tool

All are of what people read in the warehouse.
"""

from collections.abc import Collection
from pathlib import Path

from prefect import task
from prefect.logging import get_run_logger

from blocks.settings.environment import namespaced
from blocks.settings.extras import check_extra
from blocks.settings.settings import Settings
from tasks.replaced_folder import replaced_folder
from tasks.timing import remark, timed
from tasks.warehouse.access import reading_warehouse

TOOLS = ("looker", "ossie", "tableau", "explore")


@task(task_run_name="write-metrics")
def write_metrics(settings: Settings) -> list[Path] | None:
    """Write the files that hold no rows, Looker's and Ossie's; returns their folders.

    None, and a warning, if they cannot be written.
    """
    try:
        return build_files(settings, ("looker", "ossie"))
    except Exception as error:
        get_run_logger().warning("no files for Looker: %s", error)
        remark(f"no files for Looker: {error}; the last ones stay until `python -m flows.bi looker ossie`")
        return None


def refresh_extracts(settings: Settings) -> list[Path] | None:
    """Write the Tableau extracts if they are asked for: a run without them has no such step."""
    return write_extracts(settings) if settings.tableau_extracts else None


@task(task_run_name="write-extracts")
@timed
def write_extracts(settings: Settings) -> list[Path] | None:
    """Write the Tableau extracts, and publish them if a server is named; returns their folder.

    None, and a warning, if that fails: the marts are published, and people see yesterday's extracts.
    """
    try:
        return build_files(settings, ("tableau",))
    except Exception as error:
        get_run_logger().warning("no Tableau extracts: %s", error)
        remark(f"no Tableau extracts: {error}; people see the last ones until `python -m flows.bi tableau`")
        return None


def build_files(settings: Settings, tools: Collection[str]) -> list[Path]:
    """Replace the folders of some of TOOLS by files of the marts as they are; returns the folders.

    Tableau's are also published, if a server is named. Raises PipelineFailure.
    """
    check_extra("bi")
    folders = {tool: bi_folder(settings) / tool for tool in tools}
    with reading_warehouse(settings) as session:
        from tasks.bi.explore import explore_files
        from tasks.bi.lookml import lookml_files
        from tasks.bi.manifest import parse_project, read_semantic_layer
        from tasks.bi.ossie import ossie_files
        from tasks.bi.tableau import publish_data_sources, write_tableau_files

        layer = read_semantic_layer(parse_project(), session)
        for tool, texts in {"looker": lookml_files, "ossie": ossie_files}.items():
            if tool in folders:
                write_texts(folders[tool], texts(layer))
        if "explore" in folders:
            write_texts(folders["explore"], explore_files(session, layer))
        if "tableau" in folders:
            sources = write_tableau_files(session, layer, folders["tableau"])
            if settings.tableau_server_url:
                publish_data_sources(sources, settings)
    return list(folders.values())


def write_texts(folder: Path, texts: dict[str, str]) -> None:
    """Replace a folder by one with these files, by their paths in it."""
    with replaced_folder(folder) as draft:
        for name, text in texts.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_text(text, encoding="utf-8")


def bi_folder(settings: Settings) -> Path:
    """The folder itself, which may not exist yet; a platform other than production has one within it."""
    return Path(namespaced(str(settings.bi_dir.resolve()), "/"))
