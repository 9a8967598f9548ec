"""The lake and the clickstream on an S3 API: every engine, writers at once, and refusals that say what to do."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from blocks.lake_storage import LakeStorage, check_writable
from blocks.settings.environment import REPOSITORY
from blocks.settings.failures import PermanentFailure, TransientFailure, is_store_outage
from lake.delta import Lake
from lake.row_counts import RowCounts
from spark_jobs.engine.session import spark_session
from spark_jobs.silver.jobs import silver_job
from tasks.ingest.clickstream import extract_clickstream
from tasks.inventory.silver import BRONZE as BRONZE_INVENTORY
from tasks.inventory.silver import write_silver
from tests.storage.conftest import Store
from tests.support.platforms import here
from tests.support.rows import DAY, NEXT_DAY, at, click, order, write_clicks
from tests.support.spark_tables import run, table, totals, write_bronze

PointAt = Callable[..., Lake]


@pytest.fixture(scope="session")
def sail() -> SparkSession:
    return spark_session("")


def test_bronze_to_silver_with_a_merge(s3_lake: Lake, sail: SparkSession) -> None:
    lake = s3_lake
    write_bronze(lake, "orders", [order(1), order(2, amount=None)])
    assert totals(run(sail, lake, silver_job("orders"))) == ("orders", 2, 1, 0, 1)
    write_bronze(lake, "orders", [order(1, status="shipped", updated_at=at(NEXT_DAY)), order(3)])
    assert totals(run(sail, lake, silver_job("orders"))) == ("orders", 2, 2, 0, 0)
    assert table(sail, lake, "silver.orders", "order_id", "status") == [(1, "shipped"), (3, "pending")]
    silver = lake.table("silver.orders")
    assert silver is not None
    assert "MERGE" in [commit["operation"] for commit in silver.history()]
    # What the warehouse reads: the merge rewrote order 1 beside what it left alone.
    rows = lake.rows_since("silver.orders", None).to_table(columns=["order_id", "status"]).to_pylist()
    assert sorted(row["order_id"] for row in rows) == [1, 3]
    assert lake.progress("silver.orders", "bronze") == 1


def test_what_is_not_there_is_none(s3_lake: Lake) -> None:
    assert s3_lake.table("bronze.orders") is None
    assert s3_lake.files_since("bronze.orders", None) == ([], None)


def test_inventory_is_written(s3_lake: Lake) -> None:
    write_deltalake(s3_lake.uri("silver.products"), pa.table({"product_id": pa.array([1], pa.int64())}))
    event = {
        "event_id": "e1",
        "product_id": 1,
        "warehouse_id": "w",
        "quantity_change": 1,
        "on_hand": 1,
        "event_time": at(DAY).isoformat(),
    }
    message = {"topic": "inventory", "key": "1", "sent_at": at(DAY)}
    rows = [
        message | {"partition": 0, "offset": number, "raw": raw}
        for number, raw in enumerate([json.dumps(event), json.dumps(event), "broken"])
    ]
    types = {"partition": pa.int32(), "offset": pa.int64(), "sent_at": pa.timestamp("us", tz="UTC")}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in rows[0]])
    write_deltalake(s3_lake.uri(BRONZE_INVENTORY), pa.Table.from_pylist(rows, schema), mode="append")
    assert write_silver(s3_lake, ZoneInfo("UTC")) == RowCounts(
        "inventory", rows_in=3, rows_out=1, duplicates=1, rejected={"line_is_event": 1}
    )
    assert write_silver(s3_lake, ZoneInfo("UTC")) == RowCounts("inventory")


APPENDS = """
import sys
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
uri, writer, merges = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "merges"
for number in range(10):
    rows = pa.table({"key": [writer * 100 + number], "writer": [writer]})
    if merges:
        for _ in range(50):
            try:
                DeltaTable(uri).merge(rows, "old.key = new.key", source_alias="new", target_alias="old") \\
                    .when_matched_update_all().when_not_matched_insert_all().execute()
                break
            except Exception as error:
                conflicted = error
        else:
            raise conflicted
    else:
        write_deltalake(uri, rows, mode="append")
