"""The pattern of times in events, the same for every engine that reads them."""

# A date, a time of day, and at most an offset from UTC. Spark would also take "10:00", as of the day on
# which it is read, and the names of zones, from a list that each engine brings along.
ISO_8601 = (
    r"\A *[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?"
    r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)? *\z"
)
