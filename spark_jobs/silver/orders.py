"""The row rule of orders that no contract can express."""

from pyspark.sql import functions as F

from lake.source_table import SourceTable
from spark_jobs.silver.change_log import Rules, business_date, change_log_job
from spark_jobs.silver.job import SilverJob


def job(table: SourceTable) -> SilverJob:
    """The change log's job, with the rule that no order is dated after the day it was written."""

    def own_rules(timezone: str) -> Rules:
        # Not the run's day: the outcome must not depend on which run reads the row.
        written_on = business_date(table.cursor, timezone)
        return {"order_date_not_in_future": F.col("order_date") <= written_on}

    return change_log_job(table, own_rules)
