-- What other tenants learn of a public tool beside its definitions: aliases, deprecations and yanked versions,
-- what the members of installing tenants think of it, and whether its publisher's namespace is proved.
--
-- What was said before is in the log only: `marketplace` and `reviews` are emptied here and fill themselves
-- again from its beginning. A process of the previous release cannot write these tables: stop its projectors
-- before migrating.

DO $$
DECLARE
    target record;
BEGIN
    FOR target IN SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('marketplace', 'reviews') LOOP
        EXECUTE format('TRUNCATE %I.%I', target.schemaname, target.tablename);
    END LOOP;
END
$$;
DELETE FROM metamcp.checkpoints WHERE projector IN ('marketplace', 'reviews');
DELETE FROM metamcp.dead_letters WHERE projector IN ('marketplace', 'reviews');
-- The copies of interrupted rebuilds would lack these columns.
DROP SCHEMA IF EXISTS marketplace_rebuild CASCADE;
DROP SCHEMA IF EXISTS reviews_rebuild CASCADE;
DROP SCHEMA IF EXISTS publishers_rebuild CASCADE;

ALTER TABLE marketplace.servers ADD COLUMN registry_name text;
ALTER TABLE marketplace.listings
    ADD COLUMN registry_name text,
    ADD COLUMN aliases jsonb NOT NULL,
    ADD COLUMN deprecation jsonb;
ALTER TABLE marketplace.versions
    ADD COLUMN yanked_reason text,
    ADD COLUMN deprecation jsonb;
-- A yanked version is history that stays readable, and what an exact pin still means.
DROP POLICY listed_for_all ON marketplace.versions;
CREATE POLICY listed_for_all ON marketplace.versions FOR SELECT TO metamcp_query USING (listed);

-- Which tools are offered, and by whom: for the projector only.
CREATE TABLE reviews.tools (
    tenant         text NOT NULL,
    tool_id        text NOT NULL,
    server_id      text NOT NULL,
    visibility     text NOT NULL,
    retired        boolean NOT NULL,
    server_retired boolean NOT NULL,
    listed         boolean NOT NULL
        GENERATED ALWAYS AS (visibility = 'public' AND NOT retired AND NOT server_retired) STORED,
    PRIMARY KEY (tenant, tool_id)
);
CREATE INDEX ON reviews.tools (tenant, server_id);
CREATE INDEX ON reviews.tools (tool_id);
ALTER TABLE reviews.tools ENABLE ROW LEVEL SECURITY;

-- The tenant that offers the tool; null for a tool of the author's own tenant.
ALTER TABLE reviews.reviews ADD COLUMN publisher text;

-- What everybody sees of a review by a member of an installing tenant, while it counts: a table of its own,
-- because what is not in the row cannot be shown. `tenant` is the author's. `listed` is that of the tool.
CREATE TABLE reviews.public_reviews (
    tenant       text NOT NULL,
    review_id    text NOT NULL,
    publisher    text NOT NULL,
    tool_id      text NOT NULL,
    tool_version text NOT NULL,
    rating       smallint NOT NULL,
    text         text,
    written_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    listed       boolean NOT NULL,
    PRIMARY KEY (tenant, review_id)
);
CREATE INDEX ON reviews.public_reviews (tool_id, written_at, review_id);

-- Their sums; `tenant` is that of the tool. `reviews.ratings` and `reviews.totals` are those of a tenant's
-- members over its own tools.
CREATE TABLE reviews.public_ratings (
    tenant       text NOT NULL,
    tool_id      text NOT NULL,
    tool_version text NOT NULL,
    rating       smallint NOT NULL,
    reviews      bigint NOT NULL,
    listed       boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant, tool_id, tool_version, rating)
);
CREATE INDEX ON reviews.public_ratings (tool_id);

-- The same over all tools that are offered now.
CREATE TABLE reviews.public_totals (
    rating  smallint PRIMARY KEY,
    reviews bigint NOT NULL
);
GRANT SELECT ON reviews.public_totals TO metamcp_query;

-- The namespaces that are proved, and whose they are: a mark is there to be seen by everybody.
CREATE TABLE publishers.marks (
    namespace   text PRIMARY KEY,
    tenant      text NOT NULL,
    method      text NOT NULL,
    verified_at timestamptz NOT NULL
);
INSERT INTO publishers.marks (namespace, tenant, method, verified_at)
SELECT namespace, tenant, method, verified_at FROM publishers.namespaces WHERE holds;

DO $$
DECLARE
    target text;
BEGIN
    CREATE POLICY listed_for_all ON reviews.public_reviews FOR SELECT TO metamcp_query USING (listed);
    CREATE POLICY listed_for_all ON reviews.public_ratings FOR SELECT TO metamcp_query USING (listed);
    CREATE POLICY marks_for_all ON publishers.marks FOR SELECT TO metamcp_query USING (true);
    FOREACH target IN ARRAY ARRAY['reviews.public_reviews', 'reviews.public_ratings', 'publishers.marks'] LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
        EXECUTE format('GRANT SELECT ON %s TO metamcp_query', target);
    END LOOP;
END
$$;
