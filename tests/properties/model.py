"""What every table should hold, as SQL over the source itself. Nothing here is shared with the pipeline.

The views live in the shop's own PostgreSQL, in schema `law`. Two things are kept beside the source, because
it has no memory: the row versions that the runs have read and the deletes that they have noticed
(`law.seen_*`, filled from bronze once each row there has been held against the source; when the newest version
of a key is invalid, its last valid one that was seen stays), and the click events as Python reads the files.
"""

from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection

# The shop may hold rows without a key, and the row rules must find them.
WITHOUT_PRIMARY_KEY = (
    "alter table {table} drop constraint {table}_pkey; alter table {table} alter {key} drop not null"
)
# A version of a row is flagged on its own, whichever run saw it; the first broken rule is its reason.
REASON = {
    "orders": """case
        when order_id is null then 'order_id_not_null'
        when customer_id is null then 'customer_id_not_null'
        when product_id is null then 'product_id_not_null'
        when order_date is null then 'order_date_not_null'
        when order_date not between '0001-01-01' and '9999-12-31' then 'order_date_readable'
        when amount = 'NaN' then 'amount_readable'
        when amount is null or amount <= 0 or amount > 1000000 then 'amount_in_range'
        when quantity is null or quantity < 1 or quantity > 100 then 'quantity_in_range'
        when status is null
            or status not in ('pending', 'processing', 'shipped', 'delivered', 'cancelled')
            then 'status_known'
        when updated_at is null then 'updated_at_not_null'
        when law.stamp(updated_at) is null then 'updated_at_readable'
        when order_date > (updated_at at time zone (select zone from law.state))::date
            then 'order_date_not_in_future'
    end""",
    **{
        table: f"""case
            when {key} is null then '{key}_not_null'
            when updated_at is null then 'updated_at_not_null'
            when law.stamp(updated_at) is null then 'updated_at_readable'
        end"""
        for table, key in (("customers", "customer_id"), ("products", "product_id"))
    },
}
# The tables whose rows stay when the source deletes them.
KEPT = ("customers", "products")
# A time that the lake can hold, or null.
STAMP = """
create function law.stamp(moment timestamptz) returns timestamptz immutable language sql as $$
    select case when moment >= '0001-01-01 00:00+00' and moment <= '9999-12-31 23:59:59.999999+00'
        then moment end
$$
"""
KEY = {"orders": "order_id", "customers": "customer_id", "products": "product_id"}
COLUMNS = {
    "orders": "order_id, customer_id, product_id, order_date, amount, quantity, status, updated_at,"
    " order_number",
    "customers": "customer_id, customer_name, customer_segment, region, updated_at",
    "products": "product_id, product_name, category, unit_cost, updated_at",
}
# Silver: the source as it stands, but for rows that were changed after the last covered day; a key that is
# invalid there keeps the newest valid version that a run has read since the key was last gone.
SILVER = """
create table law.gone_{table} (like {table});
create table law.seen_{table} (like {table}, read_at timestamptz, is_gone boolean);
create view law.standing_{table} as
    select *, {reason} as reason from {table}
    where (updated_at >= (select until from law.state) and updated_at <= now()) is not true;
create view law.judged_{table} as
    select *, case when not is_gone or {is_kept} then {reason} end as reason from law.seen_{table};
create view law.rejected_{table} as
    select distinct on ({columns}, is_gone) *, least(law.stamp(updated_at), read_at) as occurred_at
    from law.judged_{table} where reason is not null order by {columns}, is_gone, read_at desc;
create view law.{table} as
    with standing as (select {columns} from law.standing_{table} where reason is null and {key} is not null)
    select * from standing
    union all
    select * from (
        select distinct on ({key}) {columns} from law.judged_{table} as seen
        where reason is null and ({is_kept} or not is_gone)
        and {key} not in (select {key} from standing)
        and ({is_kept} or not exists (
            select 1 from law.seen_{table} as gone
            where gone.is_gone and gone.{key} = seen.{key} and gone.read_at > seen.read_at))
        order by {key}, read_at desc, updated_at desc
    ) as last_valid;
"""
GOLD = """
create view law.items as
    select o.*,
        coalesce(nullif(trim(o.order_number), ''), o.order_id::text) as number,
        coalesce(c.customer_name, 'unknown') as customer_name,
        coalesce(c.customer_segment, 'unknown') as customer_segment,
        coalesce(c.region, 'unknown') as region,
        coalesce(p.product_name, 'unknown') as product_name,
        coalesce(p.category, 'unknown') as category,
        p.unit_cost * o.quantity as cost_amount,
        o.amount - p.unit_cost * o.quantity as profit_amount,
        c.customer_id is null as is_unknown_customer,
        p.product_id is null as is_unknown_product
    from law.orders as o
    left join law.customers as c using (customer_id)
    left join law.products as p using (product_id);
create view law.sessions as
    select event_date, coalesce(session_id, user_id) as session, array_agg(event_type) as steps
    from law.events group by 1, 2;
create view law.funnel as
    select event_date,
        (select count(distinct user_id) from law.events as e where e.event_date = s.event_date) as visitors,
        count(*) as sessions,
        count(*) filter (where 'product_view' = any(steps)) as product_views,
        count(*) filter (where 'add_to_cart' = any(steps)) as carts,
        count(*) filter (where 'checkout' = any(steps)) as checkouts,
        count(*) filter (where 'purchase' = any(steps)) as purchases
    from law.sessions as s group by event_date;
"""
EVENT_COLUMNS = (
    "event_id, user_id, session_id, event_type, page_url, product_id, event_at, event_date, event_hour"
)

