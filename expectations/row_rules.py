"""Expectations made from a contract's row rules and warnings."""

from collections.abc import Callable
from typing import Any

import great_expectations.expectations as gxe

from expectations.suite import WARNING
from lake.source_table import Column, ColumnWarning

Kind = type[gxe.Expectation]
# Great Expectations' arguments for an end of a range: its name, and that of the flag for an exclusive end.
BOUNDS = {
    "minimum": ("min_value", None),
    "exclusiveMinimum": ("min_value", "strict_min"),
    "maximum": ("max_value", None),
    "exclusiveMaximum": ("max_value", "strict_max"),
}


def rules(
    column: Column, make: Callable[..., gxe.Expectation], named: str | None = None
) -> list[gxe.Expectation]:
    """The row rules of a column, each made by `make(kind, **arguments)`; `named` is its name in a mart."""
    name, options = named or column.name, column.options
    made = []
    if column.is_required:
        made.append(make(gxe.ExpectColumnValuesToNotBeNull, column=name))
    if bounds := _bounds(options):
        made.append(make(gxe.ExpectColumnValuesToBeBetween, column=name, **bounds))
    if lengths := {key: options[key] for key in ("minLength", "maxLength") if key in options}:
        made.append(
            make(
                gxe.ExpectColumnValueLengthsToBeBetween,
                column=name,
                min_value=lengths.get("minLength"),
                max_value=lengths.get("maxLength"),
            )
        )
    if pattern := options.get("pattern"):
        made.append(make(gxe.ExpectColumnValuesToMatchRegex, column=name, regex=pattern))
    if column.valid_values:
        made.append(make(gxe.ExpectColumnValuesToBeInSet, column=name, value_set=list(column.valid_values)))
    return made


def warnings(column: Column) -> list[gxe.Expectation]:
    """The warnings that the contract asks for on a column."""
    return [_warning(column, warning) for warning in column.warnings]


def _bounds(options: dict[str, Any]) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    for option, (argument, strict) in BOUNDS.items():
        if option in options:
            bounds[argument] = options[option]
            if strict:
                bounds[strict] = True
    return bounds


def _warning(column: Column, warning: ColumnWarning) -> gxe.Expectation:
    common: dict[str, Any] = {
        "column": column.name,
        "severity": WARNING,
        "meta": {"consequence": warning.consequence},
    }
    if warning.mostly < 1:
        common["mostly"] = warning.mostly
    if warning.metric == "nullValues":
        return gxe.ExpectColumnValuesToNotBeNull(**common)
    if warning.metric == "invalidValues":
        return gxe.ExpectColumnValuesToBeInSet(value_set=list(warning.valid_values), **common)
    kind: Kind = getattr(gxe, "".join(word.capitalize() for word in str(warning.expectation).split("_")))
    return kind(**common, **warning.arguments)
