"""`ops.loads`: which version of which lake table the warehouse holds. Grain: one row per lake table's name.

A lake table that was made anew counts its versions from the start again: its identity tells the two apart.
"""

from typing import NamedTuple

from tasks.warehouse.interface import Session


class Load(NamedTuple):
    """What of a lake table was loaded."""

    lake_table: str
    """The identity of the Delta table."""
    lake_version: int


def prepare_loads(session: Session) -> None:
    """Make the table if there is none."""
    session.execute(
        "create table if not exists ops.loads (table_name string, lake_table string, lake_version bigint)"
    )


def loads(session: Session) -> dict[str, Load]:
    """What was loaded last, by the name of the lake table."""
    rows = session.rows("select table_name, lake_table, lake_version from ops.loads").read_all().to_pylist()
    return {row["table_name"]: Load(row["lake_table"], row["lake_version"]) for row in rows}


def record_load(session: Session, name: str, load: Load) -> None:
    """Record what of a lake table the warehouse now holds."""
    session.execute(
        f"""
        merge into ops.loads as held
        using (
            select '{name}' as table_name, '{load.lake_table}' as lake_table,
                {load.lake_version} as lake_version
        ) as latest
        on held.table_name = latest.table_name
        when matched then update set lake_table = latest.lake_table, lake_version = latest.lake_version
        when not matched then insert (table_name, lake_table, lake_version)
            values (latest.table_name, latest.lake_table, latest.lake_version)
        """
    )
