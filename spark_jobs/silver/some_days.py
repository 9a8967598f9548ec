"""The part of a table that a rebuild of some days concerns: every key that has a row of these days.

A key is judged by all of its versions, whatever their days: of two the newest valid one counts.
"""

import datetime as dt

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

Days = tuple[dt.date, dt.date]
"""The first and the last business day."""


def of_days(flagged: DataFrame, key: str, days: Days) -> DataFrame:
    """The flagged rows of the keys that have one of these days; of rows without a key, those of the days."""
    of_them = flagged.where(_is_of(days))
    return _joined(flagged, _keys(of_them, key), key, "left_semi").unionByName(
        of_them.where(F.col(key).isNull())
    )


def beside_keys(silver: DataFrame, rows: DataFrame, key: str) -> DataFrame:
    """The rows of silver whose keys are not among `rows`."""
    return _joined(silver, _keys(rows, key), key, "left_anti")


def quarantine_beside(quarantine: DataFrame, rows: DataFrame, key: str, days: Days) -> DataFrame:
    """The rows of quarantine that `of_days` has left out; `rows` are those it has taken."""
    others = _joined(quarantine, _keys(rows, key), "key", "left_anti")
    return others.where(F.col("key").isNotNull() | ~_is_of(days))


def _keys(rows: DataFrame, key: str) -> DataFrame:
    return rows.where(F.col(key).isNotNull()).select(F.col(key).cast("string").alias("_key")).distinct()


def _joined(rows: DataFrame, keys: DataFrame, key: str, kind: str) -> DataFrame:
    return rows.join(keys, rows[key].cast("string") == keys["_key"], kind)


def _is_of(days: Days) -> Column:
    return F.col("ds").between(F.lit(days[0]), F.lit(days[1]))
