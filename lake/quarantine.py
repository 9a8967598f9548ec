"""The schema of every quarantine table, whichever engine writes it."""

import pyarrow as pa

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
