"""The silver job of each source table: that of its own module, or one made from the contract alone."""

from importlib import import_module
from importlib.util import find_spec

from lake.catalog import catalog
from lake.contract import ContractError
from spark_jobs.silver.change_log import change_log_job
from spark_jobs.silver.job import SilverJob


def silver_job(name: str) -> SilverJob:
    """The job of a source table. Raises ContractError for events without a module that reads them."""
    table = catalog()[name]
    module = f"spark_jobs.silver.{name}"
    if find_spec(module):
        return import_module(module).job(table)
    if table.is_event:
        raise ContractError(
            f"{name}.yaml: no job reads a {table.source}; write {module.replace('.', '/')}.py with "
            "`job(table)`, or make it a table"
        )
    return change_log_job(table)
