"""The law of features: after any history, what was known at a moment is what it was then, to the byte.

After each run the features as of that moment are computed; at the end, after everything that came later
(corrections, late rows, deletes, backfills, crashes), they are computed again. SQL over the versions that the
runs have seen says the same sums.
"""

import datetime as dt
import os
import shutil
from functools import partial
from typing import ClassVar

import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from lake.row_counts import RowCounts
from tasks.features.contract import Entity
from tasks.features.known import Day
from tasks.features.tables import SOURCES, features, reading_versions
from tasks.features.versions import write_versions
from tasks.ingest.decisions import Decisions
from tests.properties.compare import assert_same
from tests.properties.crash import LAKE_SEAMS, Seam
from tests.properties.history import History
from tests.properties.model import ShopModel
from tests.properties.runs import lake_run
from tests.support.platforms import Platform, here

STEPS = 6
# A history costs as much as one of the lake's law: a quarter of them.
SHARE = 4
ENTITIES: tuple[Entity, ...] = ("customers", "products")
# Of each order the newest valid version that had been read by then, if it was not known to be gone.
KNOWN_ORDERS = """
    select * from (
        select distinct on (order_id) * from law.judged_orders
        where reason is null and order_id is not null and read_at <= %s
        order by order_id, read_at desc, is_gone desc, updated_at desc
    ) as newest
    where not is_gone and order_date < %s and status <> 'cancelled'
"""
SUMS = {
    "customers": f"""
        select customer_id, count(distinct coalesce(nullif(trim(order_number), ''), order_id::text)),
            sum(amount), count(distinct product_id), max(order_date)
        from ({KNOWN_ORDERS}) as known group by customer_id""",
    "products": f"""
        select product_id, sum(quantity), count(distinct order_date), max(order_date)
        from ({KNOWN_ORDERS}) as known group by product_id""",
}


class FeatureHistory(History):
    """Histories of the lake, with the features as of each of its runs."""

    seams: ClassVar = [*LAKE_SEAMS, Seam("spark_jobs.silver.versions", "overwrite")]
    places = 70

    def start(self, zone: str) -> None:
        shutil.rmtree(self.platform.folder / "lake", ignore_errors=True)
        os.environ["SHOP_TIMEZONE"] = zone
        self.kept: list[tuple[Day, dict[Entity, bytes]]] = []

    def run_day(self, day: int, decisions: Decisions) -> list[RowCounts]:
        counts = lake_run(self.shop.date(day), partial(self.saw, day), decisions)
        for name in SOURCES:
            write_versions(name, *here())
        return counts

    def check_law(self) -> None:
        now = dt.datetime.now(dt.UTC)
        date = self.shop.date(self.last + 1)
        begin = dt.datetime.combine(date, dt.time(), dt.UTC)
        day = Day(date, begin, now, is_reconstructed=False)
        found = self.computed(day)
        self.kept.append((day, {entity: as_bytes(table) for entity, table in found.items()}))
        self.check_sums_of(day, found)

    def computed(self, day: Day) -> dict[Entity, pa.Table]:
        with reading_versions(self.platform.lake) as connection:
            return {entity: features(connection, entity, day).read_all() for entity in ENTITIES}

    def check_sums_of(self, day: Day, found: dict[Entity, pa.Table]) -> None:
        """The sums are those of the versions that had been read by then."""
        ago = lambda days: None if days is None else day.date - dt.timedelta(days=days)  # noqa: E731
        actual = {
            "customers": [
                (row["customer_id"], row["total_orders"], row["total_revenue"], row["products_365d"],
                 ago(row["days_since_last_order"]))
                for row in found["customers"].to_pylist() if row["total_orders"]
            ],
            "products": [
                (row["product_id"], row["total_units"], row["days_with_sales_90d"], ago(row["days_since_last_sale"]))
                for row in found["products"].to_pylist() if row["total_units"]
            ],
        }  # fmt: skip
        for entity, query in SUMS.items():
            expected = self.model.rows(query, (day.end, day.date))
            assert_same(f"features of {entity} as of {day.end}", actual[entity], expected)

    def check_end(self) -> None:
        """What was known then is what it was then, also by versions made anew from bronze."""
        for is_anew in (False, True):
            for name in SOURCES:
                write_versions(name, *here(), full=is_anew)
            for day, before in self.kept:
                again = {entity: as_bytes(table) for entity, table in self.computed(day).items()}
                assert again == before, f"features as of {day.end} have changed (versions anew: {is_anew})"


def as_bytes(table: pa.Table) -> bytes:
    """A table as Arrow's bytes."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_what_was_known_stays_what_it_was(law_platform: Platform, model: ShopModel) -> None:
    histories = settings.default.max_examples // SHARE
    run_state_machine_as_test(
        partial(FeatureHistory, law_platform, model),
        settings=settings(max_examples=histories, stateful_step_count=STEPS),
    )
