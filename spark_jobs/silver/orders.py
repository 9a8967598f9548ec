"""The row rule of orders that no contract can say."""

from pyspark.sql import functions as F

from lake.source_table import SourceTable
from spark_jobs.silver.change_log import Rules, business_date, change_log_job
from spark_jobs.silver.job import SilverJob


def job(table: SourceTable) -> SilverJob:
    """The change log's job, with the rule that no order is dated after the day it was written."""

    def own_rules(timezone: str) -> Rules:
        # Not against the run's day: the verdict must not depend on which run saw the row.
        written_on = business_date(table.cursor, timezone)
        return {"order_date_not_in_future": F.col("order_date") <= written_on}

    return change_log_job(table, own_rules)
