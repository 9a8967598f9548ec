"""Clickstream files to bronze: every line, once, whatever state the file is in."""

import datetime as dt
import gzip
import os
import random
from pathlib import Path
from typing import Any

import pytest

from blocks.settings.failures import PermanentFailure, TransientFailure
from tasks.ingest import click_lines, clickstream
from tasks.ingest.click_files import ClickSource
from tasks.ingest.clickstream import extract_clickstream
from tasks.ingest.extract_window import LATE_DAYS
from tests.support.platforms import Platform, here
from tests.support.rows import DAY, NEXT_DAY, click, write_clicks

LATER = NEXT_DAY + dt.timedelta(days=1)


def put_bytes(platform: Platform, content: bytes, name: str = "part-0.jsonl", day: dt.date = DAY) -> Path:
    path = platform.clickstream / day.isoformat() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_bytes(content)
    # Two writes within one tick of the file system's clock are two versions all the same.
    os.utime(path, ns=(before + 10**9, before + 10**9))
    return path


def ingest(platform: Platform, ds: dt.date = DAY) -> int:
    del platform  # `Settings` finds it in the environment.
    return extract_clickstream.fn(ds, *here()).rows


def lines(platform: Platform) -> list[tuple[int, str]]:
    """(line number, raw) of everything in bronze."""
    rows = platform.lake.table("bronze.clickstream").to_pyarrow_table(columns=["line_number", "raw"])
    return sorted(zip(rows["line_number"].to_pylist(), rows["raw"].to_pylist(), strict=True))


