"""silver.clickstream: which lines are events, when they happened, and which occurrence of one counts."""

import datetime as dt
import json

import pytest
from pyspark.sql import SparkSession

from lake.delta import Lake
from spark_jobs.silver.clickstream import BRONZE, flag_lines
from spark_jobs.silver.jobs import silver_job
from tests.support.rows import DAY, NEXT_DAY, at, click
from tests.support.spark_tables import clicks, frame, run, table, totals, values, write_bronze

JOB = silver_job("clickstream")
SOUND = click("e")
# (line, event_id that is read from it, reject reason)
LINES: list[tuple[str | None, str | None, str | None]] = [
    (SOUND, "e", None),
    (f"  {SOUND}\t\r", "e", None),
    (click("\u00e9\U0001f600"), "\u00e9\U0001f600", None),  # written with escapes
    (json.dumps(json.loads(click("\u00e9\U0001f600")), ensure_ascii=False), "\u00e9\U0001f600", None),
    (click("e", user_id=12), "e", None),
    (click("e", user_id={"any": [1]}), "e", None),
    (click("e", properties=None), "e", None),
    (click("e", properties={}), "e", None),
    (click("e", more={"event_id": "inner"}), "e", None),
    (SOUND.replace('"user_id"', '"event_id": "f", "user_id"'), "f", None),  # of two, the last
    (click(r"C:\ud800 is a folder"), r"C:\ud800 is a folder", None),  # a backslash, and text
    (SOUND.replace('"e"', "null"), None, "event_id_not_null"),
    (click(""), "", "event_id_not_null"),
    (click("  "), "  ", "event_id_not_null"),
    (SOUND.replace("event_id", "EVENT_ID"), None, "event_id_not_null"),
    (click("e", user_id=None), "e", "user_id_not_null"),
    (click("e", user_id=""), "e", "user_id_not_null"),
    (click("e", timestamp=None), "e", "timestamp_readable"),
    (None, None, "line_is_event"),
    ("", None, "line_is_event"),
    ("null", None, "line_is_event"),
    ("{}", None, "line_is_event"),
    ('"text"', None, "line_is_event"),
    ("1", None, "line_is_event"),
    ('{"other": "things"}', None, "line_is_event"),
    ("id,name", None, "line_is_event"),
    (SOUND[:-1], None, "line_is_event"),  # cut off
    (SOUND[:40], None, "line_is_event"),
    (SOUND + SOUND, None, "line_is_event"),  # a line end got lost
    (f"{SOUND} {SOUND}", None, "line_is_event"),
    (f"{SOUND},{SOUND}", None, "line_is_event"),
    (f"[{SOUND}]", None, "line_is_event"),
    (f"[{SOUND},", None, "line_is_event"),
    (f"{SOUND},", None, "line_is_event"),
    (f"{SOUND}]", None, "line_is_event"),
    (SOUND + "}", None, "line_is_event"),
    (SOUND + "rubbish", None, "line_is_event"),
    (SOUND + "\0", None, "line_is_event"),
    (f"{SOUND}// comment", None, "line_is_event"),
    ("\ufeff" + SOUND, None, "line_is_event"),
    (SOUND.replace('"', "'"), None, "line_is_event"),
    (SOUND.replace('"event_id"', "event_id"), None, "line_is_event"),
    (click("e", user_id="BARE").replace('"BARE"', "NaN"), None, "line_is_event"),
    (click("BAD").replace("BAD", "a\tb"), None, "line_is_event"),
    (click("BAD").replace("BAD", r"a\qb"), None, "line_is_event"),
    (click("BAD").replace("BAD", r"\ud800"), None, "line_is_event"),  # half of a character
    (click("BAD").replace("BAD", r"\uDC00\uD83D"), None, "line_is_event"),  # two, the wrong way round
]


