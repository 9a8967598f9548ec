"""What the server's own statistics say of a table: whether anything can have changed in it since."""

from psycopg2.extensions import connection as Connection

from tasks.shop.relation import SQL, Relation, hash_of

# Inserts, updates and deletes count from the last reset on; TRUNCATE counts nothing, but gives the table
# another file. A server that has crashed counts from nought again, so noughts prove nothing.
ACTIVITY = """
with recursive parts as (
    select to_regclass(quote_ident(%(table)s))::oid as oid
    union
    select inhrelid from pg_inherits join parts on inhparent = parts.oid
),
counted as (
    select parts.oid, relkind, pg_relation_filenode(parts.oid) as file, n_tup_ins, n_tup_upd, n_tup_del
    from parts
    join pg_class on pg_class.oid = parts.oid
    left join pg_stat_all_tables as counts on counts.relid = parts.oid
)
select
    string_agg(concat_ws(' ', oid, file, n_tup_ins, n_tup_upd, n_tup_del), ', ' order by oid)
    || (
        select concat_ws(' ', ', reset', stats_reset) from pg_stat_database
        where datname = current_database()
    )
    || concat(', started ', pg_postmaster_start_time()),
    bool_and(relkind in ('r', 'p')) and sum(n_tup_ins + n_tup_upd + n_tup_del) > 0 and not pg_is_in_recovery()
from counted
"""


def activity(connection: Connection, relation: Relation) -> int | None:
    """A number that stays the same as long as nothing is written to the table; None if nobody can say.

    Nobody can of a query or a view, on a replica, or after a crash. What is committed while this is asked may
    be missing in the number: ask before the snapshot is taken, and the next number will differ.
    """
    if relation.is_query:
        return None
    with connection.cursor() as cursor:
        cursor.execute(ACTIVITY, {"table": relation.table.name})
        [(counts, is_known)] = cursor.fetchall()
        if not is_known or counts is None:
            return None
        cursor.execute(SQL("select {}").format(hash_of(SQL("%s"))), (counts,))
        [(number,)] = cursor.fetchall()
        return int(number)
