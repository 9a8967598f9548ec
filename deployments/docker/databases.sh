#!/bin/sh
# Runs once, when the volume of PostgreSQL is empty: a role and a database each, and Grafana reads the run ledger's copy.
set -eu
psql --username postgres --set ON_ERROR_STOP=1 \
    --set shop="$SHOP_PASSWORD" --set prefect="$PREFECT_DB_PASSWORD" \
    --set ops="$OPS_PASSWORD" --set grafana="$OPS_READER_PASSWORD" <<'SQL'
create role shop login password :'shop';
create database shop owner shop;
create role prefect login password :'prefect';
create database prefect owner prefect;
create role ops login password :'ops';
create database ops owner ops;
create role grafana login password :'grafana';
\connect ops
create schema ops authorization ops;
grant usage on schema ops to grafana;
-- Also of tables that are made anew, as every run does.
alter default privileges for role ops in schema ops grant select on tables to grafana;
SQL
