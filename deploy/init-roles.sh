#!/bin/sh
# Runs once, when PostgreSQL's volume is new: the three roles, as server/embedded_roles.py makes them.
set -eu
psql -v ON_ERROR_STOP=1 -v owner="$HAZINA_OWNER_PASSWORD" -v tenant="$HAZINA_TENANT_PASSWORD" \
  -v migrator="$HAZINA_MIGRATOR_PASSWORD" --username "$POSTGRES_USER" <<'SQL'
CREATE ROLE hazina_owner LOGIN PASSWORD :'owner';
CREATE ROLE hazina_tenant LOGIN PASSWORD :'tenant';
CREATE ROLE hazina_migrator LOGIN CREATEDB PASSWORD :'migrator';
ALTER ROLE hazina_owner SET statement_timeout = '5s';
ALTER ROLE hazina_owner SET idle_in_transaction_session_timeout = '15s';
ALTER ROLE hazina_owner SET jit = off;
ALTER ROLE hazina_tenant SET statement_timeout = '5s';
ALTER ROLE hazina_tenant SET idle_in_transaction_session_timeout = '15s';
ALTER ROLE hazina_tenant SET jit = off;
ALTER ROLE hazina_migrator SET statement_timeout = '0';
ALTER ROLE hazina_migrator SET jit = off;
ALTER ROLE hazina_owner SET timezone = 'UTC';
ALTER ROLE hazina_tenant SET timezone = 'UTC';
ALTER ROLE hazina_migrator SET timezone = 'UTC';
-- DROP DATABASE ... WITH (FORCE) ends sessions that are not the migrator's own.
GRANT pg_signal_backend TO hazina_migrator;
CREATE DATABASE hazina_migrator OWNER hazina_migrator;
REVOKE ALL ON DATABASE postgres, template1, hazina_migrator FROM PUBLIC;
SQL
