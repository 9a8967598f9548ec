"""A Kafka message as a row of `bronze.inventory`: kept as it came, nothing rejected."""

import datetime as dt

import pyarrow as pa
from kafka.consumer.fetcher import ConsumerRecord

TABLE = "bronze.inventory"
# Grain: one row per Kafka message, well-formed or not.
SCHEMA = pa.schema(
    [
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("key", pa.string()),
        ("raw", pa.string()),
        ("sent_at", pa.timestamp("us", tz="UTC")),
        # By the consumer's clock; null in rows of an older pipeline.
        ("read_at", pa.timestamp("us", tz="UTC")),
    ]
)


def as_row(record: ConsumerRecord, read_at: dt.datetime) -> dict[str, object]:
    """The message in SCHEMA, whatever its bytes and its clock are."""
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": _text(record.key),
        "raw": _text(record.value),
        "sent_at": _moment(record.timestamp),
        "read_at": read_at,
    }


def _moment(milliseconds: int) -> dt.datetime | None:
    """The time of a message, or None for a number that is none, as microseconds are."""
    try:
        return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _text(value: bytes | None) -> str | None:
    """The bytes as UTF-8; those that are not become readable escapes, so that nothing is lost."""
    return None if value is None else value.decode("utf-8", "backslashreplace")