def test_which_lines_are_events(spark: SparkSession) -> None:
    checked = flag_lines(frame(spark, BRONZE, clicks(*(line for line, _, _ in LINES))), "UTC")
    read = checked.select("line_number", "event_id", "reject_reason").orderBy("line_number").collect()
    assert [(LINES[row.line_number - 1][0], row.event_id, row.reject_reason) for row in read] == LINES


TIMES: list[tuple[str, dt.datetime | None]] = [
    ("2024-03-04T12:00:00Z", at(DAY)),
    (" 2024-03-04T12:00:00Z ", at(DAY)),
    ("2024-03-04 12:00:00", at(DAY)),  # without an offset: UTC
    ("2024-03-04T12:00:00.5Z", at(DAY, microsecond=500_000)),
    ("2024-03-04T12:00:00.123456789Z", at(DAY, microsecond=123_456)),
    ("2024-03-04T12:00:00+00:00", at(DAY)),
    ("2024-03-04T13:00:00+01:00", at(DAY)),
    ("2024-03-04T13:00:00+0100", at(DAY)),
    ("2024-03-04T13:00:00+01", at(DAY)),
    ("2024-03-04T08:30:00-03:30", at(DAY)),
    ("1970-01-01T00:00:00Z", at(dt.date(1970, 1, 1), 0)),
    ("9998-12-31T23:59:59Z", at(dt.date(9998, 12, 31), 23, 59, 59)),
    ("1969-12-31T23:59:59.999999Z", None),
    ("9999-01-01T00:00:00.000001Z", None),
    ("0000-01-01T00:00:00Z", None),
    ("12024-03-04T12:00:00Z", None),
    ("+12024-03-04T12:00:00Z", None),
    ("-2024-03-04T12:00:00Z", None),
    ("2024-02-30T12:00:00Z", None),
    ("2023-02-29T12:00:00Z", None),
    ("2024-13-04T12:00:00Z", None),
    ("2024-03-04T24:00:00Z", None),
    ("2024-03-04T12:60:00Z", None),
    ("2024-03-04T12:00:60Z", None),
    ("2024-03-04T12:00:00+18:01", None),
    ("2024", None),
    ("2024-03", None),
    ("2024-03-04", None),
    ("12:00:00", None),  # Spark would make it today's, whenever that is
    ("T12:00:00", None),
    ("2024-3-4T1:2:3Z", None),
    ("2024-03-04T12:00:00 Europe/Berlin", None),
    ("2024-03-04T12:00:00 UTC", None),
    ("2024-03-04T12:00:00EST", None),
    ("2024-03-04T12:00:00Z\n", None),
    ("\u0662\u0660\u0662\u0664-03-04T12:00:00Z", None),
    ("04.03.2024 12:00", None),
    ("1709553600", None),
    ("now", None),
    ("", None),
]


def test_which_times_can_be_read(spark: SparkSession) -> None:
    rows = clicks(*(click("e", timestamp=text) for text, _ in TIMES))
    checked = flag_lines(frame(spark, BRONZE, rows), "UTC")
    named = values(checked, "line_number", "reject_reason", "event_at")
    read = [(reason, time) for _, reason, time in sorted(named, key=lambda row: row[0])]
    expected = [(None if time else "timestamp_readable", time) for _, time in TIMES]
    assert dict(zip((text for text, _ in TIMES), read, strict=True)) == dict(
        zip((text for text, _ in TIMES), expected, strict=True)
    )