LONG = "x" * (click_lines.BLOCK_BYTES + 1000)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"one\ntwo\n", ["one", "two"], id="plain lines"),
        pytest.param(b"one\ntwo", ["one", "two"], id="no line end at the end"),
        pytest.param(b"one\r\ntwo\r\n", ["one", "two"], id="CRLF"),
        pytest.param(b"one\n\n\ntwo\n\n", ["one", "", "", "two", ""], id="empty lines keep their numbers"),
        pytest.param(b"\n", [""], id="one empty line"),
        pytest.param(b"", [], id="an empty file"),
        pytest.param("Zoë 東京\n".encode(), ["Zoë 東京"], id="UTF-8"),
        pytest.param(b"good\nbad \xff\xfe\ngood\n", ["good", "bad \\xff\\xfe", "good"], id="invalid UTF-8"),
        pytest.param("Zoë\nbad \xff\n".encode("latin-1"), ["Zo\\xeb", "bad \\xff"], id="another encoding"),
        pytest.param(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\n", ["one", "\ufefftwo"], id="a byte order mark"),
        pytest.param(b"\xef\xbb\xbf", [], id="nothing but a byte order mark"),
        pytest.param(b"a\x00b\n", ["a\x00b"], id="a NUL byte"),
        pytest.param(b"not json\n[1, 2]\n", ["not json", "[1, 2]"], id="no event at all"),
        pytest.param(f"a\n{LONG}\nb\n".encode(), ["a", LONG, "b"], id="a line longer than a block"),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_every_line_reaches_bronze(
    platform: Platform, content: bytes, expected: list[str], packed: bool
) -> None:
    put_bytes(platform, gzip.compress(content) if packed else content, "f.json.gz" if packed else "f.json")
    assert ingest(platform) == len(expected)
    assert lines(platform) == list(enumerate(expected, start=1))


def test_a_line_knows_where_it_came_from(platform: Platform) -> None:
    path = put_bytes(platform, b"one\ntwo\n", "f.jsonl")
    ingest(platform)
    rows = platform.lake.table("bronze.clickstream").to_pyarrow_table().to_pylist()
    state = path.stat()
    version = f"{state.st_size}-{state.st_mtime_ns}"
    assert [{name: row[name] for name in ("ds", "source_file", "source_version")} for row in rows] == [
        {"ds": DAY, "source_file": f"{DAY}/f.jsonl", "source_version": version}
    ] * 2


def test_lines_that_span_blocks_stay_whole(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click_lines, "BLOCK_BYTES", 7)
    expected = [f"line {number} " + "y" * (number % 13) for number in range(200)]
    put_bytes(platform, "\n".join(expected).encode())
    put_bytes(platform, gzip.compress("\n".join(expected).encode()), "b.jsonl.gz")
    assert ingest(platform) == 400
    assert lines(platform) == sorted(2 * list(enumerate(expected, start=1)))


def test_an_unchanged_file_is_not_read_again(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clicks(platform.clickstream, DAY, [click("a"), click("b")])
    assert ingest(platform) == 2
    version = platform.lake.table("bronze.clickstream").version()
    opened: list[str] = []
    monkeypatch.setattr(ClickSource, "open", lambda _self, file: opened.append(file.path))
    assert ingest(platform) == 0
    assert (opened, platform.lake.table("bronze.clickstream").version()) == ([], version)


def test_a_touched_file_is_read_again_and_adds_nothing(platform: Platform) -> None:
    put_bytes(platform, b"one\ntwo\n")
    assert ingest(platform) == 2
    put_bytes(platform, b"one\ntwo\n")
    assert ingest(platform) == 0


def test_a_grown_file_adds_only_its_new_lines(platform: Platform) -> None:
    put_bytes(platform, b"one\none\n")
    assert ingest(platform) == 2
    put_bytes(platform, b"one\none\none\nfour\n")
    assert ingest(platform) == 2
    assert lines(platform) == [(1, "one"), (2, "one"), (3, "one"), (4, "four")]


def test_a_corrected_line_is_added_beside_the_old(platform: Platform) -> None:
    put_bytes(platform, b"one\nbrok\n")
    ingest(platform)
    put_bytes(platform, b"one\nbroken no more\n")
    assert ingest(platform) == 1
    assert lines(platform) == [(1, "one"), (2, "brok"), (2, "broken no more")]


def test_the_same_line_in_two_files_is_two_lines(platform: Platform) -> None:
    put_bytes(platform, b"one\n", "a.jsonl")
    put_bytes(platform, b"one\n", "b.jsonl")
    assert ingest(platform) == 2


def truncated_gzip() -> tuple[list[str], bytes, bytes]:
    """Many lines that compress badly; the whole file, and the file cut in the middle."""
    # The same each time: one in some eighty would be cut at the end of a line, which is then whole.
    noise = random.Random(1)
    texts = [f"{number} {noise.randbytes(40).hex()}" for number in range(5_000)]
    whole = gzip.compress("".join(text + "\n" for text in texts).encode())
    return texts, whole, whole[: len(whole) // 2]


def test_a_truncated_gz_keeps_what_can_be_read_and_marks_the_rest(platform: Platform) -> None:
    texts, whole, cut = truncated_gzip()
    put_bytes(platform, cut, "f.jsonl.gz")
    ingest(platform)
    found = lines(platform)
    *readable, (_, broken_line), (_, marker) = found
    # Half of the bytes are there: nearly half of the lines must be.
    assert len(texts) * 0.45 < len(readable) < len(texts) * 0.55
    assert [raw for _, raw in readable] == texts[: len(readable)]
    assert texts[len(readable)].startswith(broken_line)
    assert marker.startswith("<unreadable from here on: ")
    assert sum(raw.startswith("<unreadable") for _, raw in found) == 1

    put_bytes(platform, whole, "f.jsonl.gz")
    assert ingest(platform) == len(texts) - len(readable)
    kept = [raw for _, raw in lines(platform)]
    assert sorted(kept) == sorted([*texts, broken_line, marker])


@pytest.mark.parametrize(
    "content",
    [pytest.param(b"no gzip at all", id="no gzip"), pytest.param(b"\x1f\x8b\x08", id="only a header")],
)
def test_a_gz_that_cannot_be_read_at_all_is_one_line(platform: Platform, content: bytes) -> None:
    put_bytes(platform, content, "f.json.gz")
    assert ingest(platform) == 1
    assert lines(platform)[0][1].startswith("<unreadable from here on: ")


def test_damage_inside_a_gz_does_not_stop_the_other_files(platform: Platform) -> None:
    _, whole, _ = truncated_gzip()
    put_bytes(platform, whole[:50_000] + b"\x00" * 100 + whole[50_100:], "a.jsonl.gz")
    put_bytes(platform, b"fine\n", "b.jsonl")
    ingest(platform)
    found = [raw for _, raw in lines(platform)]
    assert found.count("fine") == 1
    assert sum(raw.startswith("<unreadable") for raw in found) == 1


def test_a_file_that_comes_after_its_days_run_is_found_by_the_next_run(platform: Platform) -> None:
    write_clicks(platform.clickstream, DAY, [click("a")])
    assert ingest(platform, DAY) == 1
    write_clicks(platform.clickstream, DAY, [click("late")], "late.jsonl")
    write_clicks(platform.clickstream, NEXT_DAY, [click("b")])
    assert ingest(platform, NEXT_DAY) == 2


def test_a_file_that_comes_later_still_is_found_by_running_its_day_again(platform: Platform) -> None:
    last = DAY + dt.timedelta(days=LATE_DAYS + 1)
    for number, day in enumerate((DAY, last)):
        write_clicks(platform.clickstream, day, [click(f"e{number}")])
        assert ingest(platform, day) == 1
    write_clicks(platform.clickstream, DAY, [click("late")], "late.jsonl")
    assert ingest(platform, last + dt.timedelta(days=1)) == 0
    assert ingest(platform, DAY) == 1


def test_a_run_makes_up_for_days_that_were_skipped(platform: Platform) -> None:
    for day in (DAY, NEXT_DAY, LATER, LATER + dt.timedelta(days=1)):
        write_clicks(platform.clickstream, day, [click(f"of {day}")])
    assert ingest(platform, DAY) == 1
    assert ingest(platform, LATER) == 2


def test_files_of_today_are_read_again_tomorrow(platform: Platform) -> None:
    today = dt.datetime.now(dt.UTC).date()
    write_clicks(platform.clickstream, today, [click("a")])
    assert ingest(platform, today) == 1
    write_clicks(platform.clickstream, today, [click("b")], "later.jsonl")
    assert ingest(platform, today + dt.timedelta(days=1)) == 1


def test_a_run_by_a_clock_that_is_ahead_covers_no_day_that_is_still_to_come(platform: Platform) -> None:
    write_clicks(platform.clickstream, DAY, [click("a")])
    # As a worker would whose clock is a month ahead.
    assert ingest(platform, DAY + dt.timedelta(days=31)) == 1
    for day in (NEXT_DAY, LATER):
        write_clicks(platform.clickstream, day, [click(f"of {day}")])
    # The run of the day between was missed.
    assert ingest(platform, LATER) == 2


def test_other_endings_are_reported_and_not_read(platform: Platform) -> None:
    put_bytes(platform, b"one\n", "f.jsonl")
    put_bytes(platform, b"id,name\n", "f.csv")
    put_bytes(platform, b"{}", "f.json.bz2")
    outcome = extract_clickstream.fn(DAY, *here())
    assert outcome.rows == 1
    assert [warning.split(" is not")[0] for warning in outcome.warnings] == [
        f"clickstream file {DAY}/f.csv",
        f"clickstream file {DAY}/f.json.bz2",
    ]


def test_a_day_without_a_folder_is_a_warning(platform: Platform) -> None:
    write_clicks(platform.clickstream, DAY, [click("a")])
    outcome = extract_clickstream.fn(NEXT_DAY, *here())
    # The first run reads the days before, too.
    assert (outcome.rows, outcome.warnings) == (1, [f"clickstream has no folder for {NEXT_DAY}"])


def test_other_folders_do_not_matter(platform: Platform) -> None:
    for name in ("_temporary", "archive-2023", "lost+found"):
        (platform.clickstream / name).mkdir()
    write_clicks(platform.clickstream, DAY, [click("a")])
    assert extract_clickstream.fn(DAY, *here()).warnings == []


@pytest.mark.parametrize(
    "name",
    [
        "20240304",
        "2024-3-4",
        "2024_03_04",
        "2024-W10-1",
        "2024-13-45",
        "2024",
        "2024-03",
        "2024-03-04-13",
        "04.03.2024",
        "dt=2024-03-04",
        "year=2024",
    ],
)
def test_a_day_in_another_spelling_is_told_and_not_read(platform: Platform, name: str) -> None:
    """Beside the usual spelling every line would come twice."""
    write_clicks(platform.clickstream, DAY, [click("a")])
    (platform.clickstream / name / "month=03").mkdir(parents=True)
    (platform.clickstream / name / "part-0.jsonl").write_text(click("a") + "\n")
    outcome = extract_clickstream.fn(DAY, *here())
    told = f"clickstream folders {name} are not read: a day's is named YYYY-MM-DD, rename them"
    assert (outcome.rows, outcome.warnings) == (1, [told])


def test_of_many_folders_in_another_spelling_some_are_named(platform: Platform) -> None:
    for day in range(10, 20):
        (platform.clickstream / f"202403{day}").mkdir()
    outcome = extract_clickstream.fn(DAY, *here())
    assert outcome.warnings == [
        "clickstream folders 20240310, 20240311, 20240312 and 7 more are not read: a day's is named YYYY-MM-DD,"
        " rename them",
        f"clickstream has no folder for {DAY}",
    ]


def test_files_outside_of_a_days_folder_are_told(platform: Platform) -> None:
    write_clicks(platform.clickstream, DAY, [click("a")])
    (platform.clickstream / f"{DAY}.jsonl").write_text(click("b") + "\n")
    (platform.clickstream / "README.md").write_text("clicks")
    outcome = extract_clickstream.fn(DAY, *here())
    told = f"clickstream files {DAY}.jsonl are not read: they lie in no day's folder, move them to one"
    assert (outcome.rows, outcome.warnings) == (1, [told])


def test_files_at_any_depth_of_a_day_are_read(platform: Platform) -> None:
    put_bytes(platform, b"one\n")
    put_bytes(platform, b"two\n", "13/part-0.jsonl")
    put_bytes(platform, gzip.compress(b"three\n"), "hour=14/region=eu/part-0.json.gz")
    put_bytes(platform, b"unfinished\n", "_temporary/0/part-1.jsonl")
    put_bytes(platform, b"unfinished\n", "13/.staging/part-1.jsonl")
    put_bytes(platform, b"id,name\n", "13/f.csv")
    outcome = extract_clickstream.fn(DAY, *here())
    assert (outcome.rows, [warning.split(" is not")[0] for warning in outcome.warnings]) == (
        3,
        [f"clickstream file {DAY}/13/f.csv"],
    )
    names = platform.lake.table("bronze.clickstream").to_pyarrow_table()["source_file"].to_pylist()
    assert sorted(names) == [
        f"{DAY}/13/part-0.jsonl",
        f"{DAY}/hour=14/region=eu/part-0.json.gz",
        f"{DAY}/part-0.jsonl",
    ]
    assert ingest(platform) == 0


def test_a_day_without_a_file_is_a_warning(platform: Platform) -> None:
    (platform.clickstream / str(DAY) / "13").mkdir(parents=True)
    outcome = extract_clickstream.fn(DAY, *here())
    assert (outcome.rows, outcome.warnings) == (0, [f"clickstream folder {DAY} has no file with clicks"])


def test_a_missing_root_is_permanent(platform: Platform) -> None:
    platform.clickstream.rmdir()
    with pytest.raises(PermanentFailure, match=r"CLICKSTREAM_URI .* does not exist: create the folder"):
        ingest(platform)
    assert not (platform.folder / "lake").exists()


def test_a_file_that_vanishes_while_it_is_read_is_transient(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next try lists the folder again."""
    put_bytes(platform, b"one\n", "a.jsonl")
    path = put_bytes(platform, b"two\n", "b.jsonl")
    real = clickstream._known_versions

    def replaced_meanwhile(*arguments: Any) -> Any:
        path.unlink(missing_ok=True)
        return real(*arguments)

    monkeypatch.setattr(clickstream, "_known_versions", replaced_meanwhile)
    with pytest.raises(TransientFailure, match=r"b\.jsonl cannot be read"):
        ingest(platform)
    assert platform.lake.table("bronze.clickstream") is None
    assert ingest(platform) == 1
