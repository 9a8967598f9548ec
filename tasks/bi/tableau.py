"""Tableau's files: for each mart an extract (.hyper) and its data source (.tds), published as one package."""

from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile

import tableauserverclient as tableau

from blocks.settings.fields import TableauFields
from blocks.tableau_server import project_id, tableau_server
from tasks.bi.hyper import write_extract
from tasks.bi.semantic_layer import SemanticLayer
from tasks.bi.tds import data_source, extract_path
from tasks.replaced_folder import replaced_folder
from tasks.warehouse.interface import Session


def write_tableau_files(session: Session, layer: SemanticLayer, folder: Path) -> list[Path]:
    """Replace the folder by one with the data sources of all marts; returns those (.tds)."""
    models = {model.mart.name: model for model in layer.models}
    with replaced_folder(folder) as draft:
        for mart in layer.marts:
            extract = draft / extract_path(mart.name)
            extract.parent.mkdir(parents=True, exist_ok=True)
            write_extract(session, mart, extract)
            source = data_source(mart, models.get(mart.name))
            source.write(draft / f"{mart.name}.tds", encoding="utf-8", xml_declaration=True)
    return sorted(folder.glob("*.tds"))


def publish_data_sources(sources: list[Path], settings: TableauFields) -> None:
    """Publish each data source under its mart's name, in place of what is there, with its extract.

    Raises PipelineFailure without the token.
    """
    with tableau_server(settings) as server, TemporaryDirectory() as folder:
        project = project_id(server, settings)
        for source in sources:
            package = Path(folder) / f"{source.stem}.tdsx"
            with ZipFile(package, "w", ZIP_DEFLATED) as archive:
                archive.write(source, source.name)
                archive.write(source.parent / extract_path(source.stem), extract_path(source.stem))
            item = tableau.DatasourceItem(project, name=source.stem)
            server.datasources.publish(item, package, tableau.Server.PublishMode.Overwrite)
            package.unlink()
