"""Chance that repeats: every draw of the demo comes from a die that knows its seed, its day and its topic."""

import datetime as dt
import random

DAY = dt.timedelta(days=1)
# A long transaction commits rows stamped this long before midnight on the next day: within the hour by which
# the daily extract overlaps the day before.
LATE = dt.timedelta(minutes=30)

# Share of the shop's life per hour of the day (UTC): quiet nights, a lunch bump, the peak after work.
EVENING_PEAK = (2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 11, 13, 15, 13, 12, 12, 13, 16, 22, 28, 30, 25, 14, 6)
OFFICE_HOURS = (0, 0, 0, 0, 0, 0, 1, 4, 8, 9, 9, 8, 5, 7, 9, 9, 8, 5, 2, 1, 0, 0, 0, 0)


def die(seed: int, day: dt.date, topic: str) -> random.Random:
    """The same rolls for the same seed, day and topic, in any process, whatever other topics roll."""
    return random.Random(f"{seed}/{day.toordinal()}/{topic}")


def nature(seed: int, kind: str, key: int) -> random.Random:
    """A die for what belongs to one thing for life, on whatever day it turns up."""
    return random.Random(f"{seed}/{kind}/{key}")


def some(rng: random.Random, expected: float) -> int:
    """A whole number that is `expected` on average, and exactly that when it is whole."""
    whole = int(expected)
    return whole + (rng.random() < expected - whole)


def is_weekend(day: dt.date) -> bool:
    """Whether `day` is a Saturday or a Sunday."""
    return day.weekday() >= 5


def bustle(day: dt.date) -> float:
    """The business of `day` as a share of a weekday's."""
    return 1.4 if is_weekend(day) else 1.0


def midnight(day: dt.date) -> dt.datetime:
    """The first moment of `day`, UTC."""
    return dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)


def moment(rng: random.Random, day: dt.date, hours: tuple[int, ...]) -> dt.datetime:
    """A time within `day`, microseconds and all, with the hours as likely as `hours` says."""
    hour = rng.choices(range(24), hours)[0]
    return midnight(day) + dt.timedelta(hours=hour, microseconds=rng.randrange(3_600_000_000))


def moments(
    rng: random.Random, day: dt.date, count: int, late: int, hours: tuple[int, ...] = EVENING_PEAK
) -> list[dt.datetime]:
    """`count` times within `day`, but up to `late` of them in the last minutes of the day before."""
    late = min(late, count)
    times = [moment(rng, day, hours) for _ in range(count - late)]
    times += [midnight(day) - rng.random() * LATE for _ in range(late)]
    rng.shuffle(times)
    return times
