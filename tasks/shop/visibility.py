"""What the shop's user does not see: rows behind a policy, and tables outside the search path."""

from collections.abc import Iterable

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

# A permissive policy without a condition shows every row, unless a restrictive one stands beside it.
SHOWS_ALL = """
select bool_or(pg_get_expr(polqual, polrelid) = 'true') and bool_and(polpermissive)
from pg_policy
where polrelid = to_regclass(%s) and polcmd in ('r', '*')
and exists (select from unnest(polroles) as role where role = 0 or pg_has_role(role, 'usage'))
"""
ELSEWHERE = """
select relname, nspname, has_schema_privilege(nspname, 'usage'), current_setting('search_path'), current_user
from pg_class join pg_namespace on pg_namespace.oid = relnamespace
where lower(relname) = lower(%s) and relkind in ('r', 'p', 'v', 'm', 'f') and nspname !~ '^pg_'
order by relname <> %s, nspname
"""


def hidden_by_row_security(connection: Connection, relations: Iterable[str]) -> list[str]:
    """Those tables and views of which row-level security may hide rows from the user, in the order given.

    Not tables whose policies show every row. Raises psycopg2's InsufficientPrivilege for one that the user
    may not read at all, UndefinedTable for one that there is not.
    """
    return [
        name
        for name in relations
        if row_security_applies(connection, sql.SQL("select * from {}").format(sql.Identifier(name)))
        and not _shows_all(connection, name)
    ]


def row_security_applies(connection: Connection, query: sql.Composable) -> bool:
    """Whether a policy of row-level security takes part in a SELECT, also by way of a view.

    PostgreSQL itself is asked to plan the query; nothing is read, and the transaction goes on.
    """
    refused = _refusal_to_plan(connection, query, "off")
    if refused is None:
        return False
    # A policy's refusal and a missing grant's have one code; with policies on, only the grant's stays.
    if still := _refusal_to_plan(connection, query, "on"):
        raise still
    return True


def missing_table(connection: Connection, name: str) -> str:
    """Why a table that the search path does not lead to is not found, and the remedy: a sentence."""
    with connection.cursor() as cursor:
        cursor.execute(ELSEWHERE, (name, name))
        found = cursor.fetchall()
    if not found:
        return (
            f"table {name} is missing in the shop's database {connection.info.dbname}: create it, write a "
            f"query that yields it (SHOP_QUERIES/{name}.sql), or correct SHOP_DSN"
        )
    [(spelt, schema, may_use, search_path, user), *_] = found
    if not may_use:
        return f"table {name} is in schema {schema}: grant usage on schema {schema} to {user}"
    if spelt != name:
        return (
            f'table {name} is spelt "{spelt}" in schema {schema}: write a query that selects from it '
            f"(SHOP_QUERIES/{name}.sql)"
        )
    return (
        f"table {name} is in schema {schema}, and not in the search_path ({search_path}): add "
        f"options=-csearch_path%3D{schema} to SHOP_DSN, or alter role {user} set search_path = {schema}"
    )


def _refusal_to_plan(
    connection: Connection, query: sql.Composable, row_security: str
) -> psycopg2.errors.InsufficientPrivilege | None:
    with connection.cursor() as cursor:
        cursor.execute("savepoint plan")
        try:
            cursor.execute(
                sql.SQL("set local row_security = {}; explain {}").format(sql.Identifier(row_security), query)
            )
        except psycopg2.errors.InsufficientPrivilege as error:
            return error
        finally:
            cursor.execute("rollback to savepoint plan; release savepoint plan")
    return None


def _shows_all(connection: Connection, name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(SHOWS_ALL, (sql.Identifier(name).as_string(connection),))
        [(shows_all,)] = cursor.fetchall()
        return bool(shows_all)
