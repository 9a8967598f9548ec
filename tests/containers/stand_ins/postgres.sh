#!/bin/sh
# As much of the official image's entrypoint as the kit uses: a password, a folder of scripts for an empty volume.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    password=$(mktemp) && printf '%s' "$POSTGRES_PASSWORD" > "$password"
    initdb --username postgres --pwfile "$password" --auth-host scram-sha-256 --auth-local trust --encoding UTF8
    rm "$password"
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    pg_ctl --wait --options "-c listen_addresses='' -k /tmp" start
    for script in /docker-entrypoint-initdb.d/*.sh; do
        if [ -e "$script" ]; then PGHOST=/tmp sh "$script"; fi
    done
    pg_ctl --wait --mode fast stop
fi
exec postgres -c listen_addresses='*' -k /tmp
