"""Spark appends the lines that the worker would have: of files in any state, by a session and by spark-submit."""

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import Settings
from lake.delta import Lake
from lake.row_counts import Extracted
from tasks.ingest import click_lines
from tasks.ingest.clickstream import extract_clickstream
from tests.support.platforms import Platform, here
from tests.support.rows import DAY, NEXT_DAY
from tests.support.submitting import local_submit

LONG = "x" * 3_000_000
FILES = {
    "plain.jsonl": b"one\ntwo\n",
    "open.json": b"one\n\n\ntwo",
    "windows.jsonl": b"\xef\xbb\xbfone\r\n\r\ntwo\r\r\n",
    "nul.jsonl": b"a\x00b\n\tc \n",
    "words.jsonl": "Zoë 東京 \U0001f600\nein\u2028Satz\x0b\x0c\x85\n".encode(),
    "long.jsonl": f"a\n{LONG}\nb\n".encode(),
    "empty.jsonl": b"",
    "line-end.jsonl": b"\n",
    "many.jsonl": b"".join(b'{"event_id": "%d"}\n' % number for number in range(20_000)),
    "13/part-0.jsonl": b"of an hour\n",
    "hour=14/region=eu/part-0.jsonl": b"of another\n",
    # Names that Spark would hide, take for a pattern, or write in another way.
    "_part.jsonl": b"hidden\n",
    "part[01]*{a,b}?.jsonl": b"pattern\n",
    "per cent%20.jsonl": b"in the name\n",
    "Zoë.jsonl": b"a name\n",
}
PACKED = {f"{name.split('.')[0]}.json.gz": gzip.compress(content) for name, content in FILES.items()}
SEVERAL = {"several.jsonl.gz": gzip.compress(b"one\nt") + gzip.compress(b"wo\n")}
# What only the worker can read.
BROKEN = {
    "latin.jsonl": "Zoë\n".encode("latin-1") + b"good\n",
    "cut.jsonl.gz": gzip.compress(os.urandom(20_000).hex().encode())[:9_000],
    "none.json.gz": b"no gzip at all",
}


def put(folder: Path, files: dict[str, bytes], tick: int = 1) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(tick * 10**9, tick * 10**9))


def rows(lake: Lake) -> list[dict[str, Any]]:
    found = lake.table("bronze.clickstream").to_pyarrow_table().to_pylist()
    return sorted(found, key=lambda row: (row["source_file"], row["line_number"], row["raw"]))


@contextmanager
def in_lake(lake: Lake, variables: dict[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"LAKE_URI": lake.root, **variables}.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(params=["session", "submitted"])
def spark_reads(request: pytest.FixtureRequest, apache: object) -> dict[str, str]:
    """The variables with which Spark reads."""
    how = {"SPARK_SUBMIT": local_submit()} if request.param == "submitted" else {"SPARK_REMOTE": "local[2]"}
    return {"SPARK_READS_CLICKS": "true", **how}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.apache_spark
def test_bronze_is_the_same(
    platform: Platform, spark_reads: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = Lake((tmp_path / "by-worker").as_uri())

    def ingest(ds: Any) -> tuple[Extracted, list[str]]:
        """What Spark did, and the files that the worker read beside it."""
        with in_lake(beside, {}):
            by_worker = extract_clickstream.fn(ds, *here())
        opened, real = [], click_lines.file_lines
        with monkeypatch.context() as patch:

            def watched(source: Any, file: Any) -> Any:
                opened.append(file.name.split("/", 1)[1])
                return real(source, file)

            patch.setattr("tasks.ingest.clickstream.file_lines", watched)
            with in_lake(platform.lake, spark_reads):
                by_spark = extract_clickstream.fn(ds, *here())
        assert by_spark.rows == by_worker.rows
        assert rows(platform.lake) == rows(beside)
        mark = platform.lake.progress("bronze.clickstream", "covered-until")
        assert mark == beside.progress("bronze.clickstream", "covered-until")
        return by_spark, opened

    folder = platform.clickstream / DAY.isoformat()
    put(folder, FILES | PACKED | SEVERAL)
    done, by_worker = ingest(DAY)
    assert done.rows > 40_000
    assert done.warnings == []
    odd = [name for name in (FILES | PACKED) if not set("_[% ë").isdisjoint(name)]
    assert sorted(by_worker) == sorted([*odd, "empty.jsonl", "empty.json.gz"])

    # Grown, corrected and damaged files beside old ones; then nothing new.
    put(folder, {"plain.jsonl": b"one\ntwo\nthree\n", "open.json": b"one\n\n\nTWO"} | BROKEN, tick=2)
    done, by_worker = ingest(NEXT_DAY)
    assert [warning for warning in done.warnings if "Spark" in warning] == [
        f"clickstream file {DAY}/{name} was read by the worker: Spark could not" for name in sorted(BROKEN)
    ]
    assert {*by_worker} == {"empty.jsonl", "empty.json.gz", *BROKEN}
    if "SPARK_SUBMIT" not in spark_reads:  # It would start a JVM for this.
        assert ingest(NEXT_DAY)[0].rows == 0


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {},
            "SPARK_READS_CLICKS is on, but Spark is the one in the worker: set SPARK_REMOTE or SPARK_SUBMIT",
        ),
        ({"SPARK_SUBMIT": "false"}, "spark-submit of bronze.clickstream failed"),
    ],
)
def test_without_a_spark_nothing_is_appended(
    platform: Platform, variables: dict[str, str], words: str
) -> None:
    put(platform.clickstream / DAY.isoformat(), {"plain.jsonl": b"one\n"})
    with in_lake(platform.lake, {"SPARK_READS_CLICKS": "true", **variables}):
        assert Settings().spark_reads_clicks
        with pytest.raises(PermanentFailure, match=words):
            extract_clickstream.fn(DAY, *here())
    assert platform.lake.table("bronze.clickstream") is None
