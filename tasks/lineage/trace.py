"""The whole lineage, put together from its parts. Needs the extra bi, and no warehouse."""

from pathlib import Path

from blocks.settings.failures import PermanentFailure
from tasks.bi.manifest import Node, compile_project
from tasks.lineage.features import feature_datasets
from tasks.lineage.figures import metric_datasets, report_datasets
from tasks.lineage.graph import Lineage
from tasks.lineage.lake import lake_datasets
from tasks.lineage.reorder import reorder_datasets
from tasks.lineage.shop import with_queries
from tasks.lineage.warehouse import warehouse_datasets


def trace(queries: Path | None, project: str = "", manifest: Node | None = None) -> Lineage:
    """The lineage of a compiled manifest, dbt's project by default, and of all around it.

    `queries` is the folder of the shop's own, if there is one. Raises PermanentFailure if something reads a
    column that is not there.
    """
    manifest = manifest or compile_project()
    lake = [*lake_datasets(), *reorder_datasets()]
    models = list(warehouse_datasets(manifest, [dataset for dataset in lake if dataset.layer == "silver"]))
    metrics = list(metric_datasets(manifest))
    report = list(report_datasets([dataset for dataset in models if dataset.layer == "gold"], metrics))
    lineage = Lineage(
        project=project,
        datasets=[
            *(with_queries(lake, queries) if queries else lake),
            *models,
            *feature_datasets(),
            *metrics,
            *report,
        ],
    )
    if loose := lineage.loose():
        raise PermanentFailure(
            f"columns are read that are not there: {', '.join(map(str, loose))}; correct what reads them"
        )
    return lineage
