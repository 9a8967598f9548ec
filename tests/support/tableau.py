"""Tableau, as far as its references say: what a formula computes. A stand-in written by hand."""

import re

from sqlglot import exp, parse_one


def formula_sql(formula: str, calculated: dict[str, str]) -> str:
    """The SQL for Hyper of a formula, and of the calculated fields in it.

    In Tableau a division is never one of whole numbers, and by 0 it is null.
    """
    tree = parse_one(formula, read="tableau")
    if isinstance(tree, exp.Div):
        over, under = (
            formula_sql(part.sql("tableau", identify=True), calculated) for part in (tree.left, tree.right)
        )
        return f"cast({over} as double precision) / nullif({under}, 0)"
    if formula in calculated:
        return formula_sql(calculated[formula], calculated)
    counted = re.sub(r"COUNTD\((.*)\)", r"COUNT(DISTINCT \1)", formula)
    return re.sub(r"\[(\w+)\]", r'"\1"', counted)
