-- The shop's PostgreSQL: all that the daily extract needs, and no more. Run by the owner of the tables, once:
--   psql "$SHOP_ADMIN_DSN" -f deployments/grants/shop_reader.sql
--   psql "$SHOP_ADMIN_DSN" -c '\password pipeline_reader'
-- SHOP_DSN then names pipeline_reader. A new password counts from the next run on: save it in the block
-- shop-database/production, or in SHOP_DSN; nothing is deployed again.

create role pipeline_reader login nosuperuser nocreatedb nocreaterole noreplication connection limit 10;

-- A second lock: what it could write by a grant of others, as to PUBLIC, its sessions refuse.
alter role pipeline_reader set default_transaction_read_only = on;

grant usage on schema public to pipeline_reader;
-- The tables of expectations/contracts, or those that your SHOP_QUERIES read.
grant select on public.orders, public.customers, public.products to pipeline_reader;

-- Columns that your queries do not name can stay closed, in place of the line above:
--   grant select (order_id, customer_id, product_id, order_date, amount, quantity, status, updated_at)
--     on public.orders to pipeline_reader;
-- On a database older than PostgreSQL 15, also: revoke create on schema public from public;