LAKE_GOLD = {
    "daily_sales": """
        select order_date, category, region, count(distinct number), sum(amount),
            round(sum(amount) / count(distinct number), 2),
            count(distinct customer_id)
        from law.items group by 1, 2, 3""",
    "daily_segment_sales": """
        select order_date, customer_segment, count(distinct number), sum(amount) from law.items group by 1, 2""",
}
# Mart -> (the columns that are compared, what they should hold); times are in UTC without a zone.
MARTS = {
    "fct_orders": (
        "order_id, order_date, customer_id, customer_name, customer_segment, region, product_id,"
        " product_name, category, quantity, order_amount, cost_amount, profit_amount, status,"
        " is_unknown_customer, is_unknown_product, updated_at",
        """select order_id, order_date, customer_id, customer_name, customer_segment, region, product_id,
            product_name, category, quantity, amount, cost_amount, profit_amount, status, is_unknown_customer,
            is_unknown_product, updated_at at time zone 'UTC'
        from law.items""",
    ),
    "dim_customers": (
        "customer_id, customer_name, customer_segment, region, is_unknown, first_order_date, last_order_date,"
        " total_orders, lifetime_amount, updated_at",
        """select coalesce(c.customer_id, o.customer_id), coalesce(max(c.customer_name), 'unknown'),
            coalesce(max(c.customer_segment), 'unknown'), coalesce(max(c.region), 'unknown'),
            c.customer_id is null, min(order_date), max(order_date), count(distinct number),
            coalesce(sum(amount), 0), max(c.updated_at at time zone 'UTC')
        from law.customers as c full join law.items as o using (customer_id)
        group by c.customer_id, o.customer_id""",
    ),
    "dim_products": (
        "product_id, product_name, category, unit_cost, is_unknown, first_order_date, last_order_date,"
        " total_orders, total_quantity, total_revenue, updated_at",
        """select coalesce(p.product_id, o.product_id), coalesce(max(p.product_name), 'unknown'),
            coalesce(max(p.category), 'unknown'), max(p.unit_cost), p.product_id is null, min(order_date),
            max(order_date), count(distinct number), coalesce(sum(quantity), 0), coalesce(sum(amount), 0),
            max(p.updated_at at time zone 'UTC')
        from law.products as p full join law.items as o using (product_id)
        group by p.product_id, o.product_id""",
    ),
    "agg_daily_sales": (
        "order_date, category, region, customer_segment, total_orders, unique_customers, total_quantity,"
        " total_revenue, avg_order_value, known_cost_revenue, total_profit, profit_margin_pct",
        """select order_date, category, region, customer_segment, count(distinct number), count(distinct customer_id),
            sum(quantity), sum(amount), round(sum(amount) / count(distinct number), 2),
            coalesce(sum(amount) filter (where cost_amount is not null), 0), sum(profit_amount),
            round(100 * sum(profit_amount) / sum(amount) filter (where cost_amount is not null), 2)
        from law.items group by 1, 2, 3, 4""",
    ),
    "customer_segments": (
        "customer_id, customer_segment, region, recency_days, frequency, monetary",
        """select customer_id, max(customer_segment), max(region),
            (select max(order_date) from law.orders) - max(order_date), count(distinct number), sum(amount)
        from law.items group by 1""",
    ),
    "agg_daily_funnel": (
        "event_date, total_visitors, total_sessions, product_view_sessions, add_to_cart_sessions,"
        " checkout_sessions, purchase_sessions, total_orders, unique_customers, conversion_rate_pct",
        """select coalesce(event_date, order_date), coalesce(visitors, 0), coalesce(sessions, 0),
            coalesce(product_views, 0), coalesce(carts, 0), coalesce(checkouts, 0), coalesce(purchases, 0),
            coalesce(orders, 0), coalesce(customers, 0), round(100.0 * purchases / nullif(sessions, 0), 2)
        from law.funnel
        full join (
            select order_date, count(distinct number) as orders,
                count(distinct customer_id) as customers
            from law.items group by 1
        ) as ordered on event_date = order_date""",
    ),
}
# A rejected row is open while it is the newest of its key that a run has read.
OPEN_QUARANTINE = " union all ".join(
    f"""select '{table}', {key}::text, reason, occurred_at at time zone 'UTC' from law.rejected_{table} as r
    where {key} is null or not exists (
        select 1 from law.seen_{table} as newer
        where newer.{key} = r.{key} and newer.read_at > r.read_at)"""
    for table, key in KEY.items()
)


