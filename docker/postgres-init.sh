#!/bin/sh
# Run once by the PostgreSQL image, on an empty volume: the role that MetaMCP uses owns its database
# but is no superuser, so that row-level security binds it. `metamcp up` creates the same.
psql --username "$POSTGRES_USER" --set ON_ERROR_STOP=1 --set password="$METAMCP_POSTGRES_PASSWORD" <<'SQL'
CREATE ROLE metamcp LOGIN CREATEDB CREATEROLE PASSWORD :'password';
CREATE DATABASE metamcp OWNER metamcp;
SQL
