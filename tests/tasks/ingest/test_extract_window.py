"""Windows and spans of days: each case carries the window it must give."""

import datetime as dt
import itertools
from zoneinfo import ZoneInfo

import pytest

from tasks.ingest.extract_window import (
    Window,
    clickstream_days,
    covered_to,
    day_start,
    extraction_window,
    previous_business_date,
)

UTC, BERLIN, NEW_YORK = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
HOUR = dt.timedelta(hours=1)


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("ds", "covered_until", "timezone", "overlap", "start", "end"),
    [
        pytest.param(
            "2024-01-15", None, UTC, HOUR, None, "2024-01-16 00:00", id="first run: from the first row"
        ),
        pytest.param(
            "2024-01-15",
            "2024-01-15 00:00",
            UTC,
            HOUR,
            "2024-01-14 23:00",
            "2024-01-16 00:00",
            id="the next day",
        ),
        pytest.param(
            "2024-04-01",
            "2024-03-31 22:00",
            BERLIN,
            dt.timedelta(days=1),
            "2024-03-30 22:00",
            "2024-04-01 22:00",
            id="an overlap of 24 hours over a day of 23",
        ),
        pytest.param(
            "2024-01-15",
            "2024-01-12 00:00",
            UTC,
            HOUR,
            "2024-01-11 23:00",
            "2024-01-16 00:00",
            id="three days were skipped: theirs too",
        ),
        pytest.param(
            "2024-01-10",
            "2024-01-15 00:00",
            UTC,
            HOUR,
            "2024-01-09 23:00",
            "2024-01-11 00:00",
            id="an old day again: only that day",
        ),
        pytest.param(
            "2024-01-15",
            "2024-01-15 09:30",
            UTC,
            HOUR,
            "2024-01-14 23:00",
            "2024-01-16 00:00",
            id="covered in the middle of the day: the whole day again",
        ),
        pytest.param(
            "2024-01-15",
            "2024-01-15 00:00",
            UTC,
            0 * HOUR,
            "2024-01-15 00:00",
            "2024-01-16 00:00",
            id="no overlap",
        ),
        pytest.param(
            "2024-01-15",
            "2024-01-15 00:00",
            UTC,
            36 * HOUR,
            "2024-01-13 12:00",
            "2024-01-16 00:00",
            id="an overlap longer than a day",
        ),
        pytest.param(
            "2024-03-31",
            "2024-03-30 23:00",
            BERLIN,
            0 * HOUR,
            "2024-03-30 23:00",
            "2024-03-31 22:00",
            id="Berlin loses an hour: 23 hours",
        ),
        pytest.param(
            "2024-10-27",
            "2024-10-26 22:00",
            BERLIN,
            0 * HOUR,
            "2024-10-26 22:00",
            "2024-10-27 23:00",
            id="Berlin gains an hour: 25 hours",
        ),
        pytest.param(
            "2024-03-10",
            "2024-03-10 05:00",
            NEW_YORK,
            HOUR,
            "2024-03-10 04:00",
            "2024-03-11 04:00",
            id="New York loses an hour; the overlap is a real hour",
        ),
        pytest.param(
            "2024-11-03",
            "2024-11-03 04:00",
            NEW_YORK,
            0 * HOUR,
            "2024-11-03 04:00",
            "2024-11-04 05:00",
            id="New York gains an hour",
        ),
    ],
)
def test_window(
    ds: str, covered_until: str | None, timezone: ZoneInfo, overlap: dt.timedelta, start: str | None, end: str
) -> None:
    mark = utc(covered_until) if covered_until else None
    window = extraction_window(day(ds), mark, timezone, overlap)
    # As instants: Python subtracts wall clocks, PostgreSQL compares instants.
    assert window.end.astimezone(dt.UTC) == utc(end)
    assert (window.start and window.start.astimezone(dt.UTC)) == (utc(start) if start else None)


@pytest.mark.parametrize("timezone", [UTC, BERLIN, NEW_YORK])
def test_the_windows_of_a_year_touch_without_gap_or_overlap(timezone: ZoneInfo) -> None:
    days = [day("2024-01-01") + dt.timedelta(days=n) for n in range(366)]
    windows = [extraction_window(d, day_start(d, timezone), timezone, 0 * HOUR) for d in days]
    assert all(
        before.end.astimezone(dt.UTC) == after.start.astimezone(dt.UTC)
        for before, after in itertools.pairwise(windows)
    )
    lengths = [(w.end.astimezone(dt.UTC) - w.start.astimezone(dt.UTC)) / HOUR for w in windows]
    assert sorted(set(lengths)) == ([24] if timezone is UTC else [23, 24, 25])


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("2024-01-15 09:30", "2024-01-15 09:30", id="ds is today: covered up to now"),
        pytest.param("2024-01-16 00:00", "2024-01-16 00:00", id="the moment the day ends"),
        pytest.param("2024-01-20 09:30", "2024-01-16 00:00", id="ds is over: covered to its end"),
    ],
)
def test_covered_to(now: str, expected: str) -> None:
    assert covered_to(Window(start=None, end=utc("2024-01-16 00:00")), utc(now)) == utc(expected)


AVAILABLE = [day(f"2024-01-{number:02}") for number in (10, 11, 12, 14, 15, 17)]


@pytest.mark.parametrize(
    ("ds", "covered_day", "expected"),
    [
        pytest.param("2024-01-12", None, [10, 11, 12], id="first run: everything up to its day"),
        pytest.param("2024-01-15", "2024-01-14", [14, 15], id="the next day; the 13th has no folder"),
        pytest.param("2024-01-17", "2024-01-15", [14, 15, 17], id="the two days before may have late files"),
        pytest.param("2024-01-15", "2024-01-11", [10, 11, 12, 14, 15], id="skipped days"),
        pytest.param("2024-01-15", "2024-01-12", [11, 12, 14, 15], id="but not the third"),
        pytest.param("2024-01-11", "2024-01-15", [11], id="an old day again: only that"),
        pytest.param("2024-01-15", "2024-01-15", [14, 15], id="the same day again"),
        pytest.param("2024-01-19", "2024-01-19", [], id="a day without a folder"),
    ],
)
def test_clickstream_days(ds: str, covered_day: str | None, expected: list[int]) -> None:
    covered = day(covered_day) if covered_day else None
    assert [d.day for d in clickstream_days(day(ds), covered, AVAILABLE)] == expected


@pytest.mark.parametrize(
    ("now", "timezone", "expected"),
    [
        ("2024-01-16 00:00", UTC, "2024-01-15"),
        ("2024-01-15 23:59", UTC, "2024-01-14"),
        ("2024-01-15 23:30", BERLIN, "2024-01-15"),
        ("2024-06-15 22:00", BERLIN, "2024-06-15"),
        ("2024-01-16 04:59", NEW_YORK, "2024-01-14"),
        ("2024-01-16 05:00", NEW_YORK, "2024-01-15"),
        ("2024-03-11 03:59", NEW_YORK, "2024-03-09"),
    ],
)
def test_previous_business_date(now: str, timezone: ZoneInfo, expected: str) -> None:
    assert previous_business_date(utc(now), timezone) == day(expected)
