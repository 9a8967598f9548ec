"""Synthetic clickstream: JSON lines of about 235 bytes, written by DuckDB, the same on every machine.

Everything about line `i` of a day follows from `i` and the day alone, so the expected counts are
arithmetic (`ClickCounts`) and no second copy of the data is needed to check a result.
"""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import duckdb

# Line numbers, counted from 0, that carry a fault. One line in 100 repeats the event 50 lines earlier,
# and one in 200 is broken. 49 mod 100 is never 7 mod 200: a repeated event is always a sound one.
DUPLICATE_STEP, DUPLICATE_AT = 100, 99
BROKEN_STEP, BROKEN_AT = 200, 7
BROKEN_KINDS = 4  # cut off, no event_id, no user_id, unreadable timestamp
EVENTS_PER_SESSION = 8
# About 60 MB: several files at every scale, none too large for one reader thread.
LINES_PER_FILE = 250_000
FEWEST_FILES = 4

_LINES = """
with numbered as (
    select
        range as line,
        range - if(range % $dup_step = $dup_at, 50, 0) as event,
        if(range % $broken_step = $broken_at, range // $broken_step % $kinds, -1) as fault
    from range($first, $last)
),
hashed as (
    select
        *,
        md5($day || ' event ' || event) as digest,
        (md5_number_lower($day || ' ' || event) >> 2)::bigint as h,
        event // $per_session as session,
        (md5_number_upper($day || ' session ' || event // $per_session) >> 2)::bigint as s
    from numbered
),
drawn as (
    select
        *,
        digest::uuid::varchar as event_id,
        1 + s % $customers as user_id,
        -- Squaring a uniform number makes a few products popular, as in a shop.
        1 + floor($products * pow((h % 65536) / 65536.0, 2))::bigint as product_id,
        ['page_view', 'page_view', 'product_view', 'product_view', 'product_view', 'add_to_cart', 'checkout', 'purchase']
            [1 + (h >> 16) % 8] as event_type,
        ['mobile', 'desktop', 'tablet'][1 + (s >> 20) % 3] as device,
        -- Sessions start in order through the day, so files are chronological; a session lasts under 3 minutes.
        $day::timestamp
            + to_milliseconds(session * 86200000 // $sessions + event % $per_session * 20000 + (h >> 20) % 20000) as clicked_at
    from hashed
),
written as (
    select
        fault,
        '{"event_id":' || if(fault = 1, 'null', '"' || event_id || '"')
        || ',"user_id":' || if(fault = 2, 'null', '"' || user_id || '"')
        || ',"session_id":"' || strftime(clicked_at, '%Y%m%d') || '-' || session
        || '","event_type":"' || event_type
        || '","page_url":"/products/' || product_id
        || '","timestamp":"' || if(fault = 3, 'not-a-time', strftime(clicked_at, '%Y-%m-%dT%H:%M:%S.%gZ'))
        || '","properties":{"product_id":' || product_id || ',"device":"' || device || '"'
        || '}}' as line
    from drawn
)
select if(fault = 0, line[:90], line) as line from written
"""


@dataclass(frozen=True)
class ClickCounts:
    """The content of a day of `lines` click lines."""

    lines: int

    @property
    def broken(self) -> int:
        """Lines that break a rule."""
        return len(range(BROKEN_AT, self.lines, BROKEN_STEP))

    @property
    def duplicates(self) -> int:
        """Lines that repeat a sound event."""
        return len(range(DUPLICATE_AT, self.lines, DUPLICATE_STEP))

    @property
    def valid(self) -> int:
        """Distinct sound events: what silver must hold."""
        return self.lines - self.broken - self.duplicates


def write_clicks(folder: Path, day: dt.date, lines: int, customers: int, products: int) -> None:
    """Write `lines` click lines of one day as `folder/YYYY-MM-DD/part-*.jsonl`."""
    target = folder / day.isoformat()
    target.mkdir(parents=True, exist_ok=True)
    size = min(LINES_PER_FILE, -(-lines // FEWEST_FILES))
    with duckdb.connect() as connection:
        for part, first in enumerate(range(0, lines, size)):
            parameters = {
                "day": day.isoformat(),
                "first": first,
                "last": min(first + size, lines),
                "sessions": -(-lines // EVENTS_PER_SESSION),
                "per_session": EVENTS_PER_SESSION,
                "customers": customers,
                "products": products,
                "dup_step": DUPLICATE_STEP,
                "dup_at": DUPLICATE_AT,
                "broken_step": BROKEN_STEP,
                "broken_at": BROKEN_AT,
                "kinds": BROKEN_KINDS,
            }
            # CSV without quotes and with a delimiter that never occurs is plain text, one value a line.
            connection.execute(
                f"copy ({_LINES}) to '{target / f'part-{part:05d}.jsonl'}'"
                " (format csv, header false, quote '', escape '', delimiter e'\\x01')",
                parameters,
            )
