"""Flagged orders in the lake, as the bronze gate finds them."""

import pyarrow as pa
from deltalake import write_deltalake

from lake.catalog import catalog
from tests.support.platforms import Platform
from tests.support.rows import order

SCHEMA = catalog()["orders"].silver_schema.append(pa.field("reject_reason", pa.string()))


def write_flagged(platform: Platform, rejected: int, valid: int) -> None:
    """Write `flagged.orders`: rejected orders 1…, whose status is unknown, and valid ones."""
    rows = [order(number, status="lost", reject_reason="status_known") for number in range(1, rejected + 1)]
    rows += [order(1000 + number, reject_reason=None) for number in range(valid)]
    write_deltalake(
        platform.lake.uri("flagged.orders"), pa.Table.from_pylist(rows, schema=SCHEMA), mode="overwrite"
    )
