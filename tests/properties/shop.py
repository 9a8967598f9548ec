"""The source of a history: rows in PostgreSQL, click files, and what the runs so far could see of both."""

import datetime as dt
import gzip
import json
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tasks.ingest.extract_window import LATE_DAYS
from tests.properties.changes import KEYS, Change, Click, Mishap
from tests.properties.model import COLUMNS, EVENT_COLUMNS, KEY, ShopModel

# A Friday; on the Sunday after it New York sets its clocks forward.
FIRST_DAY = dt.date(2024, 3, 8)
OVERLAP = dt.timedelta(hours=1)
# So low that a shop of six orders meets it.
MASS_DELETE_ROWS, MASS_DELETE_SHARE = 3, 0.4
MICROSECOND = dt.timedelta(microseconds=1)

# What the lake holds of a value that it cannot hold.
REPRESENTED = {
    "amount": "nullif({0}, 'NaN')",
    "unit_cost": "nullif({0}, 'NaN')",
    "order_date": "case when {0} between '0001-01-01' and '9999-12-31' then {0} end",
    "updated_at": "law.stamp({0})",
}
Line = tuple[str, int, str]
"""(file below the click folder, line number, text)"""


@dataclass
class Shop:
    """A shop over business days 0, 1, 2 … in its time zone. `updated_at` of a key only grows."""

    model: ShopModel
    clicks: Path
    zone: ZoneInfo
    newest: dict[tuple[str, int], dt.datetime] = field(default_factory=dict)
    stamps: set[dt.datetime] = field(default_factory=set)
    bronze: dict[str, Counter[tuple]] = field(default_factory=dict)
    """The rows of bronze when it was last looked at."""
    covered_clicks: int | None = None
    seen_lines: set[Line] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)
    """The whole text of each click file, also where only part of it is written yet."""

    def __post_init__(self) -> None:
        self.model.forget()
        self.model.rows("insert into law.state values ('-infinity', %s)", (self.zone.key,))
        shutil.rmtree(self.clicks, ignore_errors=True)
        self.clicks.mkdir(parents=True)

    def date(self, day: int) -> dt.date:
        """The calendar date of business day `day`."""
        return FIRST_DAY + dt.timedelta(days=day)

    def begin(self, day: int) -> dt.datetime:
        """When business day `day` begins, in UTC: arithmetic on local times ignores clock changes."""
        return dt.datetime.combine(self.date(day), dt.time(), self.zone).astimezone(dt.UTC)

    def change(self, change: Change, day: int) -> bool:
        """Write a row version into business day `day`; False if the key has a newer version already."""
        begin, end = self.begin(day), self.begin(day + 1)
        wish = end - MICROSECOND if change.moment < 0 else begin + dt.timedelta(minutes=change.moment)
        return self._write(change, wish, begin, end)

    def commit_late(self, change: Change, day: int) -> bool:
        """Write a row version into the last hour of `day`, which a run may have covered already."""
        end = self.begin(day + 1)
        begin = end - OVERLAP
        return self._write(change, begin + dt.timedelta(minutes=change.moment % 60), begin, end)

    def _write(self, change: Change, wish: dt.datetime, begin: dt.datetime, end: dt.datetime) -> bool:
        last = self.newest.get((change.table, change.key), begin - MICROSECOND)
        free = max(wish, last + MICROSECOND)
        while free in self.stamps:
            free += MICROSECOND
        if free >= end:
            free = end - MICROSECOND
            while free in self.stamps:
                free -= MICROSECOND
        if not max(begin, last + MICROSECOND) <= free < end:
            return False
        self.stamps.add(free)
        row: dict[str, Any] = {KEY[change.table]: change.key, **change.values, "updated_at": free}
        if isinstance(row.get("order_date"), int):
            row["order_date"] = free.astimezone(self.zone).date() + dt.timedelta(days=row["order_date"])
        if row[KEY[change.table]] is not None:
            self.newest[change.table, change.key] = free
            self.model.rows(
                f"delete from {change.table} where {KEY[change.table]} = %s", (row[KEY[change.table]],)
            )
        self._insert(change.table, row)
        return True

    def click(self, file: str, clicks: list[Click], day: int, cut: bool) -> None:
        """Append lines to a click file of `day`; `cut`: only half of the last is written yet."""
        name = f"{self.date(day)}/{file}"
        lines = [_line(click, self.date(day)) for click in clicks]
        whole = self.files.get(name, "") + "".join(line + "\n" for line in lines)
        self.files[name] = whole
        written = whole[: -len(lines[-1]) // 2 - 1] if cut else whole
        path = self.clicks / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(written.encode()) if name.endswith(".gz") else written.encode())

    def change_unseen(self, change: Change, stamp: str | None) -> None:
        """Write a row version with a cursor that no window sees."""
        key = KEY[change.table]
        row: dict[str, Any] = {key: change.key, **change.values, "updated_at": stamp}
        if isinstance(row.get("order_date"), int):
            row["order_date"] = self.date(0) + dt.timedelta(days=row["order_date"])
        self.model.rows(f"delete from {change.table} where {key} = %s", (change.key,))
        self._insert(change.table, row)

    def suffer(self, mishap: Mishap) -> bool:
        """Do to a table what no cursor tells of; True if a row was edited in place, which is read on demand."""
        table, key, at = mishap.table, KEY[mishap.table], (mishap.key,)
        if mishap.kind == "delete":
            self._remember(table, mishap.key)
            self.model.rows(f"delete from {table} where {key} = %s", at)
        elif mishap.kind == "all but one":
            for number in range(1, KEYS[table] + 1):
                self._remember(table, number)
            self.model.rows(f"delete from {table} where {key} <> %s", at)
        elif mishap.kind == "come back":
            self.model.rows(
                f"insert into {table} select * from law.gone_{table} where {key} = %s"
                f" and {key} not in (select {key} from {table} where {key} is not null)",
                at,
            )
        elif mishap.kind == "other key":
            self.model.rows(f"delete from {table} where {key} = %s", (mishap.key + 100,))
            self.model.rows(f"update {table} set {key} = {key} + 100 where {key} = %s", at)
        elif mishap.kind == "reload":
            self.model.rows(
                f"create temp table copy as table {table}; truncate {table};"
                f" insert into {table} table copy; drop table copy"
            )
        elif mishap.kind == "edit":
            column = {"orders": "quantity = 1 + mod(quantity, 7), amount", "products": "unit_cost"}.get(table)
            value = f"{column} = 12.34" if column else "region = 'edited'"
            self.model.rows(f"update {table} set {value} where {key} = %s", at)
            return True
        return False

    def restore(self) -> bool:
        """Bring back all that was deleted, as it was; True if there was anything."""
        before = self._counts()
        for table, keys in KEYS.items():
            for key in range(1, keys + 1):
                self.suffer(Mishap(table, key, "come back"))
        return self._counts() != before

    def _counts(self) -> list[tuple]:
        return [self.model.rows(f"select count(*) from {table}")[0] for table in KEYS]

    def mass_deletes(self) -> list[str]:
        """The tables that have lost so many of the rows that runs have seen that a run must stop."""
        lost = []
        for table, key in KEY.items():
            [(live, gone)] = self.model.rows(
                f"select count(*), count(*) filter (where {key} not in"
                f" (select {key} from {table} where {key} is not null)) from ("
                f"select distinct on ({key}) {key}, is_gone from law.seen_{table}"
                f" where {key} is not null order by {key}, read_at desc, is_gone desc) as last"
                " where is_gone is not true"
            )
            if gone >= MASS_DELETE_ROWS and gone > MASS_DELETE_SHARE * live:
                lost.append(table)
        return lost

    def _remember(self, table: str, key: int) -> None:
        in_table = f"from {table} where {KEY[table]} = %s"
        self.model.rows(
            f"delete from law.gone_{table} where {KEY[table]} = %s and exists (select {in_table});"
            f"insert into law.gone_{table} ({COLUMNS[table]}) select {COLUMNS[table]} {in_table}",
            (key, key, key),
        )

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        marks = ", ".join(["%s"] * len(row))
        self.model.rows(f"insert into {table} ({', '.join(row)}) values ({marks})", tuple(row.values()))

    def saw_table(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Hold what bronze has gained against the source, and remember it. `rows` are all of bronze."""
        columns = COLUMNS[table].split(", ")
        held = Counter(tuple(row[name] for name in (*columns, "read_at", "deleted_at")) for row in rows)
        lost = self.bronze.get(table, Counter()) - held
        assert not lost, f"bronze.{table} has forgotten {lost}"
        for row in (held - self.bronze.get(table, Counter())).elements():
            self._saw_row(table, columns, row)
        self.bronze[table] = held

    def _saw_row(self, table: str, columns: list[str], row: tuple) -> None:
        *values, read_at, deleted_at = row
        key = KEY[table]
        if deleted_at:
            assert not self.model.rows(f"select from {table} where {key} = %s", (values[0],)), row
            self.model.rows(
                f"insert into law.seen_{table} ({', '.join([*columns, 'read_at', 'is_gone'])})"
                f" values ({', '.join(['%s'] * len(columns))}, %s, true)",
                (*values, read_at),
            )
            return
        same = " and ".join(
            f"{REPRESENTED.get(name, '{0}').format(name)} is not distinct from %s" for name in columns
        )
        saved = self.model.rows(
            f"insert into law.seen_{table} ({COLUMNS[table]}, read_at, is_gone)"
            f" select {COLUMNS[table]}, %s, false from {table}"
            f" where {same} limit 1 returning 1",
            (read_at, *values),
        )
        assert saved, f"bronze.{table} has a row that the source has not: {row}"

    def unseen(self, table: str) -> list[tuple]:
        """Rows of the source that a completed extract should have read, and deletes it should have noticed."""
        key = KEY[table]
        newest = (
            f"select distinct on ({key}) * from law.seen_{table} where {key} is not null"
            f" order by {key}, read_at desc, updated_at desc"
        )
        return self.model.rows(
            f"with newest as ({newest}) select 'not read', {key}::text, updated_at::text from law.standing_{table} as s"
            f" where {key} is not null and not exists (select 1 from newest as n where n.{key} = s.{key}"
            " and not n.is_gone and law.stamp(n.updated_at) is not distinct from law.stamp(s.updated_at))"
            f" union all select 'not noticed', {key}::text, updated_at::text from newest as n"
            f" where not is_gone and not exists (select 1 from {table} as s where s.{key} = n.{key})"
        )

    def saw_clicks(self, day: int) -> None:
        """Remember the lines that an extract for `day` can see: its folder, and those not long covered."""
        after = -1 if self.covered_clicks is None else self.covered_clicks
        folders = {day, *range(after + 1 - LATE_DAYS, day)}
        self.seen_lines |= {line for each in folders for line in self.lines(each)}
        self.covered_clicks = max(day, after)

    def lines(self, day: int) -> list[Line]:
        """The lines of the click files of `day` as they stand."""
        found = []
        for path in sorted((self.clicks / str(self.date(day))).glob("*")):
            content = path.read_bytes()
            text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
            lines = text.removesuffix("\n").split("\n") if text else []
            name = f"{path.parent.name}/{path.name}"
            found += [(name, number, line) for number, line in enumerate(lines, 1)]
        return found

    def stand_at(self, day: int) -> None:
        """Set the model's views to what a shop covered up to and including `day` should show."""
        self.model.rows("update law.state set until = %s", (self.begin(day + 1),))
        self.model.rows("delete from law.events")
        events = [
            event for each in range(day + 1) for line in self.lines(each) if (event := self._event(line))
        ]
        first: dict[str, tuple] = {}
        for _, event in sorted(events, key=lambda each: each[0]):
            first.setdefault(event[0], event)
        for event in first.values():
            marks = ", ".join(["%s"] * len(event))
            self.model.rows(f"insert into law.events ({EVENT_COLUMNS}) values ({marks})", event)

    def broken_lines(self) -> set[Line]:
        """The lines seen so far that are no usable event."""
        return {line for line in self.seen_lines if self._event(line) is None}

    def _event(self, line: Line) -> tuple[tuple, tuple] | None:
        """(position among the occurrences of its event, columns of the event), or None for a broken line."""
        try:
            parsed = json.loads(line[2])
            event_id, user_id = parsed["event_id"], parsed["user_id"]
            at = dt.datetime.fromisoformat(parsed["timestamp"])
        except (ValueError, TypeError, KeyError):
            return None
        if not (event_id or "").strip() or not (user_id or "").strip():
            return None
        local = at.astimezone(self.zone)
        session, kind, url = parsed["session_id"], parsed["event_type"], parsed["page_url"]
        product = parsed["properties"].get("product_id")
        columns = (event_id, user_id, session, kind, url, product, at, local.date(), local.hour)
        return (at, *line[:2]), columns


def _line(click: Click, date: dt.date) -> str:
    if isinstance(click.broken, str):
        return click.broken
    at = dt.datetime.combine(date, dt.time(), dt.UTC) + dt.timedelta(minutes=click.minutes)
    event = {
        "event_id": f"e{click.event}",
        "user_id": f"u{click.user}",
        "session_id": f"s{click.session}" if click.session else None,
        "event_type": click.kind,
        "page_url": f"/{click.kind}",
        "properties": {"product_id": str(click.event)} if click.kind == "product_view" else {},
        "timestamp": at.isoformat().replace("+00:00", "Z"),
    }
    return json.dumps({**event, **(click.broken or {})})
