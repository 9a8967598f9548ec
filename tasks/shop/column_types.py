"""How a column of the shop's database is read as its contract's type: without loss, or not at all.

A type is refused if its values would have to be interpreted (a float as money, a time without a zone). A
value that the lake's type cannot hold becomes null, and its text goes to `unreadable`, where a row rule finds
it: nothing is ever rounded or cut.
"""

from dataclasses import dataclass

from psycopg2 import sql

from lake.source_table import NUMERIC, Column

INTEGERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
TEXTS = ("text", "character varying", "character", "citext", "name", "uuid", "enum", "bpchar")
AS_TEXT = (*TEXTS, *INTEGERS, "numeric")
FLOATS = ("real", "double precision")
ZONELESS = "timestamp without time zone"
ZONED = "timestamp with time zone"
# The years that all engines and warehouses hold.
FIRST_DAY, LAST_DAY = "0001-01-01", "9999-12-31"
IN_SQL = "cast it in a query of SHOP_QUERIES"


@dataclass(frozen=True)
class Found:
    """The type of a source's column, domains resolved: `numeric`, precision and scale, if it has them."""

    name: str
    digits: int | None = None
    scale: int | None = None

    def __str__(self) -> str:
        return f"{self.name}({self.digits},{self.scale})" if self.digits else self.name


@dataclass(frozen=True)
class Reading:
    """The SQL that reads a column as its contract's type."""

    value: sql.Composable
    fits: sql.Composable | None = None
    """The condition on a value that the type can hold; None if it holds all."""
    loses: str = "nothing"
    """For people: the values that become null and are rejected."""

    @property
    def expression(self) -> sql.Composable:
        """The value, or null where it does not fit."""
        if self.fits is None:
            return self.value
        return sql.SQL("case when {} then {} end").format(self.fits, self.value)


def reading(column: Column, found: Found) -> Reading | str:
    """How a column of type `found` is read; a sentence if it is refused."""
    promised, at = column.type, sql.Identifier(column.name)
    numeric = NUMERIC.fullmatch(promised)
    made: Reading | str = f"cannot be read as {promised} without loss; {IN_SQL}, or change the contract"
    if promised in INTEGERS:
        made = _as_integer(at, promised, found) or made
    elif numeric:
        made = _as_numeric(at, promised, int(numeric[1]), int(numeric[2]), found) or made
    elif (promised == "text" and found.name in AS_TEXT) or promised == found.name == "uuid":
        made = Reading(sql.SQL("{}::text").format(at))
    elif promised == found.name and promised in ("date", ZONED):
        made = _in_years(at, at)
    elif promised == ZONED and found.name == ZONELESS:
        made = _in_zone(at, column.timezone)
    elif found.name == promised or (promised == "double precision" and found.name in FLOATS):
        made = Reading(sql.SQL("{}::{}").format(at, sql.SQL(promised)))
    return f"is {found}, which {made}" if isinstance(made, str) else made


def _as_integer(at: sql.Composable, promised: str, found: Found) -> Reading | None:
    value = sql.SQL("{}::{}").format(at, sql.SQL(promised))
    limit = INTEGERS[promised]
    if found.name in INTEGERS and INTEGERS[found.name] <= limit:
        return Reading(value)
    inside = sql.SQL("{} between {} and {}").format(at, sql.Literal(-limit), sql.Literal(limit - 1))
    if found.name in INTEGERS:
        return Reading(value, inside, f"values outside {promised}")
    if found.name == "numeric":
        is_whole = sql.SQL("{} and {} = trunc({})").format(inside, at, at)
        return Reading(value, is_whole, f"fractions, NaN and values outside {promised}")
    return None


def _as_numeric(at: sql.Composable, promised: str, digits: int, scale: int, found: Found) -> Reading | None:
    value = sql.SQL("{}::{}").format(at, sql.SQL(promised))
    limit = sql.Literal(10 ** (digits - scale))
    inside = sql.SQL("{0} > -{1} and {0} < {1}").format(at, limit)
    if found.name in INTEGERS:
        fits_all = INTEGERS[found.name] < 10 ** (digits - scale)
        return Reading(value) if fits_all else Reading(value, inside, f"values outside {promised}")
    if found.name != "numeric":
        return None
    found_scale = found.scale or 0
    if found.digits and found_scale <= scale and found.digits - found_scale <= digits - scale:
        return Reading(value, sql.SQL("{} <> 'NaN'").format(at), "NaN")
    # NaN is above every number, so `inside` excludes it.
    exact = sql.SQL("{} and {} = round({}, {})").format(inside, at, at, sql.Literal(scale))
    return Reading(value, exact, f"NaN, values outside {promised}, more than {scale} decimals")


def _in_years(at: sql.Composable, value: sql.Composable) -> Reading:
    # A text with a zone, so that a moment is compared with a moment; for dates the zone is ignored.
    fits = sql.SQL("{} >= '{} 00:00:00+00' and {} <= '{} 23:59:59.999999+00'").format(
        at, sql.SQL(FIRST_DAY), at, sql.SQL(LAST_DAY)
    )
    return Reading(value, fits, f"infinity, and days outside {FIRST_DAY} to {LAST_DAY}")


def _in_zone(at: sql.Composable, timezone: str | None) -> Reading | str:
    if timezone is None:
        return (
            "has no zone; name the one its times are in, in the contract (logicalTypeOptions.defaultTimezone)"
            " or in a query of SHOP_QUERIES (… at time zone 'Europe/Berlin')"
        )
    moment = sql.SQL("({} at time zone {})").format(at, sql.Literal(timezone))
    made = _in_years(at, moment)
    return Reading(made.value, made.fits, f"{made.loses}; read in {timezone}")
