"""The schema of every quarantine table, whichever engine writes it."""

import pyarrow as pa

# The rows that have left quarantine, with who, when and why: a table of the run ledger.
REPLAYED = "ops.replayed_rows"
# What made a row right: a row rule that has changed, a newer version in the source, or a person's patch.
RULE, SOURCE, PATCH = "rule", "source", "patch"


def replay_mark(fix: str, quarantine_id: str) -> str:
    """The mark of a row that a replay has appended to bronze: its fix, and the row of quarantine it mends."""
    return f"{fix} {quarantine_id}"


# Grain: one rejected row. `origin` says where it came from, `occurred_at` when it became true, `read_at` when
# a change log's version was last read (null for events): of two versions of a key the later one counts.
QUARANTINE_SCHEMA = pa.schema(
    [
        ("quarantine_id", pa.string()),
        ("source", pa.string()),
        ("ds", pa.date32()),
        ("reason", pa.string()),
        ("key", pa.string()),
        ("occurred_at", pa.timestamp("us", tz="UTC")),
        ("origin", pa.string()),
        ("raw", pa.string()),
        ("read_at", pa.timestamp("us", tz="UTC")),
    ]
)