@dataclass(frozen=True)
class ShopModel:
    """The shop's database with the law's views in it. `rows` is the only way to ask."""

    connection: Connection

    @classmethod
    def create(cls, dsn: str) -> "ShopModel":
        """Add the model to a database with the shop's empty tables."""
        connection = psycopg2.connect(dsn, options="-c timezone=UTC -c synchronous_commit=off")
        connection.autocommit = True
        model = cls(connection)
        model.rows("create schema law; create table law.state (until timestamptz, zone text)")
        model.rows(STAMP)
        model.rows(
            "create table law.events (event_id text, user_id text, session_id text, event_type text,"
            " page_url text, product_id text, event_at timestamptz, event_date date, event_hour int)"
        )
        for table, key in KEY.items():
            model.rows(WITHOUT_PRIMARY_KEY.format(table=table, key=key))
            parts = {"reason": REASON[table], "columns": COLUMNS[table], "is_kept": str(table in KEPT)}
            model.rows(SILVER.format(table=table, key=key, **parts))
        model.rows(GOLD)
        return model

    def rows(self, statement: str, parameters: tuple[object, ...] = ()) -> list[tuple]:
        """Run a statement; returns its rows, if it has any."""
        with self.connection.cursor() as cursor:
            # Without parameters psycopg2 leaves a percent sign alone.
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def forget(self) -> None:
        """Empty every table: a new history begins."""
        kept = [f"law.{kind}_{table}" for table in KEY for kind in ("seen", "gone")]
        tables = [*KEY, *kept, "law.events", "law.state"]
        self.rows(";".join(f"delete from {table}" for table in tables))
