"""`make demo`: open the synthetic shop, or let it play its next day, and run the pipeline on it.

python -m demo              three days at first, one more each time after that
python -m demo --s3         the same, with the lake on an S3 store of the demo's own (SeaweedFS) from now on
python -m demo start        only start what the shop runs on, e.g. after a reboot
python -m demo stop         stop them
"""

import argparse
import datetime as dt
import os
from decimal import Decimal

import duckdb
from rich.console import Console
from rich.table import Table

from blocks.settings.environment import DATA, TEMPORARY_SERVER
from blocks.settings.settings import Settings
from demo.services import kafka, postgres, s3
from demo.services.process import write_private
from demo.shop.shop import Shop
from lake.local_sql import connect
from tasks.runs.temporary_server import await_temporary_server, begin_temporary_server

FIRST_DAY = dt.date(2024, 1, 13)
FIRST_DAYS = 3
POSTGRES = DATA / "postgres"
KAFKA = DATA / "kafka"
STORE = DATA / "seaweed"
ENVIRONMENT = DATA / "demo.env"
# Wide enough for the sales table, also where the output goes to a file.
console = Console(width=max(110, Console().width))


def main() -> None:
    """Carry out the command named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["play", "start", "stop", "remove"], default="play")
    parser.add_argument("--s3", action="store_true", help="from now on, keep the lake on an S3 store")
    options = parser.parse_args()
    if options.s3:
        STORE.mkdir(parents=True, exist_ok=True)
    match options.command:
        case "start":
            open_database()
            open_broker()
            open_store()
            console.print("The shop runs.")
        case "stop":
            s3.stop(STORE)
            kafka.stop(KAFKA)
            postgres.stop(POSTGRES)
        case "remove":
            s3.remove(STORE)
            kafka.remove(KAFKA)
            postgres.remove(POSTGRES)
        case "play":
            play()


def open_database() -> str:
    """Start the shop's PostgreSQL, or take SHOP_DSN's, where `Settings` finds it; returns the DSN."""
    if given := os.environ.get("SHOP_DSN"):
        return given
    console.print("Starting the shop's PostgreSQL.")
    dsn = postgres.start(POSTGRES)
    write_private(
        ENVIRONMENT, f"# Written by the demo: the shop's services on this machine.\nSHOP_DSN={dsn}\n"
    )
    return dsn


def open_broker() -> bool:
    """Start the shop's Kafka where `Settings` finds it, or take KAFKA_BOOTSTRAP_SERVERS; returns whether."""
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return True
    console.print("Starting the shop's Kafka; the first time it is downloaded (43 MB).")
    try:
        servers = kafka.start(KAFKA)
    except kafka.KafkaUnavailable as failure:
        console.print(f"Stock events are skipped, inventory_status stays empty: {failure}", soft_wrap=True)
        return False
    _add(KAFKA_BOOTSTRAP_SERVERS=servers)
    return True


def open_store() -> None:
    """Start the S3 store where `Settings` finds it and put the lake there, if the demo has one (`--s3`)."""
    if not STORE.exists():
        return
    _add(**s3.start(STORE), LAKE_URI=f"s3://{s3.BUCKET}/lake")


def _add(**variables: str) -> None:
    """Add variables to the file that `Settings` reads; it holds passwords, so nobody else may."""
    before = ENVIRONMENT.read_text() if ENVIRONMENT.exists() else ""
    write_private(ENVIRONMENT, before + "".join(f"{name}={value}\n" for name, value in variables.items()))


