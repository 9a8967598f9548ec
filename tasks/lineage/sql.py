"""The columns of a SELECT, each with the columns of tables that it is made of. Needs sqlglot."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer import Scope, build_scope, find_all_in_scope
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from tasks.lineage.graph import ROWS, Column, Ref

# The clauses that decide which rows of a SELECT count.
CLAUSES = ("where", "group", "having", "qualify")


@dataclass
class Select:
    """A SELECT, its columns resolved; `tables` are the columns of those that it may read, by their names."""

    text: str
    tables: dict[str, list[str]]
    dialect: str = "duckdb"

    def __post_init__(self) -> None:
        self.schema = schema = MappingSchema(dialect=self.dialect)
        for name, columns in self.tables.items():
            schema.add_table(name, dict.fromkeys(columns, "text"))
        tree = exp.maybe_parse(self.text, dialect=self.dialect).transform(_without_database)
        self.tree = qualify(
            tree,
            dialect=self.dialect,
            schema=schema,
            identify=False,
            validate_qualify_columns=bool(self.tables),
        )
        root = build_scope(self.tree)
        if root is None:
            raise SqlglotError("it is no SELECT")
        self.root = root
        self.scopes = {id(scope.expression): scope for scope in root.traverse()}

    def columns(self) -> dict[str, Column]:
        """Its columns, in order, by name; with ROWS. Raises SqlglotError if one cannot be traced."""
        nodes = lineage(
            None, self.tree, self.schema, dialect=self.dialect, scope=self.root, trim_selects=False
        )
        found = {name: self._column(node) for name, node in nodes.items()}
        return {**found, ROWS: Column(description="Its rows.", direct=_sorted(self._rows(self.root)))}

    def _column(self, node: Node) -> Column:
        nodes = list(node.walk())
        scopes = {id(scope): scope for each in nodes if (scope := self.scopes.get(id(each.source)))}
        direct = set(self._leaves(node))
        indirect = {ref for scope in scopes.values() for ref in self._conditions(scope)}
        return Column(
            expression=_expression(nodes, self.dialect),
            direct=_sorted(direct),
            indirect=_sorted(indirect - direct),
        )

    def _leaves(self, node: Node) -> Iterator[Ref]:
        """The columns of tables, and the rows, that a node's values are made of."""
        for each in node.walk():
            if isinstance(each.source, exp.Table) and each.source is each.expression:
                yield Ref(_name(each.source), exp.to_column(each.name).name)
            elif any(isinstance(count.this, exp.Star) for count in each.expression.find_all(exp.Count)):
                yield from self._rows(self.scopes[id(each.source)])

    def _conditions(self, scope: Scope) -> Iterator[Ref]:
        """The columns that decide which rows of a scope count."""
        for clause in self._clauses(scope):
            for column in find_all_in_scope(clause, exp.Column):
                yield from self._resolved(column, scope)
            for query in find_all_in_scope(clause, exp.UNWRAPPED_QUERIES):
                inner = self.scopes.get(id(query))
                if inner is not None:
                    yield from (ref for name in query.named_selects for ref in self._of_scope(name, inner))

    @staticmethod
    def _clauses(scope: Scope) -> Iterator[exp.Expression]:
        query = scope.expression
        yield from (query.args[clause] for clause in CLAUSES if query.args.get(clause))
        yield from (join.args["on"] for join in query.args.get("joins") or () if join.args.get("on"))

    def _resolved(self, column: exp.Column, scope: Scope) -> Iterator[Ref]:
        source = scope.sources.get(column.table)
        if isinstance(source, exp.Table):
            yield Ref(_name(source), column.name)
        elif isinstance(source, Scope):
            yield from self._of_scope(column.name, source)

    def _of_scope(self, name: str, scope: Scope) -> Iterator[Ref]:
        node = lineage(
            name, scope.expression, self.schema, dialect=self.dialect, scope=scope, trim_selects=False
        )
        yield from self._leaves(node)

    def _rows(self, scope: Scope) -> set[Ref]:
        """The rows that a scope's rows are made of: not those that a left join adds columns from."""
        if isinstance(scope.expression, exp.SetOperation):
            return {ref for each in scope.set_operation_scopes for ref in self._rows(each)}
        joins = {
            join.this.alias_or_name
            for join in scope.expression.args.get("joins") or ()
            if join.side == "LEFT"
        }
        sources = [source for name, (_, source) in scope.selected_sources.items() if name not in joins]
        return {
            ref
            for source in sources
            for ref in ({Ref(_name(source), ROWS)} if isinstance(source, exp.Table) else self._rows(source))
        }


def _without_database(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.Table):
        node.set("catalog", None)
    return node


def _name(table: exp.Table) -> str:
    return ".".join(part.name for part in table.parts)


def _expression(nodes: list[Node], dialect: str) -> str:
    """The SQL on the way to the tables, from its end, without mere names of columns."""
    steps = [node.expression.unalias() for node in nodes if not isinstance(node.expression, exp.Table)]
    texts = [step.sql(dialect=dialect, comments=False) for step in steps if not isinstance(step, exp.Column)]
    return "\n".join(dict.fromkeys(texts))


def _sorted(refs: set[Ref]) -> list[Ref]:
    return sorted(refs)
