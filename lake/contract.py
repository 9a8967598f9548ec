"""The reader of contracts: one file per source table, in the Open Data Contract Standard (ODCS 3).

The standard's own rules are read: types, required, unique, valid values, ranges, lengths and patterns. Rules
that it cannot express are Python in the table's job. A contract that is wrong, or asks for something that
this pipeline does not enforce, is refused: ContractError names the file, the place in it and the remedy.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast
from zoneinfo import available_timezones

import yaml
from jsonschema import Draft201909Validator
from jsonschema.exceptions import best_match
from open_data_contract_standard.model import (
    DataQuality,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
)

from lake.source_table import (
    ARROW_TYPES,
    BRONZE_ONLY,
    VERSION,
    Column,
    ColumnWarning,
    Source,
    SourceTable,
    arrow_type,
)

# The tag of a column that the warehouse has no use for: lineage of the lake.
LAKE_ONLY = "lake-only"
# The classification of a column that says something about a person.
PERSONAL = "personal"
# Options of a column that are row rules here; the others describe, or are refused.
RULE_OPTIONS = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern",
)  # fmt: skip
DESCRIBING_OPTIONS = ("format", "timezone", "defaultTimezone")
# The unit of freshness; the standard's own, where none is written, is a day.
HOURS = ("h", "hr", "hour", "hours")
# Names that all engines take unquoted, and names of the columns that the pipeline adds.
IDENTIFIER = re.compile("[a-z][a-z0-9_]*")
RESERVED = (
    "ds", "key", "load_id", "occurred_at", "origin", "raw", "reject_reason",
    *VERSION.names, *BRONZE_ONLY.names,
)  # fmt: skip
CHANGES = ("cursor", "snapshot")


class ContractError(ValueError):
    """A contract that cannot be read or enforced; names the file, the place and the remedy."""


def read_contract(file: Path) -> SourceTable:
    """The source table that a contract describes. Raises ContractError."""
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ContractError(f"{file.name} is not YAML in UTF-8: {' '.join(str(error).split())}") from None
    if wrong := best_match(_validator().iter_errors(document)):
        where, what = _place(wrong.absolute_path), wrong.message
        if (
            isinstance(wrong.instance, dict)
            and "logicalType" not in wrong.instance
            and "properties[" in where
        ):
            # The standard's schema takes such a column for each type in turn, and reports the last.
            what = "'logicalType' is a required property"
        raise ContractError(f"{file.name}: {where}: {what}; correct it")
    contract = OpenDataContractStandard(**document)
    problems = list(_problems(contract, file.stem))
    if problems:
        raise ContractError(f"{file.name}: {'; '.join(problems)}")
    assert contract.schema_
    return _table(contract, contract.schema_[0])


@cache
def _validator() -> Draft201909Validator:
    return Draft201909Validator(json.loads(OpenDataContractStandard.json_schema()))


def _place(path: Any) -> str:
    return (
        "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".") or "file"
    )


def _problems(contract: OpenDataContractStandard, stem: str) -> Iterator[str]:
    """Sentences about what the standard allows and this pipeline does not, with place and remedy."""
    if len(contract.schema_ or []) != 1:
        yield "schema: not exactly one table; write a file per table"
        return
    assert contract.schema_
    table = contract.schema_[0]
    if table.name != stem or not IDENTIFIER.fullmatch(stem):
        yield f"schema[0].name: is {table.name}; name it as the file, in lower-case letters, digits and _"
    if table.physicalType not in ("table", "file", "topic"):
        yield f"schema[0].physicalType: is {table.physicalType}; write table, file or topic"
    columns = table.properties or []
    if sum(bool(column.primaryKey) for column in columns) != 1:
        yield "schema[0].properties: not exactly one primaryKey; mark the column that identifies a row"
    custom = _custom(table)
    cursor = next((column for column in columns if column.name == custom.get("cursor")), None)
    if cursor is None or cursor.physicalType != "timestamp with time zone":
        yield "schema[0].customProperties: cursor names no column of type timestamp with time zone; name one"
    if custom.get("deletes") not in ("follow", "keep"):
        yield "schema[0].customProperties: deletes is missing; write follow or keep"
    if custom.get("changes", "cursor") not in CHANGES:
        yield f"schema[0].customProperties: changes is {custom['changes']}; write cursor or snapshot"
    for number, sla in enumerate(contract.slaProperties or []):
        is_hours = str(sla.unit).lower() in HOURS and str(sla.value).isdecimal()
        if sla.property == "freshness" and not is_hours:
            yield f"slaProperties[{number}]: freshness is no whole number with unit: h; write hours"
    for number, column in enumerate(columns):
        for problem in _column_problems(column):
            yield f"schema[0].properties[{number}] ({column.name}): {problem}"


def _column_problems(column: SchemaProperty) -> Iterator[str]:
    if column.name in RESERVED or not IDENTIFIER.fullmatch(column.name or ""):
        yield f"name {column.name} is taken, or not of lower-case letters, digits and _; choose another"
    try:
        arrow_type(column.physicalType or "")
    except KeyError:
        known = ", ".join([*ARROW_TYPES, "numeric(precision,scale)"])
        yield f"physicalType {column.physicalType} is not one of {known}; write one of these"
    if not column.description:
        yield "description is missing; say what the column means"
    zone = (column.logicalTypeOptions or {}).get("defaultTimezone")
    if zone and zone not in available_timezones():
        yield f"logicalTypeOptions.defaultTimezone: {zone} is no time zone; write an IANA name"
    for option in sorted((column.logicalTypeOptions or {}).keys() - {*RULE_OPTIONS, *DESCRIBING_OPTIONS}):
        yield f"logicalTypeOptions.{option} is not enforced; write the rule in the table's job"
    for quality in column.quality or []:
        if _is_key_rule(quality) and not column.primaryKey:
            yield "duplicateValues is for the primary key; write unique: true"
        elif _is_warning(quality) and not quality.businessImpact:
            yield "a warning has no businessImpact; say what it makes wrong"
        elif _is_warning(quality) and quality.mustBe != 0 and not _is_share(quality):
            # Any other number is of rows, which the suite would take for percent.
            yield "a warning has no share of rows; write unit: percent and mustBeLessOrEqualTo, or mustBe: 0"
        elif not (_is_key_rule(quality) or _is_row_rule(quality) or _is_warning(quality)):
            yield (
                f"quality {quality.metric or quality.type} is neither a row rule (invalidValues with "
                "validValues, mustBe: 0) nor a warning (severity: warning); write one of these"
            )


def _is_key_rule(quality: DataQuality) -> bool:
    return quality.metric == "duplicateValues"


def _is_row_rule(quality: DataQuality) -> bool:
    is_exact = quality.mustBe == 0 and quality.severity != "warning"
    return quality.metric == "invalidValues" and is_exact and "validValues" in (quality.arguments or {})


def _is_warning(quality: DataQuality) -> bool:
    is_known = quality.metric == "nullValues" or (
        quality.metric == "invalidValues" and "validValues" in (quality.arguments or {})
    )
    is_custom = quality.type == "custom" and quality.engine == "greatExpectations"
    return quality.severity == "warning" and (is_known or is_custom)


def _is_share(quality: DataQuality) -> bool:
    """Whether it says how many rows in a hundred may fail; an expectation by name may say it itself."""
    if quality.type == "custom" and quality.mustBeLessOrEqualTo is None:
        return True
    return quality.unit == "percent" and quality.mustBeLessOrEqualTo is not None


def _custom(table: SchemaObject | SchemaProperty) -> dict[str | None, Any]:
    return {each.property: each.value for each in table.customProperties or []}


def _table(contract: OpenDataContractStandard, table: SchemaObject) -> SourceTable:
    columns = table.properties or []
    key = next(column for column in columns if column.primaryKey)
    custom = _custom(table)
    hours = [int(str(sla.value)) for sla in contract.slaProperties or [] if sla.property == "freshness"]
    return SourceTable(
        name=str(table.name),
        source=cast(Source, table.physicalType),
        description=str(table.description),
        grain=str(table.dataGranularityDescription or f"One row per {key.name}."),
        key=str(key.name),
        key_consequence=next(
            (str(each.businessImpact) for each in key.quality or [] if _is_key_rule(each)),
            "a row counts twice",
        ),
        cursor=custom["cursor"],
        deletes=custom["deletes"],
        columns=tuple(map(_column, columns)),
        freshness_hours=hours[0] if hours else None,
        changes=custom.get("changes", "cursor"),
    )


def _column(column: SchemaProperty) -> Column:
    options = {
        name: value for name, value in (column.logicalTypeOptions or {}).items() if name in RULE_OPTIONS
    }
    rules = [each for each in column.quality or [] if _is_row_rule(each)]
    return Column(
        name=str(column.name),
        type=str(column.physicalType),
        description=str(column.description),
        is_required=bool(column.required),
        is_unique=bool(column.unique or column.primaryKey),
        is_personal=column.classification == PERSONAL,
        valid_values=tuple(value for rule in rules for value in (rule.arguments or {})["validValues"]),
        options=options,
        warnings=tuple(_warning(each) for each in column.quality or [] if _is_warning(each)),
        warehouse_name=None
        if LAKE_ONLY in (column.tags or [])
        else _custom(column).get("warehouseName", column.name),
        timezone=(column.logicalTypeOptions or {}).get("defaultTimezone"),
        sources=tuple(column.transformSourceObjects or [str(column.name)]),
    )


def _warning(quality: DataQuality) -> ColumnWarning:
    allowed = quality.mustBeLessOrEqualTo or 0
    implementation = quality.implementation if isinstance(quality.implementation, dict) else {}
    return ColumnWarning(
        metric=quality.metric or "custom",
        # `unit: percent` of rows that may fail.
        mostly=1 - allowed / 100,
        consequence=str(quality.businessImpact),
        valid_values=tuple((quality.arguments or {}).get("validValues", ())),
        expectation=implementation.get("type"),
        arguments=implementation.get("kwargs", {}),
    )
