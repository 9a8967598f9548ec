"""What the foreign shops share: a database with their own tables, a clock, chance, and the course of a day."""

import datetime as dt
import json
import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import psycopg2
from psycopg2 import sql
from psycopg2.extras import Json

from blocks.settings.environment import REPOSITORY
from demo.shop.catalogue import FIRST_NAMES, LAST_NAMES

HERE = Path(__file__).parent
ZONE = ZoneInfo("Europe/Berlin")
# Five days; on the third, a Sunday, Berlin sets its clocks forward.
DAYS = [dt.date(2024, 3, 29) + dt.timedelta(days=number) for number in range(5)]
CENT = Decimal("0.01")
CUSTOMERS, BASKETS = 6, 14

Row = dict[str, Any]


class ForeignShop:
    """A shop of a published kind, with its own tables in a database. Subclasses say how that kind writes them.

    The same seed plays the same days. A row's own time only grows; what comes late bears the last hour of the
    day before, as a transaction that committed after that day's run would.
    """

    kind: ClassVar[str]

    def __init__(self, dsn: str, seed: int = 17) -> None:
        self.chance = random.Random(f"{self.kind} {seed}")
        self.connection = psycopg2.connect(dsn, options="-c timezone=UTC -c synchronous_commit=off")
        self.connection.autocommit = True
        self.clock = dt.datetime.min.replace(tzinfo=dt.UTC)
        self.rows((HERE / f"{self.kind}.sql").read_text(encoding="utf-8"))
        self.rows((HERE / f"{self.kind}_expected.sql").read_text(encoding="utf-8"))

    @property
    def queries(self) -> Path:
        """The folder that SHOP_QUERIES names for this kind of shop."""
        return REPOSITORY / "docs" / "howto" / "shops" / self.kind

    def play(self, day: dt.date) -> None:
        """Everything that happens in the shop on a business day, and what the day before left uncommitted."""
        self.begin(day)
        if day == DAYS[0]:
            self.open()
        else:
            self.lose_products()
            self.come_late(self.late(day))
        for number in range(BASKETS):
            if number < CUSTOMERS:
                self.add_customer(self.now())
            self.add_basket(self.now())
        self.add_oddities()
        if day > DAYS[0]:
            self.rename()
            self.change_products()
            self.change_orders()
            self.delete()

    def begin(self, day: dt.date) -> None:
        """Set the clock to the first minutes of a day, which in UTC still belong to the day before."""
        self.clock = dt.datetime.combine(day, dt.time(0, 4), ZONE).astimezone(dt.UTC)

    def now(self) -> dt.datetime:
        """The next moment: a hundred of them fit into a day."""
        self.clock += dt.timedelta(seconds=self.chance.uniform(1, 600))
        return self.clock

    def late(self, day: dt.date) -> dt.datetime:
        """A moment in the last half hour of the day before."""
        midnight = dt.datetime.combine(day, dt.time(), ZONE).astimezone(dt.UTC)
        return midnight - dt.timedelta(seconds=self.chance.uniform(1, 1800))

    def rows(
        self, statement: str | sql.Composable, parameters: Sequence[object] | Mapping[str, object] = ()
    ) -> list[tuple]:
        """Run a statement; returns its rows, if it has any."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def values(self, query: str, *parameters: object) -> list[Any]:
        """The first column of a query."""
        return [row[0] for row in self.rows(query, parameters)]

    def insert(self, table: str, **row: Any) -> Any:
        """Insert a row; returns its id."""
        statement = sql.SQL("insert into {} ({}) values ({}) returning id").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.Placeholder() * len(row)),
        )
        return self.rows(statement, tuple(map(_adapted, row.values())))[0][0]

    def update(self, table: str, key: object, **row: Any) -> None:
        """Change columns of the row with an id."""
        changes = [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder()) for name in row]
        statement = sql.SQL("update {} set {} where id = {}").format(
            sql.Identifier(table), sql.SQL(", ").join(changes), sql.Placeholder()
        )
        self.rows(statement, (*map(_adapted, row.values()), key))

    def some(self, query: str, count: int, *parameters: object) -> list[Any]:
        """A few ids of a query that orders them; at least one, or the days would not show what they should."""
        found = self.values(query, *parameters)
        assert found, query
        return self.chance.sample(found, min(count, len(found)))

    def person(self) -> tuple[str, str]:
        return self.chance.choice(FIRST_NAMES), self.chance.choice(LAST_NAMES)

    def price(self, least: int = 2, most: int = 180) -> Decimal:
        return Decimal(self.chance.randint(least * 100, most * 100)) / 100

    def open(self) -> None:
        """What is there before the first order: countries, categories, products."""
        raise NotImplementedError

    def add_customer(self, at: dt.datetime) -> Any:
        raise NotImplementedError

    def add_basket(self, at: dt.datetime) -> Any:
        """A new order of one to four lines."""
        raise NotImplementedError

    def add_oddities(self) -> None:
        """What this kind of shop allows and a pipeline may not expect."""
        raise NotImplementedError

    def come_late(self, at: dt.datetime) -> None:
        """A basket, a customer and a change that bear a time of yesterday."""
        raise NotImplementedError

    def rename(self) -> None:
        """Customers with another name, or in another place."""
        raise NotImplementedError

    def change_products(self) -> None:
        """Other names, categories, prices and costs."""
        raise NotImplementedError

    def lose_products(self) -> None:
        """Products that are deleted; not every kind of shop allows it."""

    def change_orders(self) -> None:
        """Orders move on, are cancelled, and get other quantities."""
        raise NotImplementedError

    def delete(self) -> None:
        """Orders and lines go, in the way of this kind of shop."""
        raise NotImplementedError


def _adapted(value: Any) -> Any:
    return (
        Json(value, dumps=lambda found: json.dumps(found, ensure_ascii=False))
        if isinstance(value, dict)
        else value
    )
