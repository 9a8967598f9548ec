-- Snowflake: the pipeline's role and the readers'. As an administrator, once; the names are yours to choose.
-- The pipeline makes its schemas and owns them. It can see no other database, and create none.

create warehouse if not exists pipeline_wh warehouse_size = xsmall auto_suspend = 60 initially_suspended = true
    statement_timeout_in_seconds = 3600;
create database if not exists ecommerce data_retention_time_in_days = 1;
create role if not exists pipeline;
create role if not exists analyst;

grant usage on warehouse pipeline_wh to role pipeline;
grant usage, create schema on database ecommerce to role pipeline;

create user if not exists pipeline type = service default_role = pipeline default_warehouse = pipeline_wh
    rsa_public_key = 'MIIB…';
grant role pipeline to user pipeline;

-- Readers get the marts and the run ledger: not silver, not quarantine, which holds raw rows of people.
grant usage on database ecommerce to role analyst;

-- After the first run, once its schemas are there. Tables of `ops` are replaced in every run: the grant on future
-- tables is what lets readers keep them.
grant usage on schema ecommerce.gold to role analyst;
grant select on all tables in schema ecommerce.gold to role analyst;
grant select on future tables in schema ecommerce.gold to role analyst;
grant usage on schema ecommerce.ops to role analyst;
grant select on all tables in schema ecommerce.ops to role analyst;
grant select on future tables in schema ecommerce.ops to role analyst;
