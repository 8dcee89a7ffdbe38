-- Travel in time: rows know the range of the log in which they held.
--
-- A row of a live table holds from position `valid_from` on. When a commit changes it, its image goes to
-- the table of the same name with `_past`, where it holds in [valid_from, valid_to).
--
-- What the rows of an older installation looked like before is in the log only, so both read models are
-- emptied here and fill themselves again from its beginning. Until `access` is back, requests are refused.
-- A process of the previous release cannot write these tables: stop its projectors before migrating.

DO $$
DECLARE
    target record;
BEGIN
    FOR target IN SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('access', 'catalog') LOOP
        EXECUTE format('TRUNCATE %I.%I', target.schemaname, target.tablename);
    END LOOP;
END
$$;
DELETE FROM metamcp.checkpoints WHERE projector IN ('access', 'catalog');
DELETE FROM metamcp.dead_letters WHERE projector IN ('access', 'catalog');

-- catalog. The indexes end in the range, so that a row that does not hold is passed over in the index.
ALTER TABLE catalog.servers ADD COLUMN valid_from bigint NOT NULL;
ALTER TABLE catalog.tools ADD COLUMN valid_from bigint NOT NULL;
CREATE INDEX ON catalog.servers (tenant, name, server_id, valid_from);
CREATE INDEX ON catalog.tools (tenant, name, tool_id, valid_from);
DROP INDEX catalog.servers_tenant_name_server_id_idx;
DROP INDEX catalog.tools_tenant_name_tool_id_idx;

CREATE TABLE catalog.servers_past (
    LIKE catalog.servers,
    valid_to bigint NOT NULL CHECK (valid_to > valid_from),
    PRIMARY KEY (tenant, server_id, valid_from)
);
CREATE INDEX ON catalog.servers_past (tenant, name, server_id, valid_from, valid_to);

CREATE TABLE catalog.tools_past (
    LIKE catalog.tools,
    valid_to bigint NOT NULL CHECK (valid_to > valid_from),
    PRIMARY KEY (tenant, tool_id, valid_from)
);
CREATE INDEX ON catalog.tools_past (tenant, server_id, name, valid_from, valid_to);
CREATE INDEX ON catalog.tools_past (tenant, name, tool_id, valid_from, valid_to);

-- Which position a time means: one row for each commit whose recorded_at is later than that of every
-- commit of the tenant before it, so both columns grow together.
CREATE TABLE catalog.moments (
    tenant          text NOT NULL,
    recorded_at     timestamptz NOT NULL,
    stream_sequence bigint NOT NULL,
    PRIMARY KEY (tenant, recorded_at)
);

-- access. What never changes of a principal stays in one place, so a past row has only the rest.
ALTER TABLE access.principals ADD COLUMN valid_from bigint NOT NULL;

CREATE TABLE access.principals_past (
    tenant                text NOT NULL,
    principal_id          text NOT NULL,
    roles                 text[] NOT NULL,
    active                boolean NOT NULL,
    tokens_revoked_before timestamptz,
    updated_at            timestamptz NOT NULL,
    valid_from            bigint NOT NULL,
    valid_to              bigint NOT NULL CHECK (valid_to > valid_from),
    PRIMARY KEY (tenant, principal_id, valid_from)
);

-- A role that a principal holds, or held in [valid_from, valid_to): by which event, and by whom.
CREATE TABLE access.grants (
    tenant          text NOT NULL,
    principal_id    text NOT NULL,
    role            text NOT NULL,
    valid_from      bigint NOT NULL,
    valid_to        bigint CHECK (valid_to >= valid_from),
    event_type      text NOT NULL,
    granted_at      timestamptz NOT NULL,
    actor_kind      text NOT NULL,
    actor_id        text NOT NULL,
    PRIMARY KEY (tenant, valid_from, principal_id, role)
);
CREATE UNIQUE INDEX ON access.grants (tenant, principal_id, role) WHERE valid_to IS NULL;

SELECT metamcp.protect(target::regclass) FROM unnest(ARRAY[
    'catalog.servers_past', 'catalog.tools_past', 'catalog.moments',
    'access.principals_past', 'access.grants'
]) AS target;
