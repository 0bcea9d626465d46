#!/bin/sh
# Runs once, when PostgreSQL's volume is new: the three roles, and the owner database.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$HAZINA_DATABASE_PASSWORD" --username "$POSTGRES_USER" <<'SQL'
CREATE ROLE hazina_owner LOGIN PASSWORD :'password';
CREATE ROLE hazina_tenant LOGIN PASSWORD :'password';
CREATE ROLE hazina_migrator LOGIN CREATEDB PASSWORD :'password';
ALTER ROLE hazina_owner SET statement_timeout = '5s';
ALTER ROLE hazina_owner SET idle_in_transaction_session_timeout = '15s';
ALTER ROLE hazina_owner SET jit = off;
ALTER ROLE hazina_tenant SET statement_timeout = '5s';
ALTER ROLE hazina_tenant SET idle_in_transaction_session_timeout = '15s';
ALTER ROLE hazina_tenant SET jit = off;
REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC;
CREATE DATABASE hazina_migrator OWNER hazina_migrator;
REVOKE CONNECT ON DATABASE hazina_migrator FROM PUBLIC;
SQL
