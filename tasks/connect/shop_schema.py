"""The tables and views that the user of the shop's database may read, with keys and references."""

from collections import defaultdict
from dataclasses import dataclass, field

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from tasks.shop.column_types import Found

RELATIONS = """
select pg_class.oid, nspname, relname,
    to_regclass(format('%I', relname)) is not distinct from pg_class.oid::regclass as is_in_path
from pg_class join pg_namespace on pg_namespace.oid = relnamespace
where relkind in ('r', 'p', 'v', 'm', 'f') and not relispartition
and nspname <> 'information_schema' and nspname !~ '^pg_'
and has_schema_privilege(pg_namespace.oid, 'usage') and has_table_privilege(pg_class.oid, 'select')
order by nspname, relname
"""
# The types as tasks/shop/relation.py finds them, a domain's as that of its values.
COLUMNS = """
select attrelid, attname,
    case
        when base.typtype = 'e' then 'enum'
        when base.typname = 'citext' then 'citext'
        else format_type(base.oid, null)
    end,
    case when base.typname = 'numeric' then coalesce(nullif(atttypmod, -1), typed.typtypmod) else -1 end
from pg_attribute
join pg_type as typed on typed.oid = atttypid
join pg_type as base on base.oid = case when typed.typtype = 'd' then typed.typbasetype else typed.oid end
where attrelid = any(%s) and attnum > 0 and not attisdropped
order by attrelid, attnum
"""
KEYS = """
select conrelid, contype, held.attname, confrelid, referenced.attname
from pg_constraint
join pg_attribute as held on held.attrelid = conrelid and held.attnum = conkey[1]
left join pg_attribute as referenced on referenced.attrelid = confrelid and referenced.attnum = confkey[1]
where contype in ('p', 'f') and cardinality(conkey) = 1 and conrelid = any(%s)
order by conrelid, contype, held.attnum
"""


@dataclass
class Reference:
    """A foreign key of one column."""

    column: str
    table: "ShopTable"
    to: str


@dataclass
class ShopTable:
    """A table or view of the shop, whatever its name."""

    schema: str
    name: str
    is_in_path: bool
    """True if its name alone leads to it."""
    columns: dict[str, Found] = field(default_factory=dict)
    key: str | None = None
    references: list[Reference] = field(default_factory=list)

    @property
    def identifier(self) -> sql.Identifier:
        """Its name, with the schema if that is needed."""
        return sql.Identifier(self.name) if self.is_in_path else sql.Identifier(self.schema, self.name)


def read_schema(connection: Connection) -> list[ShopTable]:
    """All tables and views that may be read, by schema and name."""
    with connection.cursor() as cursor:
        cursor.execute(RELATIONS)
        tables = {oid: ShopTable(schema, name, in_path) for oid, schema, name, in_path in cursor.fetchall()}
        cursor.execute(COLUMNS, (list(tables),))
        for oid, name, kind, modifier in cursor.fetchall():
            # PostgreSQL keeps a numeric's digits and decimals in one number.
            limits = ((modifier - 4) >> 16, (modifier - 4) & 0x7FF) if modifier >= 4 else (None, None)
            tables[oid].columns[name] = Found(kind, *limits)
        cursor.execute(KEYS, (list(tables),))
        keys: dict[int, list[str]] = defaultdict(list)
        for oid, kind, column, other, to in cursor.fetchall():
            if kind == "p":
                keys[oid].append(column)
            elif other in tables:
                tables[oid].references.append(Reference(column, tables[other], to))
    for oid, (column, *_) in keys.items():
        tables[oid].key = column
    return list(tables.values())
