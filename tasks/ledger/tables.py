"""The tables of the run ledger: runs, their row counts per table, results of expectations, alerts."""

import pyarrow as pa

from lake.catalog import catalog

TIMESTAMP = pa.timestamp("us", tz="UTC")

# Grain: one row per change of a run's status; the warehouse keeps the last of each run_id.
PIPELINE_RUNS = pa.schema(
    [
        ("run_id", pa.string()),
        ("flow", pa.string()),
        ("ds", pa.date32()),
        ("status", pa.string()),
        ("started_at", TIMESTAMP),
        ("ended_at", TIMESTAMP),
        ("duration_seconds", pa.float64()),
        ("rows_in", pa.int64()),
        ("rows_out", pa.int64()),
        ("rows_duplicate", pa.int64()),
        ("rows_quarantined", pa.int64()),
        ("failed_step", pa.string()),
        ("error", pa.string()),
        ("recorded_at", TIMESTAMP),
    ]
)

# Grain: one row per run and table that went from bronze to silver.
TABLE_RUNS = pa.schema(
    [
        ("run_id", pa.string()),
        ("ds", pa.date32()),
        ("table_name", pa.string()),
        ("rows_in", pa.int64()),
        ("rows_out", pa.int64()),
        ("rows_duplicate", pa.int64()),
        ("rows_quarantined", pa.int64()),
        ("recorded_at", TIMESTAMP),
    ]
)

# Grain: one row per run and expectation.
QUALITY_RESULTS = pa.schema(
    [
        ("run_id", pa.string()),
        ("ds", pa.date32()),
        ("layer", pa.string()),
        ("table_name", pa.string()),
        ("expectation", pa.string()),
        ("severity", pa.string()),
        ("is_success", pa.bool_()),
        ("rows_checked", pa.int64()),
        ("rows_unexpected", pa.int64()),
        ("observed", pa.string()),
        ("samples", pa.string()),
        ("consequence", pa.string()),
        ("recorded_at", TIMESTAMP),
    ]
)

# Grain: one row per attempt to bring an alert to a channel, retries included in the attempt.
ALERT_DELIVERIES = pa.schema(
    [
        ("alert_id", pa.string()),
        ("run_id", pa.string()),
        ("kind", pa.string()),
        ("severity", pa.string()),
        ("channel", pa.string()),
        ("is_delivered", pa.bool_()),
        ("detail", pa.string()),
        ("recorded_at", TIMESTAMP),
    ]
)

# Grain: one row per product whose state has changed, or is still bad a day later. `kind` and `alert_id` name
# the message about it; null where there is none. A text as product_id: `ledger_schema`.
STOCK_ALERTS = pa.schema(
    [
        ("alert_id", pa.string()),
        ("run_id", pa.string()),
        ("kind", pa.string()),
        ("product_id", pa.int64()),
        ("product_name", pa.string()),
        ("state", pa.string()),
        ("on_hand", pa.int64()),
        ("units_per_day", pa.float64()),
        ("days_of_cover", pa.float64()),
        ("reorder_point", pa.int64()),
        ("recorded_at", TIMESTAMP),
        ("quantity_to_order", pa.int64()),
        ("on_order", pa.int64()),
    ]
)

# Grain: one row per alert and trouble that it was about, with what became of it (tasks/alerts/troubles.py).
# One about none has a row, with a null, if an override held it back. `is_over`: the trouble has ended.
ALERTS = pa.schema(
    [
        ("alert_id", pa.string()),
        ("run_id", pa.string()),
        ("flow", pa.string()),
        ("kind", pa.string()),
        ("severity", pa.string()),
        ("title", pa.string()),
        ("trouble", pa.string()),
        ("outcome", pa.string()),
        ("override_id", pa.string()),
        ("is_over", pa.bool_()),
        ("recorded_at", TIMESTAMP),
    ]
)

# Grain: one row per override, and one more when it ends early: a person's decision that a run goes on, does
# more than it would have, or that people are not told. `ends_at` is null where it holds for one run, and
# where it stands until something ends it.
OVERRIDES = pa.schema(
    [
        ("override_id", pa.string()),
        ("kind", pa.string()),
        ("subject", pa.string()),
        ("decision", pa.string()),
        ("reason", pa.string()),
        ("person", pa.string()),
        ("starts_at", TIMESTAMP),
        ("ends_at", TIMESTAMP),
        ("ended_by", pa.string()),
        ("ended_why", pa.string()),
        ("run_id", pa.string()),
        ("flow", pa.string()),
        ("ds", pa.date32()),
        ("recorded_at", TIMESTAMP),
    ]
)

# Grain: one row per row that has left quarantine; `fix` says what made it right, `read_at` when it was read.
REPLAYED_ROWS = pa.schema(
    [
        ("quarantine_id", pa.string()),
        ("run_id", pa.string()),
        ("table_name", pa.string()),
        ("ds", pa.date32()),
        ("reject_reason", pa.string()),
        ("key", pa.string()),
        ("read_at", TIMESTAMP),
        ("fix", pa.string()),
        ("person", pa.string()),
        ("reason", pa.string()),
        ("recorded_at", TIMESTAMP),
    ]
)

TABLES = {
    "pipeline_runs": PIPELINE_RUNS,
    "table_runs": TABLE_RUNS,
    "quality_results": QUALITY_RESULTS,
    "alert_deliveries": ALERT_DELIVERIES,
    "stock_alerts": STOCK_ALERTS,
    "alerts": ALERTS,
    "overrides": OVERRIDES,
    "replayed_rows": REPLAYED_ROWS,
}

UNIQUE_BY = {
    "pipeline_runs": "run_id",
    "table_runs": "run_id, table_name",
    "quality_results": "run_id, layer, table_name, expectation",
    "alert_deliveries": "alert_id, channel, recorded_at",
    "stock_alerts": "product_id, recorded_at",
    "alerts": "alert_id, trouble",
    "overrides": "override_id",
    "replayed_rows": "quarantine_id",
}


def ledger_schema(table: str) -> pa.Schema:
    """The schema of `ops.<table>` in this shop: product_id is text where that of products is."""
    schema = TABLES[table]
    if "product_id" not in schema.names or pa.types.is_integer(
        catalog()["products"].column("product_id").arrow_type
    ):
        return schema
    return schema.set(schema.get_field_index("product_id"), pa.field("product_id", pa.string()))
