"""The patterns of times in events, the same for every engine that reads them."""

_DATE, _HOUR_AND_MINUTE = "[0-9]{4}-[0-9]{2}-[0-9]{2}", "(?:[01][0-9]|2[0-3]):[0-9]{2}"
# As far from UTC as Java's offsets go.
_OFFSET = "[+-](?:(?:0[0-9]|1[0-7])(?::?[0-5][0-9])?|18(?::?00)?)"
# A date, a time of day, and at most an offset from UTC. Spark would also take "10:00", as of the day on
# which it is read, and the names of zones, from a list that each engine brings along.
ISO_8601 = rf"\A *{_DATE}[T ]{_HOUR_AND_MINUTE}:[0-9]{{2}}(?:[.][0-9]{{1,9}})?(?:Z|{_OFFSET})? *\z"
# What the standard allows beside it, and no engine reads as it stands: no seconds, a comma, more decimals.
ISO_8601_VARIANT = (
    rf"\A *{_DATE}[Tt ]{_HOUR_AND_MINUTE}(?::[0-9]{{2}}(?:[.,][0-9]+)?)?(?:[Zz]|{_OFFSET})? *\z"
)
# (pattern, replacement) that make an ISO_8601 of a variant in capitals, one after the other.
REWRITES = (
    (",", "."),
    (r"([T ][0-9]{2}:[0-9]{2})(Z|[+-]| *\z)", "$1:00$2"),
    (r"([.][0-9]{6})[0-9]+", "$1"),
)
