-- Foundation: the machinery of projections, and the first read models.
--
-- Every read model has a schema of its own, named like its projector, so that a rebuild can fill a copy
-- beside it and swap the two. Every table that holds tenants' rows is under row-level security from here
-- on: the API reads as role metamcp_query, which sees the rows of `metamcp.tenant` (a setting of the
-- connection) and nothing when it is not set. Projectors write as the owner of the tables.

CREATE SCHEMA metamcp;

-- Roles belong to the cluster, and several installations may share one.
DO $$
BEGIN
    CREATE ROLE metamcp_query NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;
GRANT metamcp_query TO CURRENT_USER;
GRANT USAGE ON SCHEMA metamcp TO metamcp_query;

-- Where each projector stands. commit_hash identifies the log: a log that says otherwise was replaced.
CREATE TABLE metamcp.checkpoints (
    projector       text PRIMARY KEY,
    stream_sequence bigint NOT NULL CHECK (stream_sequence >= 0),
    commit_hash     text,
    updated_at      timestamptz NOT NULL DEFAULT now()
);

-- Commits that a projector could not apply and passed over. For operators only.
CREATE TABLE metamcp.dead_letters (
    projector       text NOT NULL,
    stream_sequence bigint NOT NULL,
    subject         text NOT NULL,
    error           text NOT NULL,
    body            bytea NOT NULL,
    parked_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projector, stream_sequence)
);

-- Puts a table under the tenant rule and lets the API read it.
CREATE FUNCTION metamcp.protect(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format(
        'CREATE POLICY tenant_isolation ON %s FOR SELECT TO metamcp_query
         USING (tenant = current_setting(''metamcp.tenant'', true))', target);
    EXECUTE format('GRANT SELECT ON %s TO metamcp_query', target);
END
$$;

-- Makes an empty copy of a read model's schema, with the same tables, indexes and protection.
CREATE FUNCTION metamcp.clone_schema(live text, beside text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    source record;
BEGIN
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', beside);
    EXECUTE format('CREATE SCHEMA %I', beside);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO metamcp_query', beside);
    FOR source IN SELECT tablename FROM pg_tables WHERE schemaname = live ORDER BY tablename LOOP
        EXECUTE format('CREATE TABLE %I.%I (LIKE %I.%I INCLUDING ALL)',
                       beside, source.tablename, live, source.tablename);
        PERFORM metamcp.protect(format('%I.%I', beside, source.tablename)::regclass);
    END LOOP;
END
$$;

-- catalog: servers, tools and their versions.
CREATE SCHEMA catalog;
GRANT USAGE ON SCHEMA catalog TO metamcp_query;

CREATE TABLE catalog.servers (
    tenant         text NOT NULL,
    server_id      text NOT NULL,
    slug           text NOT NULL,
    name           text NOT NULL,
    description    text NOT NULL,
    homepage       text,
    license        text,
    transport      text,
    category       text,
    tags           text[] NOT NULL,
    status         text NOT NULL,
    retired_reason text,
    registered_at  timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant, server_id)
);
CREATE UNIQUE INDEX ON catalog.servers (tenant, slug);
CREATE INDEX ON catalog.servers (tenant, name, server_id);

CREATE TABLE catalog.tools (
    tenant          text NOT NULL,
    tool_id         text NOT NULL,
    server_id       text NOT NULL,
    server          text NOT NULL,
    name            text NOT NULL,
    title           text,
    description     text NOT NULL,
    input_schema    jsonb,
    output_schema   jsonb,
    definition_hash text NOT NULL,
    tool_version    text NOT NULL,
    category        text,
    tags            text[] NOT NULL,
    visibility      text NOT NULL,
    status          text NOT NULL,
    retired_reason  text,
    registered_at   timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant, tool_id)
);
CREATE INDEX ON catalog.tools (tenant, server_id, name);
CREATE INDEX ON catalog.tools (tenant, name, tool_id);

CREATE TABLE catalog.tool_versions (
    tenant          text NOT NULL,
    tool_id         text NOT NULL,
    tool_version    text NOT NULL,
    description     text NOT NULL,
    input_schema    jsonb,
    output_schema   jsonb,
    definition_hash text NOT NULL,
    stream_sequence bigint NOT NULL,
    published_at    timestamptz NOT NULL,
    actor_kind      text NOT NULL,
    actor_id        text NOT NULL,
    PRIMARY KEY (tenant, tool_id, tool_version)
);

-- access: tenants, principals and their roles. What authentication reads.
CREATE SCHEMA access;
GRANT USAGE ON SCHEMA access TO metamcp_query;

CREATE TABLE access.tenants (
    tenant        text PRIMARY KEY,
    display_name  text NOT NULL,
    registered_at timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);

CREATE TABLE access.principals (
    tenant                text NOT NULL,
    principal_id          text NOT NULL,
    kind                  text NOT NULL,
    handle                text NOT NULL,
    roles                 text[] NOT NULL,
    active                boolean NOT NULL,
    tokens_revoked_before timestamptz,
    registered_at         timestamptz NOT NULL,
    updated_at            timestamptz NOT NULL,
    PRIMARY KEY (tenant, principal_id)
);
CREATE UNIQUE INDEX ON access.principals (tenant, handle);

-- archive: the log in SQL, in the table that postgres-es reads, with the tenant and the event's place in
-- its commit beside its columns. `sequence` is the commit's aggregate_sequence.
CREATE SCHEMA archive;
GRANT USAGE ON SCHEMA archive TO metamcp_query;

CREATE TABLE archive.events (
    tenant          text NOT NULL,
    aggregate_type  text NOT NULL,
    aggregate_id    text NOT NULL,
    sequence        bigint NOT NULL CHECK (sequence >= 1),
    event_index     int NOT NULL,
    event_type      text NOT NULL,
    event_version   text NOT NULL,
    payload         json NOT NULL,
    metadata        json NOT NULL,
    stream_sequence bigint NOT NULL,
    recorded_at     timestamptz NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence, event_index)
);
CREATE INDEX ON archive.events (tenant, stream_sequence);

-- search keeps its rows in LanceDB; this says which table of the index is the live one.
CREATE SCHEMA search;
CREATE TABLE search.index_table (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    table_name text NOT NULL
);
INSERT INTO search.index_table (table_name) VALUES ('tools');
GRANT USAGE ON SCHEMA search TO metamcp_query;
GRANT SELECT ON search.index_table TO metamcp_query;

SELECT metamcp.protect(target::regclass) FROM unnest(ARRAY[
    'catalog.servers', 'catalog.tools', 'catalog.tool_versions',
    'access.tenants', 'access.principals',
    'archive.events'
]) AS target;
