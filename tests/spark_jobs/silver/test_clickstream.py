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
    (click("e", user_id="\u2028\t"), "e", "user_id_not_null"),
    (click("e", user_id="\u2028\t"), "e", "user_id_not_null"),
    (click("e", user_id="\u2028\t"), "e", "user_id_not_null"),
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
    (f"[{SOUND}]", "e", None),
    (f"[ {SOUND},", "e", None),  # the lines of an array that goes over several
    (f"{SOUND},", "e", None),
    (f"{SOUND} ]", "e", None),
    ("[", None, "line_is_event"),
    ("[]", None, "line_is_event"),
    ("[1]", None, "line_is_event"),
    (f"[[{SOUND}]]", None, "line_is_event"),
    (f"{SOUND},]", None, "line_is_event"),
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


A, B, C = click("a"), click("b", page_url='/}{"x'), click("c", items=[{"n": 1}, {"n": 2}])
# (line, (event_id, reject reason, its own origin, its own raw text) of each of its objects)
SEVERAL: list[tuple[str, list[tuple[str | None, str | None, str | None, str | None]]]] = [
    (A + B, [("a", None, None, None), ("b", None, None, None)]),
    (f" {A} \t{B}\r", [("a", None, None, None), ("b", None, None, None)]),
    (f"{A},{B}", [("a", None, None, None), ("b", None, None, None)]),
    (f"[{A}, {B}]", [("a", None, None, None), ("b", None, None, None)]),
    (f"[{A},{B},{C}]", [("a", None, None, None), ("b", None, None, None), ("c", None, None, None)]),
    (f"{C}{C}", [("c", None, None, None), ("c", None, None, None)]),
    (C, [("c", None, None, None)]),
    (f"[{C}]", [("c", None, None, None)]),
    # The rest of what was cut off is lost, and what is whole is not.
    (f"[{A},{B[:50]}", [("a", None, None, None), (None, "line_is_event", "f:1:2", B[:50])]),
    (f"{A[:50]}{B}", [(None, "line_is_event", "f:1", f"{A[:50]}{B}")]),
    (A + "{}", [(None, "line_is_event", "f:1", A + "{}")]),
    # Each that is no usable event is a row of its own in quarantine.
    (
        f"[{click('', x=1.50)},{A}]",
        [("", "event_id_not_null", "f:1:1", click("", x=1.50)), ("a", None, None, None)],
    ),
    (
        A + click("\ud800"),
        [("a", None, None, None), (None, "line_is_event", "f:1:2", click("\ud800"))],
    ),
]


def test_each_object_of_a_line_is_an_event_of_its_own(spark: SparkSession) -> None:
    rows = [row for n, (line, _) in enumerate(SEVERAL) for row in clicks(line, source_file=str(n))]
    checked = flag_lines(frame(spark, BRONZE, rows), "UTC")
    read = values(checked, "source_file", "event_id", "reject_reason", "origin", "raw")
    expected = [
        (str(n), event_id, reason, origin and origin.replace("f", str(n), 1), raw)
        for n, (_, objects) in enumerate(SEVERAL)
        for event_id, reason, origin, raw in objects
    ]
    assert sorted(read, key=str) == sorted(expected, key=str)


def test_the_objects_of_a_line_are_counted_apart(spark: SparkSession, lake: Lake) -> None:
    lines = [click(f"e{number}") for number in range(1000)]
    broken = [click("", page_url=f"/{number}") for number in range(20)]
    write_bronze(lake, "clickstream", clicks("".join(lines), f"[{','.join(lines[:10] + broken)}]", A))
    assert totals(run(spark, lake, JOB)) == ("clickstream", 1031, 1001, 10, 20)
    # The same lines in another order of delivery: nothing new.
    write_bronze(lake, "clickstream", clicks("".join(lines), f"[{','.join(lines[:10] + broken)}]", A))
    assert totals(run(spark, lake, JOB)) == ("clickstream", 1031, 0, 1011, 20)
    assert len(table(spark, lake, "quarantine.clickstream", "origin")) == 20


NUMBERS = [
    "10000000000000000000000001",
    "10000000000000000000000002",
    "7.10",
    "7.1",
    "1234567890.1700000001",
    "1234567890.1700000010",
    "9007199254740993",
    "1e5",
    "1E+05",
    "100000.0",
    "-0",
    "0",
    "-12",
    "0.1e-7",
    "1" * 1200,
]


