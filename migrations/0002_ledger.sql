-- ledger: the Merkle tree over all commits of the log, and the signed tree heads.
--
-- The tree is over every tenant's commits, so its rows have no tenant: they are hashes of bodies that
-- carry random ids, and tell nobody what was hashed. They may be read under any tenant, because a proof for
-- one commit consists of the hashes beside it.

-- As in 0001, with one difference: a table without a tenant has no rule to be put under.
CREATE OR REPLACE FUNCTION metamcp.clone_schema(live text, beside text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    source record;
    target regclass;
BEGIN
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', beside);
    EXECUTE format('CREATE SCHEMA %I', beside);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO metamcp_query', beside);
    FOR source IN SELECT tablename FROM pg_tables WHERE schemaname = live ORDER BY tablename LOOP
        EXECUTE format('CREATE TABLE %I.%I (LIKE %I.%I INCLUDING ALL)',
                       beside, source.tablename, live, source.tablename);
        target := format('%I.%I', beside, source.tablename)::regclass;
        IF EXISTS (SELECT FROM pg_attribute
                   WHERE attrelid = target AND attname = 'tenant' AND NOT attisdropped) THEN
            PERFORM metamcp.protect(target);
        ELSE
            EXECUTE format('GRANT SELECT ON %s TO metamcp_query', target);
        END IF;
    END LOOP;
END
$$;

CREATE SCHEMA ledger;
GRANT USAGE ON SCHEMA ledger TO metamcp_query;

-- Every complete subtree: 2^level leaves from leaf number * 2^level on. Level 0 has the leaves; leaf n is
-- the commit at stream_sequence n + 1. Rows are added and never changed.
CREATE TABLE ledger.nodes (
    level  smallint NOT NULL CHECK (level >= 0),
    number bigint NOT NULL CHECK (number >= 0),
    hash   bytea NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (level, number)
);
GRANT SELECT ON ledger.nodes TO metamcp_query;

-- A copy of the stream of signed tree heads, so that heads survive the loss of NATS as the archive lets
-- commits survive it. Not part of a read model: a rebuild leaves it alone.
CREATE TABLE metamcp.tree_heads (
    sequence bigint PRIMARY KEY CHECK (sequence >= 1),
    size     bigint NOT NULL CHECK (size >= 1),
    note     text NOT NULL,
    kept_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON metamcp.tree_heads (size, sequence);
GRANT SELECT ON metamcp.tree_heads TO metamcp_query;
