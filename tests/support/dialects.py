"""What SQL may not say on Snowflake or BigQuery, though the emulators of both run it: they are DuckDB inside."""

import re

import sqlglot
from sqlglot import exp
from sqlglot.dialects.bigquery import BigQuery
from sqlglot.errors import SqlglotError

# Of DuckDB, PostgreSQL and of the other of the two; a name followed by a bracket.
DUCKDB = {
    *("list_max", "epoch_us", "epoch_ms", "make_timestamp", "strftime", "strptime", "read_parquet", "list"),
    *("string_split", "date_part", "quantile_cont", "quantile", "arg_max", "arg_min", "to_timestamp_s"),
    *("starts_with_any", "generate_series", "range", "hash_md5", "bool_and", "bool_or", "now", "age"),
}
FOREIGN = {
    "snowflake": DUCKDB
    | {
        *("safe_divide", "safe_cast", "countif", "string_agg", "timestamp_add", "timestamp_diff", "date_add"),
        *(
            "date_diff",
            "date_sub",
            "farm_fingerprint",
            "generate_array",
            "format_date",
            "parse_date",
            "struct",
        ),
        *("unnest", "to_json_string", "timestamp_trunc", "current_datetime"),
    },
    "bigquery": DUCKDB
    | {
        *("try_cast", "median", "iff", "nvl", "nvl2", "zeroifnull", "dateadd", "datediff", "timestampdiff"),
        *("to_varchar", "to_char", "to_date", "to_number", "to_timestamp", "to_timestamp_ntz", "listagg"),
        *(
            "count_if",
            "ratio_to_report",
            "sysdate",
            "getdate",
            "equal_null",
            "booland_agg",
            "varchar",
            "text",
        ),
        *("number", "timestamp_ntz"),
    },
}
# `x::type` and types that BigQuery does not have, after AS in a cast.
NOT_BIGQUERY = re.compile(r"::|\bas\s+(varchar|text|double|timestamp_ntz|number|hugeint)\b", re.IGNORECASE)
# Words that BigQuery takes as names only between backticks; sqlglot and DuckDB take many of them as they are.
RESERVED_BY_BIGQUERY = BigQuery.Generator.RESERVED_KEYWORDS


def faults(sql: str, dialect: str) -> list[str]:
    """What is wrong with a script, as far as its text shows; empty if nothing is."""
    try:
        statements = [each for each in sqlglot.parse(sql, read=dialect) if each]
    except SqlglotError as error:
        return [f"is no {dialect}: {str(error).splitlines()[0]}"]
    found = []
    if any(each.find(exp.Filter) for each in statements):
        found.append("FILTER")
    text = re.sub(r"'(?:[^'\\]|\\.|'')*'|--[^\n]*|/\*.*?\*/", "''", sql, flags=re.DOTALL)
    called = {name.lower() for name in re.findall(r"\b([A-Za-z_]\w*)\s*\(", text)}
    found += sorted(called & FOREIGN[dialect])
    if dialect == "bigquery":
        found += [match.group() for match in NOT_BIGQUERY.finditer(text)]
        names = {each for statement in statements for each in statement.find_all(exp.Identifier)}
        reserved = {each.name.lower() for each in names if not each.quoted} & RESERVED_BY_BIGQUERY
        found += sorted(f"the name {name}" for name in reserved)
    return found
