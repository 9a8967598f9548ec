"""Both engines make the same lake out of the same dirty bronze, whatever is in it.

The other tests say what the answers are, on cases somebody thought of; this one draws the cases.
"""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lake.catalog import spark_tables
from lake.delta import Lake
from spark_jobs.gold import job as gold
from spark_jobs.gold.jobs import GOLD_JOBS
from spark_jobs.silver.jobs import silver_job
from tests.support.spark_dirt import BATCHES, Dirt
from tests.support.spark_tables import run, table, write_bronze
from tests.support.spark_work import tables_of_spark

JOBS = [silver_job(table) for table in spark_tables()]


@pytest.mark.slow
@pytest.mark.apache_spark
def test_both_engines_make_the_same_lake(sail: SparkSession, apache: SparkSession, tmp_path: Path) -> None:
    dirt, timezone = Dirt(1), "America/New_York"
    lakes = {name: Lake((tmp_path / name).as_uri()) for name in ("sail", "apache")}
    for _ in range(BATCHES):
        for name, rows in dirt.bronze().items():
            for lake in lakes.values():
                write_bronze(lake, name, rows)
        published = {
            name: [run(spark, lakes[name], job, timezone) for job in JOBS]
            for name, spark in (("sail", sail), ("apache", apache))
        }
        assert published["apache"] == published["sail"]
        # It must have drawn something of everything, or the comparison says little.
        assert all(done.rows_out and done.duplicates and done.quarantined for done in published["sail"])
    for job in GOLD_JOBS.values():
        assert gold.build(apache, lakes["apache"], job) == gold.build(sail, lakes["sail"], job)
    for name in tables_of_spark():
        # Read by one engine: what is compared is what they wrote.
        assert table(sail, lakes["apache"], name) == table(sail, lakes["sail"], name), name
