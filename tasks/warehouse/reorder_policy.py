"""`ops.reorder_policy` in the warehouse: always there, so that the marts can read it, and mostly empty."""

import pyarrow.dataset as pads

from lake.delta import Lake
from tasks.reorder.policy_table import KEY, LAKE_NAME, WAREHOUSE_NAME, policy_schema, read_policies
from tasks.warehouse.interface import Session
from tasks.warehouse.loads import Load, loads, record_load


def load_reorder_policy(session: Session, lake: Lake, load_id: int) -> int:
    """Bring the lake's reorder policies over, if they are new; returns how many rows have changed."""
    table = lake.table(LAKE_NAME)
    is_there = session.has(WAREHOUSE_NAME)
    if table is None and is_there:
        return 0
    load = Load(str(table.metadata().id), table.version()) if table else Load("", -1)
    if is_there and loads(session).get(LAKE_NAME) == load:
        return 0
    rows = pads.dataset(read_policies(lake).select(policy_schema().names)).scanner()
    changed = session.upsert(WAREHOUSE_NAME, KEY, rows, load_id, "all" if is_there else "first")
    record_load(session, LAKE_NAME, load)
    return changed