@pytest.mark.parametrize(
    ("timezone", "cases"),
    [
        ("UTC", [("2024-03-04T23:59:59.999999Z", DAY, 23), ("2024-03-05T00:00:00Z", NEXT_DAY, 0)]),
        ("Asia/Kathmandu", [("2024-03-04T18:14:59Z", DAY, 23), ("2024-03-04T18:15:00Z", NEXT_DAY, 0)]),
        ("America/New_York", [("2024-03-05T04:59:59Z", DAY, 23), ("2024-03-05T05:00:00Z", NEXT_DAY, 0)]),
        (
            "Europe/Berlin",
            [
                # The hour that summer time skips, and the one that its end repeats.
                ("2024-03-31T00:59:59Z", dt.date(2024, 3, 31), 1),
                ("2024-03-31T01:00:00Z", dt.date(2024, 3, 31), 3),
                ("2024-10-27T00:30:00Z", dt.date(2024, 10, 27), 2),
                ("2024-10-27T01:30:00Z", dt.date(2024, 10, 27), 2),
                ("2050-07-01T22:00:00Z", dt.date(2050, 7, 2), 0),
            ],
        ),
    ],
)
def test_date_and_hour_are_the_shops(
    spark: SparkSession, timezone: str, cases: list[tuple[str, dt.date, int]]
) -> None:
    checked = flag_lines(
        frame(spark, BRONZE, clicks(*(click("e", timestamp=text) for text, _, _ in cases))), timezone
    )
    assert [(row.event_date, row.event_hour) for row in checked.orderBy("line_number").collect()] == [
        (date, hour) for _, date, hour in cases
    ]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"product_id": "p1", "device": "mobile"}, "p1"),
        ({"product_id": 12}, "12"),
        ({"product_id": None}, None),
        ({"device": {"product_id": "inner"}}, None),
        ({}, None),
        ("text", None),
        ([1], None),
        (None, None),
    ],
)
def test_the_product_is_a_property(spark: SparkSession, properties: object, expected: str | None) -> None:
    checked = flag_lines(frame(spark, BRONZE, clicks(click("e", properties=properties))), "UTC")
    assert values(checked, "product_id", "reject_reason") == [(expected, None)]


def test_of_repeated_events_the_earliest_counts_then_the_first_file_and_line(
    spark: SparkSession, lake: Lake
) -> None:
    later, earlier = at(DAY, 12, 1).isoformat(), at(DAY, 12).isoformat()
    write_bronze(
        lake,
        "clickstream",
        clicks(click("a", timestamp=later), click("a", timestamp=earlier), click("b"), click("b"), "broken"),
    )
    assert totals(run(spark, lake, JOB)) == ("clickstream", 5, 2, 2, 1)
    write_bronze(
        lake,
        "clickstream",
        [
            *clicks(click("a", timestamp=earlier), click("b"), source_file="2024-03-04/part-1.jsonl"),
            *clicks(click("a", timestamp=earlier), source_file="2024-03-03/part-0.jsonl"),
        ],
    )
    # One of them wins: the same time, in an earlier file.
    assert totals(run(spark, lake, JOB)) == ("clickstream", 3, 1, 2, 0)
    expected = [("a", at(DAY), "2024-03-03/part-0.jsonl", 1), ("b", at(DAY), "2024-03-04/part-0.jsonl", 3)]
    columns = ("event_id", "event_at", "source_file", "line_number")
    assert table(spark, lake, "silver.clickstream", *columns) == expected
    run(spark, lake, JOB, full=True)
    assert table(spark, lake, "silver.clickstream", *columns) == expected


def test_quarantine_names_the_line_and_keeps_it(spark: SparkSession, lake: Lake) -> None:
    bad = click("e", user_id=None)
    write_bronze(lake, "clickstream", clicks("{broken", SOUND, bad))
    run(spark, lake, JOB)
    assert table(
        spark, lake, "quarantine.clickstream", "origin", "reason", "key", "raw", "ds", "occurred_at"
    ) == [
        ("2024-03-04/part-0.jsonl:1", "line_is_event", None, "{broken", DAY, None),
        ("2024-03-04/part-0.jsonl:3", "user_id_not_null", "e", bad, DAY, at(DAY)),
    ]


def test_a_rejected_line_that_comes_again_is_listed_once(spark: SparkSession, lake: Lake) -> None:
    for _ in range(2):
        write_bronze(lake, "clickstream", clicks("{broken"))
        assert totals(run(spark, lake, JOB)) == ("clickstream", 1, 0, 0, 1)
    assert table(spark, lake, "quarantine.clickstream", "origin") == [("2024-03-04/part-0.jsonl:1",)]
