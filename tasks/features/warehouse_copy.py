"""The feature tables in the warehouse, schema `features`: the days that it lacks or that are new."""

import datetime as dt
from collections.abc import Collection

import pyarrow.compute as pc
import pyarrow.dataset as pads

from lake.delta import Lake
from tasks.features.contract import FEATURE_DATE, FeatureTable
from tasks.features.tables import feature_rows, written_days
from tasks.warehouse.interface import Session, Warehouse

# One column that identifies a row, which a warehouse's merge asks for.
ROW_KEY = "feature_key"


def load_features(
    warehouse: Warehouse, lake: Lake, table: FeatureTable, anew: Collection[dt.date] = ()
) -> set[dt.date]:
    """Bring a feature table into the warehouse day by day, those `anew` too; returns the days."""
    with warehouse.session() as session:
        for schema in ("ops", "features"):
            session.execute(f"create schema if not exists {schema}")
        held = _days(session, table.lake_name)
        days = (written_days(lake, table) - held) | set(anew)
        load_id = session.next_load_id() if days else 0
        for day in sorted(days):
            if day in held:
                session.execute(f"delete from {table.lake_name} where {FEATURE_DATE} = date '{day}'")
            session.upsert(table.lake_name, ROW_KEY, _rows(lake, table, day), load_id, "changes")
    return days


def _days(session: Session, name: str) -> set[dt.date]:
    if not session.has(name):
        return set()
    found = session.rows(f"select distinct {FEATURE_DATE} as day from {name}")
    return set(found.read_all()["day"].to_pylist())


def _rows(lake: Lake, table: FeatureTable, day: dt.date) -> pads.Scanner:
    """A day's rows, read from its partition alone, with ROW_KEY."""
    found = feature_rows(lake, table, [day]).to_table(columns=table.schema.names).cast(table.schema)
    key = pc.binary_join_element_wise(
        found[table.key].cast("string"), found[FEATURE_DATE].cast("string"), "@"
    )
    return pads.dataset(found.add_column(0, ROW_KEY, key)).scanner()
