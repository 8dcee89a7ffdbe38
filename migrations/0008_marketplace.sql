-- Marketplace: what tenants offer to all others, and who has installed it.

-- As in 0002, with one difference: a table of the copy is protected as the one that it copies, whatever its
-- policies are. An expression of a policy may name columns of its own table only: it is copied as a text.
CREATE OR REPLACE FUNCTION metamcp.clone_schema(live text, beside text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    source record;
    policy record;
BEGIN
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', beside);
    EXECUTE format('CREATE SCHEMA %I', beside);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO metamcp_query', beside);
    FOR source IN
        SELECT relname AS name, oid, relrowsecurity AS protected,
               has_table_privilege('metamcp_query', oid, 'SELECT') AS readable
        FROM pg_class WHERE relnamespace = live::regnamespace AND relkind IN ('r', 'p') ORDER BY relname
    LOOP
        EXECUTE format('CREATE TABLE %I.%I (LIKE %I.%I INCLUDING ALL)', beside, source.name, live, source.name);
        IF source.protected THEN
            EXECUTE format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY', beside, source.name);
        END IF;
        FOR policy IN
            SELECT polname AS name, pg_get_expr(polqual, polrelid) AS condition
            FROM pg_policy WHERE polrelid = source.oid
        LOOP
            EXECUTE format('CREATE POLICY %I ON %I.%I FOR SELECT TO metamcp_query USING (%s)',
                           policy.name, beside, source.name, policy.condition);
        END LOOP;
        IF source.readable THEN
            EXECUTE format('GRANT SELECT ON %I.%I TO metamcp_query', beside, source.name);
        END IF;
    END LOOP;
END
$$;

CREATE SCHEMA marketplace;
GRANT USAGE ON SCHEMA marketplace TO metamcp_query;

-- The names of servers, which listings show. For the projector only: row-level security without a policy.
CREATE TABLE marketplace.servers (
    tenant    text NOT NULL,
    server_id text NOT NULL,
    name      text NOT NULL,
    PRIMARY KEY (tenant, server_id)
);
ALTER TABLE marketplace.servers ENABLE ROW LEVEL SECURITY;

-- Every tool with what an offer says of it. Which of them are offered is decided event by event, so the
-- others are kept, too, and nobody can read them: the policy shows what is listed, to every tenant.
CREATE TABLE marketplace.listings (
    tenant         text NOT NULL,
    tool_id        text NOT NULL,
    server_id      text NOT NULL,
    server         text NOT NULL,
    server_name    text NOT NULL,
    name           text NOT NULL,
    title          text,
    category       text,
    tags           text[] NOT NULL,
    visibility     text NOT NULL,
    retired        boolean NOT NULL,
    server_retired boolean NOT NULL,
    tool_version   text NOT NULL,
    updated_at     timestamptz NOT NULL,
    listed         boolean NOT NULL
        GENERATED ALWAYS AS (visibility = 'public' AND NOT retired AND NOT server_retired) STORED,
    PRIMARY KEY (tenant, tool_id)
);
CREATE INDEX ON marketplace.listings (tenant, server_id);
CREATE INDEX ON marketplace.listings (name, tool_id) WHERE listed;
CREATE INDEX ON marketplace.listings (tool_id) WHERE listed;

-- The definitions of all published versions; `listed` is that of the tool. What is yanked is not shown.
CREATE TABLE marketplace.versions (
    tenant          text NOT NULL,
    tool_id         text NOT NULL,
    tool_version    text NOT NULL,
    description     text NOT NULL,
    input_schema    jsonb,
    output_schema   jsonb,
    annotations     jsonb,
    definition_hash text NOT NULL,
    published_at    timestamptz NOT NULL,
    listed          boolean NOT NULL,
    yanked          boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant, tool_id, tool_version)
);

DO $$
DECLARE
    target text;
BEGIN
    CREATE POLICY listed_for_all ON marketplace.listings FOR SELECT TO metamcp_query USING (listed);
    CREATE POLICY listed_for_all ON marketplace.versions FOR SELECT TO metamcp_query
        USING (listed AND NOT yanked);
    FOREACH target IN ARRAY ARRAY['marketplace.listings', 'marketplace.versions'] LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
        EXECUTE format('GRANT SELECT ON %s TO metamcp_query', target);
    END LOOP;
END
$$;

-- What a tenant has installed.
CREATE TABLE marketplace.installations (
    tenant          text NOT NULL,
    installation_id text NOT NULL,
    publisher       text NOT NULL,
    tool_id         text NOT NULL,
    server          text NOT NULL,
    name            text NOT NULL,
    version_range   text NOT NULL,
    installed_at    timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    actor_kind      text NOT NULL,
    actor_id        text NOT NULL,
    PRIMARY KEY (tenant, installation_id)
);

-- The same for the publisher, whose rows these are: which tenants depend on a tool, and nothing personal.
CREATE TABLE marketplace.dependents (
    tenant        text NOT NULL,
    tool_id       text NOT NULL,
    installer     text NOT NULL,
    version_range text NOT NULL,
    installed_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, tool_id, installer)
);

SELECT metamcp.protect(target::regclass) FROM unnest(ARRAY[
    'marketplace.installations', 'marketplace.dependents'
]) AS target;
