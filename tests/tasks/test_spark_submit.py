"""spark-submit of every job file makes the tables that Sail makes, and what fails says so."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from blocks.settings.environment import REPOSITORY
from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import Settings
from lake.catalog import spark_tables
from lake.delta import Lake
from lake.row_counts import RowCounts
from spark_jobs.engine.local_spark import COMES_WITH_SPARK, CONF, DELTA, S3, S3_CONF
from spark_jobs.engine.sizing import size_for
from spark_jobs.gold.jobs import GOLD_JOBS
from tasks.spark_submit import submit
from tasks.transform.spark import build_gold, flag_rows, write_silver
from tests.support.platforms import here
from tests.support.spark_dirt import Dirt
from tests.support.spark_tables import table, write_bronze
from tests.support.spark_work import daily_spark_work, tables_of_spark
from tests.support.submitting import FILES, local_submit, properties


@pytest.fixture
def submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """An empty lake whose jobs are submitted."""
    lake = Lake((tmp_path / "submitted").as_uri())
    for name, value in {
        "LAKE_URI": lake.root,
        "SHOP_TIMEZONE": "America/New_York",
        "SPARK_SUBMIT": local_submit(),
        "SPARK_REMOTE": "",
    }.items():
        monkeypatch.setenv(name, value)
    assert Settings().spark_submit
    return lake


def submit_silver_and_gold() -> tuple[list[RowCounts], list[int]]:
    """`daily_spark_work` by spark-submit: the first in a flow's two steps, the others in one, which saves JVMs."""
    first, *others = spark_tables()
    whole = [
        RowCounts(**submit(Settings(), "silver", name, size_for(0), "--timezone", "America/New_York"))
        for name in others
    ]
    published = [write_silver.fn(flag_rows.fn(first, *here()), *here()), *whole]
    return published, [build_gold.fn(name, *here()) for name in GOLD_JOBS]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.apache_spark
@pytest.mark.usefixtures("apache")
def test_submitted_jobs_make_the_same_lake(
    submitted: Lake, sail: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = Lake((tmp_path / "beside").as_uri())
    for name, rows in Dirt(3).bronze().items():
        for lake in (submitted, beside):
            write_bronze(lake, name, rows)
    outcomes = submit_silver_and_gold()
    monkeypatch.setenv("SPARK_SUBMIT", "")
    monkeypatch.setenv("LAKE_URI", beside.root)
    assert daily_spark_work() == outcomes
    for name in tables_of_spark():
        assert table(sail, submitted, name) == table(sail, beside, name), name
    # The second job of a table knows what the first has done.
    assert submitted.progress("silver.customers", "bronze") == 0


@pytest.mark.parametrize(
    ("command", "words"),
    [
        pytest.param("false", r"spark-submit of gold.daily_sales failed \(.*return code 1", id="fails"),
        pytest.param("true", "ended without an outcome; have SPARK_SUBMIT run the driver here", id="silent"),
        pytest.param("echo it is", "ended without an outcome", id="says something else"),
        pytest.param("no-such-program", "failed", id="is not there"),
    ],
)
def test_a_submission_that_came_to_nothing(
    submitted: Lake, monkeypatch: pytest.MonkeyPatch, command: str, words: str
) -> None:
    monkeypatch.setenv("SPARK_SUBMIT", command)
    with pytest.raises(PermanentFailure, match=words):
        submit(Settings(), "gold", "daily_sales", size_for(0))


def test_a_submission_is_one_command_of_quoted_words(
    submitted: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is said to the shell is data: nothing of it is carried out."""
    program = tmp_path / "show"
    program.write_text(
        '#!/bin/sh\npython3 -c "import json, os, sys; print(json.dumps([sys.argv[1:], \'SPARK_REMOTE\' in os.environ]))" "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("SPARK_SUBMIT", f"{program} --name 'my shop; $(touch {tmp_path}/carried-out)'")
    words, has_remote = submit(
        Settings(), "silver", "orders", size_for(0), "--flagged", '{"a": "$HOME; `date`"}'
    )
    script = str(REPOSITORY / "spark_jobs" / "engine" / "submitted.py")
    assert words == [
        *size_for(0).options(),
        *("--name", f"my shop; $(touch {tmp_path}/carried-out)"),
        script,
        *("silver", "orders", "--lake", submitted.root, "--flagged", '{"a": "$HOME; `date`"}'),
    ]
    assert not has_remote
    assert not (tmp_path / "carried-out").exists()


def test_the_files_for_clusters_say_what_our_own_server_gets() -> None:
    common = properties("delta.conf")
    assert common["spark.jars.packages"] == DELTA
    assert common["spark.jars.excludes"] == COMES_WITH_SPARK
    names = {name for name in common if name.startswith(("spark.sql.", "spark.log."))}
    assert {name: common[name] for name in names} == {name: CONF[name] for name in names}
    on_s3 = {"kubernetes.conf", "standalone.conf"}
    assert {path.name for path in FILES.iterdir()} == {"delta.conf", "emr.conf"} | on_s3
    assert properties("emr.conf").items() >= common.items()
    for name in on_s3:
        expected = common | S3_CONF | {"spark.jars.packages": f"{DELTA},{S3}"}
        assert properties(name).items() >= expected.items(), name