def test_a_number_is_the_id_that_was_written(spark: SparkSession) -> None:
    keys = {"event_id": "n", "user_id": "n", "session_id": "n", "properties": {"product_id": "n", "x": [1.5]}}
    lines = [json.dumps({**json.loads(SOUND), **keys}).replace('"n"', number) for number in NUMBERS]
    spaced = [line.replace('": ', '"\t :  ') for line in lines]
    in_text = click("e", user_id='{"user_id": 7.10, "event_id":1e5}')
    checked = flag_lines(frame(spark, BRONZE, clicks(*lines, *spaced, in_text, f"[{lines[0]}]")), "UTC")
    columns = ("event_id", "user_id", "session_id", "product_id", "reject_reason")
    read = checked.orderBy("line_number").select(*columns).collect()
    expected = [(number, number, number, number, None) for number in NUMBERS]
    quoted = ("e", '{"user_id": 7.10, "event_id":1e5}', "s1", "1", None)
    assert [tuple(row) for row in read] == [*expected, *expected, quoted, expected[0]]


def test_what_is_no_number_makes_a_line_no_event(spark: SparkSession) -> None:
    numbers = ["01", "1.", ".5", "1e", "+1", "1.5.5", "0x10", "-", "1 2", "Infinity"]
    lines = [click("n").replace('"n"', number) for number in numbers]
    checked = flag_lines(frame(spark, BRONZE, clicks(*lines)), "UTC")
    assert values(checked, "event_id", "reject_reason") == [(None, "line_is_event")] * len(numbers)


def test_a_blank_session_or_product_is_none(spark: SparkSession) -> None:
    blanks = ["", " ", "\t\n", "\u00a0", "\u2003\u3000"]
    lines = [click("e", session_id=blank, properties={"product_id": blank}) for blank in blanks]
    checked = flag_lines(frame(spark, BRONZE, clicks(*lines)), "UTC")
    assert values(checked, "session_id", "product_id", "reject_reason") == [(None, None, None)] * len(blanks)


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
    ("2024-03-04T12:00Z", at(DAY)),  # Java's, when the seconds are zero
    ("2024-03-04T12:00", at(DAY)),
    ("2024-03-04 12:00 ", at(DAY)),
    ("2024-03-04T13:00+01:00", at(DAY)),
    ("2024-03-04T13:00+0100", at(DAY)),
    ("2024-03-04T13:00+01", at(DAY)),
    ("2024-03-04T08:30-03:30", at(DAY)),
    ("2024-03-04t12:00:00z", at(DAY)),
    ("2024-03-04T12:00:00,5Z", at(DAY, microsecond=500_000)),
    ("2024-03-04T12:00:00,123456+00", at(DAY, microsecond=123_456)),
    ("2024-03-04T12:00:00.123456789012Z", at(DAY, microsecond=123_456)),
    ("2024-03-04T06:00:00-18:00", at(DAY + dt.timedelta(days=1), 0)),
    ("1970-01-01T00:00:00Z", at(dt.date(1970, 1, 1), 0)),
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
    ("2024-03-04T24:00Z", None),
    ("2024-03-04T12Z", None),
    ("2024-03-04T1200Z", None),
    ("2024-03-04T12:60Z", None),
    ("2024-03-04T12:00:Z", None),
    ("2024-03-04T12:00.5Z", None),
    ("2024-03-04T12:00:00.Z", None),
    ("2024-03-04T12:00:00.5,5Z", None),
    ("2024-03-04T12:60:00Z", None),
    ("2024-03-04T12:00:60Z", None),
    ("2024-03-04T12:00:00+18:01", None),
    ("2024-03-04T12:00:00+19", None),
    ("2024-03-04T12:00:00+01:60", None),
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
        (
            "UTC",
            [
                ("2024-03-05T23:59:59.999999Z", None),
                ("2024-03-06T00:00:00Z", "timestamp_not_in_future"),
                ("2099-01-01T00:00:00Z", "timestamp_not_in_future"),
                ("9998-12-31T23:59:59Z", "timestamp_not_in_future"),
                ("9999-12-31T23:59:59Z", "timestamp_readable"),
                ("1970-01-01T00:00:00Z", None),
            ],
        ),
        (
            "America/New_York",
            [("2024-03-06T04:59:59Z", None), ("2024-03-06T05:00:00Z", "timestamp_not_in_future")],
        ),
    ],
)
def test_an_event_is_no_later_than_the_day_after_its_folders(
    spark: SparkSession, timezone: str, cases: list[tuple[str, str | None]]
) -> None:
    lines = [click("e", timestamp=time) for time, _ in cases]
    checked = flag_lines(frame(spark, BRONZE, clicks(*lines)), timezone).orderBy("line_number")
    assert [row.reject_reason for row in checked.select("reject_reason").collect()] == [
        reason for _, reason in cases
    ]


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
    rows = [
        row | {"ds": dt.date(2050, 7, 2)}
        for row in clicks(*(click("e", timestamp=text) for text, _, _ in cases))
    ]
    checked = flag_lines(frame(spark, BRONZE, rows), timezone)
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