"""


def test_writers_at_once_lose_nothing(seaweedfs: Store, point_at: PointAt) -> None:
    """Two processes append, one merges: whoever loses the race for a version sees that and tries the next."""
    lake = point_at(seaweedfs)
    uri = lake.uri("silver.things")
    write_deltalake(uri, pa.table({"key": [0], "writer": [0]}))
    writers = [
        subprocess.Popen([sys.executable, "-c", APPENDS, uri, str(number), how])
        for number, how in [(1, "appends"), (2, "appends"), (3, "merges")]
    ]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    present = DeltaTable(uri)
    keys = present.to_pyarrow_table()["key"].to_pylist()
    assert sorted(keys) == [0, *range(100, 110), *range(200, 210), *range(300, 310)]
    # Each of the 30 writes is a commit of its own, and none replaced another's.
    assert present.version() == 30


def test_of_two_commits_of_one_version_one_is_refused(s3_lake: Lake, moto: Store) -> None:
    write_deltalake(s3_lake.uri("silver.things"), pa.table({"key": [1]}))
    bucket, _, prefix = s3_lake.uri("silver.things").removeprefix("s3://").partition("/")
    with pytest.raises(moto.client().exceptions.ClientError, match="PreconditionFailed"):
        moto.client().put_object(
            Bucket=bucket,
            Key=f"{prefix}/_delta_log/00000000000000000000.json",
            Body=b"{}",
            IfNoneMatch="*",
        )


def upload(store: Store, folder: Path, bucket: str, prefix: str) -> None:
    for path in sorted(folder.rglob("*.*")):
        store.client().upload_file(str(path), bucket, f"{prefix}/{path.relative_to(folder)}")


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_clickstream_is_read_from_s3(
    s3_lake: Lake, moto: Store, folder: Path, monkeypatch: pytest.MonkeyPatch, slash: str
) -> None:
    bucket = moto.make_bucket()
    monkeypatch.setenv("CLICKSTREAM_URI", f"s3://{bucket}/clicks{slash}")
    write_clicks(folder, DAY, [click("a"), "broken"])
    upload(moto, folder, bucket, "clicks")
    moto.client().put_object(Bucket=bucket, Key=f"clicks/{DAY}/notes.txt", Body=b"by hand")
    moto.client().put_object(Bucket=bucket, Key="clicks/archive/part-0.jsonl", Body=b"not a day")

    done = extract_clickstream.fn(DAY, *here())
    assert (done.rows, len(done.warnings)) == (2, 1)
    assert f"{DAY}/notes.txt is not one of" in done.warnings[0]
    assert extract_clickstream.fn(DAY, *here()).rows == 0

    write_clicks(folder, NEXT_DAY, [click("b")])
    upload(moto, folder, bucket, "clicks")
    assert extract_clickstream.fn(NEXT_DAY, *here()).rows == 1
    held = s3_lake.rows_since("bronze.clickstream", None).to_table().to_pylist()
    assert {(row["ds"], row["source_file"].split("/")[0]) for row in held} == {
        (day, day.isoformat()) for day in (DAY, NEXT_DAY)
    }


@pytest.mark.parametrize(
    ("uri", "failure", "words"),
    [
        ("s3://{bucket}/nothing", PermanentFailure, "does not exist: create the folder"),
        ("s3://no-such-bucket/x", PermanentFailure, "NO_SUCH_BUCKET"),
    ],
)
def test_a_clickstream_that_is_not_there(
    s3_lake: Lake, moto: Store, monkeypatch: pytest.MonkeyPatch, uri: str, failure: type, words: str
) -> None:
    monkeypatch.setenv("CLICKSTREAM_URI", uri.format(bucket=moto.make_bucket()))
    with pytest.raises(failure, match=words):
        extract_clickstream.fn(DAY, *here())


def test_the_block_tries_to_write(seaweedfs: Store, point_at: PointAt, tmp_path: Path) -> None:
    lake = point_at(seaweedfs)
    paths: dict[str, Any] = {"clickstream_uri": lake.root, "duckdb_path": str(tmp_path / "file")}
    LakeStorage(lake_uri=lake.root, **paths).check()
    with pytest.raises(PermanentFailure, match="LAKE_URI: cannot write below s3://no-such-bucket/lake"):
        LakeStorage(lake_uri="s3://no-such-bucket/lake", **paths).check()


def test_a_wrong_key_is_permanent_and_not_shown(
    seaweedfs: Store, point_at: PointAt, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket = point_at(seaweedfs).root
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2secret")
    monkeypatch.setenv("CLICKSTREAM_URI", bucket)
    monkeypatch.setenv("LAKE_URI", tmp_path.as_uri())
    with pytest.raises(PermanentFailure, match="LAKE_URI: cannot write below") as refused:
        check_writable("LAKE_URI", bucket)
    with pytest.raises(PermanentFailure, match="cannot be listed .* correct it or its rights") as not_listed:
        extract_clickstream.fn(DAY, *here())
    assert "hunter2secret" not in f"{refused.value} {not_listed.value}"


def test_a_store_that_does_not_answer_is_transient(
    moto: Store, point_at: PointAt, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lake = point_at(moto, url="http://127.0.0.1:9")
    with pytest.raises(OSError, match="after 10 retries") as error:
        lake.table("bronze.orders")
    assert is_store_outage(error.value)
    monkeypatch.setenv("CLICKSTREAM_URI", lake.root)
    monkeypatch.setenv("LAKE_URI", tmp_path.as_uri())
    with pytest.raises(TransientFailure, match="CLICKSTREAM_URI s3://.* cannot be listed"):
        extract_clickstream.fn(DAY, *here())


def test_a_child_process_finds_the_store_in_its_environment(s3_lake: Lake) -> None:
    script = (
        "from deltalake import write_deltalake; import pyarrow as pa, os;"
        "from blocks.settings.settings import Settings; from lake.delta import Lake;"
        "write_deltalake(Lake(Settings().lake_uri).uri('ops.x'), pa.table({'n': [1]}))"
    )
    subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=True, timeout=120)
    assert s3_lake.rows_since("ops.x", None).to_table().to_pydict() == {"n": [1]}
