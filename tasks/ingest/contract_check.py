"""The comparison of the shop's tables with their contracts."""

from psycopg2.extensions import connection as Connection

from lake.source_table import SourceTable


def breaches(table: SourceTable, actual: dict[str, str]) -> tuple[list[str], list[str]]:
    """Compare a table's actual columns ({name: type}) with its contract.

    Returns (breaks, additions): sentences about dropped or retyped columns, and about new ones.
    """
    broken = []
    for column in table.columns:
        found = actual.get(column.name)
        name, promise = f"{table.name}.{column.name}", f"(the contract promises {column.type})"
        if found is None:
            broken.append(f"{name} is gone {promise}")
        elif _canonical(found) != column.type:
            broken.append(f"{name} is {found} {promise}")
    promised = {column.name for column in table.columns}
    added = [
        f"{table.name}.{column} ({found}) is new and is not extracted"
        for column, found in actual.items()
        if column not in promised
    ]
    return broken, added


def actual_columns(connection: Connection, table: str) -> dict[str, str]:
    """The columns that a table has now, {name: type as `format_type` prints it}."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            "where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum",
            (table,),
        )
        return dict(cursor.fetchall())


def _canonical(type_name: str) -> str:
    return "text" if type_name.startswith("character varying") else type_name
