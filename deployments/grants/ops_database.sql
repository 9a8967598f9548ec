-- The PostgreSQL that takes the copy of the run ledger (OPS_DSN), and whoever reads it (Grafana). Run by an
-- administrator in that database, once:
--   psql "$OPS_ADMIN_DSN" -f deployments/grants/ops_database.sql
--   psql "$OPS_ADMIN_DSN" -c '\password pipeline_ops' -c '\password ops_reader'
-- The pipeline makes the tables of `ops` anew in every run, so it owns the schema; it owns nothing else.

create role pipeline_ops login nosuperuser nocreatedb nocreaterole noreplication;
create role ops_reader login nosuperuser nocreatedb nocreaterole noreplication;
alter role ops_reader set default_transaction_read_only = on;

create schema ops authorization pipeline_ops;
grant usage on schema ops to ops_reader;
-- Also of tables that are made anew.
alter default privileges for role pipeline_ops in schema ops grant select on tables to ops_reader;