def play() -> None:
    """Play the shop's next days, run the pipeline after each, and show what came of it."""
    begin_temporary_server()
    dsn = open_database()
    open_store()
    # Imported only now: the flows take seconds to import, and read their settings.
    from flows.daily import daily_ecommerce_pipeline
    from flows.inventory import inventory
    from tasks.runs.console import quiet_logs

    quiet_logs()
    await_temporary_server()
    shop = Shop(dsn, DATA / "clickstream")
    shop.open(FIRST_DAY)
    days = next_days(shop)
    for day in days:
        console.rule(f"the shop plays {day:%A, %d %B %Y}")
        shop.play(day)
        # As every hour of a day that the daily run then follows; once will do, when the products are known.
        if day == days[-1] and open_broker():
            shop.publish_stock()
            inventory()
        daily_ecommerce_pipeline(day)
    show_sales()
    show_stock()
    show_totals()
    show_where()


def next_days(shop: Shop) -> list[dt.date]:
    """The days to play now: the first three, later one at a time."""
    last = shop.last_day()
    if last is None:
        return [FIRST_DAY + dt.timedelta(days=number) for number in range(FIRST_DAYS)]
    return [last + dt.timedelta(days=1)]


def show_sales(rows: int = 10) -> None:
    """Print the top of agg_daily_sales."""
    with connect(Settings().duckdb_path, read_only=True) as warehouse:
        found = warehouse.execute(
            """
            select
                order_date, category, region, customer_segment, total_orders as orders,
                total_revenue as revenue, profit_margin_pct as margin_pct
            from gold.agg_daily_sales order by order_date desc, total_revenue desc limit ?
            """,
            [rows],
        )
        console.print(_table("gold.agg_daily_sales, newest day, highest revenue", found))


def show_stock(rows: int = 10) -> None:
    """Print the products that are short, the worst first."""
    with connect(Settings().duckdb_path, read_only=True) as warehouse:
        found = warehouse.execute(
            """
            select
                product_name as product, category, state, on_hand, units_per_day as sold_a_day, days_of_cover,
                reorder_point
            from gold.inventory_status where state != 'ok'
            order by state desc, days_of_cover, units_per_day desc limit ?
            """,
            [rows],
        )
        console.print(_table("gold.inventory_status, what is short, worst first", found))


def show_totals(rows: int = 5) -> None:
    """Print revenue by order date in PostgreSQL and in gold, as the last run's gate compared them."""
    from lake.delta import Lake

    with connect() as memory:
        memory.register("order_totals", Lake(Settings().lake_uri).rows_since("gate.order_totals", None))
        found = memory.execute(
            """
            select
                order_date, source_amount as postgresql, gold_amount as gold,
                source_amount - gold_amount as difference
            from order_totals order by order_date desc limit ?
            """,
            [rows],
        )
        console.print(_table("revenue by order date: PostgreSQL against gold", found))
        [(dates, apart)] = memory.execute(
            "select count(*), count(*) filter (where source_amount <> gold_amount) from order_totals"
        ).fetchall()
    console.print(f"{dates} order dates compared, {apart} differ. Left out on both sides:")
    console.print("orders whose newest version broke a rule and waits in quarantine.\n")


def show_where() -> None:
    """Say how to look at the runs, the warehouse and the lake."""
    settings = Settings()
    console.print(f"warehouse  {settings.duckdb_path}", soft_wrap=True)
    console.print(f"lake       {settings.lake_uri}", soft_wrap=True)
    console.print(f"report     {settings.report_dir / 'latest.html'}", soft_wrap=True)
    is_own = TEMPORARY_SERVER in os.environ
    runs = "make ui, then open http://127.0.0.1:4200" if is_own else os.environ["PREFECT_API_URL"]
    console.print(f"runs       {runs.removesuffix('/api')}", soft_wrap=True)
    console.print("next day   the same command again")


def _table(title: str, found: duckdb.DuckDBPyConnection) -> Table:
    table = Table(title=title, title_justify="left")
    rows = found.fetchall()
    for number, column in enumerate(found.description):
        is_figure = all(isinstance(row[number], int | float | Decimal) for row in rows)
        table.add_column(column[0], justify="right" if is_figure else "left")
    for row in rows:
        table.add_row(*map(str, row))
    return table


if __name__ == "__main__":
    main()
