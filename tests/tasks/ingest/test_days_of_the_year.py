"""The days when clocks change and the year ends: window, Spark and DuckDB agree on which day a row is of."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lake.local_sql import connect
from tasks.ingest.extract_window import day_start, extraction_window

MICROSECOND = dt.timedelta(microseconds=1)
NO_TIME = dt.timedelta(0)
# Both changes of the clock, the days after, and the last day of the year. In São Paulo midnight itself was left
# out or came twice, until 2019; Kolkata never changes, and is half an hour off.
DAYS = {
    "America/Sao_Paulo": ["2018-02-17", "2018-02-18", "2018-11-03", "2018-11-04", "2018-12-31"],
    "Europe/Berlin": ["2024-03-31", "2024-04-01", "2024-10-27", "2024-10-28", "2024-12-31"],
    "Asia/Kolkata": ["2024-03-31", "2024-12-31", "2025-01-01"],
}
HOURS = {"America/Sao_Paulo": {23, 24, 25}, "Europe/Berlin": {23, 24, 25}, "Asia/Kolkata": {24}}


@pytest.mark.parametrize("zone", DAYS)
def test_the_first_and_the_last_moment_of_a_day_are_its_own(sail: SparkSession, zone: str) -> None:
    timezone, moments, lengths = ZoneInfo(zone), [], set()
    for text in DAYS[zone]:
        ds = dt.date.fromisoformat(text)
        window = extraction_window(ds, day_start(ds, timezone), timezone, NO_TIME)
        assert window.start
        start, end = window.start.astimezone(dt.UTC), window.end.astimezone(dt.UTC)
        lengths.add((end - start) / dt.timedelta(hours=1))
        moments += [(start, ds), (end - MICROSECOND, ds), (start - MICROSECOND, ds - dt.timedelta(days=1))]
    assert lengths == HOURS[zone]

    frame = sail.createDataFrame(moments, "at timestamp, ds date")
    in_spark = frame.select("ds", F.to_date(F.from_utc_timestamp("at", zone))).collect()
    assert [tuple(row) for row in in_spark if row[0] != row[1]] == []
    with connect() as connection:
        for at, ds in moments:
            found = connection.execute("select cast(timezone(?, ?) as date)", [zone, at]).fetchall()
            assert found == [(ds,)], at
