-- usage: which tools agents use together, counted from the stream of usage, which is no part of the log.

CREATE SCHEMA usage;
GRANT USAGE ON SCHEMA usage TO metamcp_query;

-- How far the stream has been counted. Its lock is the fence: who holds it counts.
CREATE TABLE usage.position (
    only_row        boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    stream_sequence bigint NOT NULL CHECK (stream_sequence >= 0)
);
INSERT INTO usage.position (stream_sequence) VALUES (0);

-- The tools of sessions that may go on.
CREATE TABLE usage.sessions (
    tenant  text NOT NULL,
    session text NOT NULL,
    tool_id text NOT NULL,
    used_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, session, tool_id)
);
CREATE INDEX ON usage.sessions (used_at);

-- In how many sessions a tool was used, and how often another one came right behind it.
CREATE TABLE usage.tools (
    tenant   text NOT NULL,
    tool_id  text NOT NULL,
    sessions bigint NOT NULL,
    steps    bigint NOT NULL,
    PRIMARY KEY (tenant, tool_id)
);

-- In how many sessions both were used, and how often the other one came right behind.
CREATE TABLE usage.pairs (
    tenant   text NOT NULL,
    tool_id  text NOT NULL,
    other_id text NOT NULL,
    together bigint NOT NULL,
    next     bigint NOT NULL,
    PRIMARY KEY (tenant, tool_id, other_id)
);

SELECT metamcp.protect(target::regclass) FROM unnest(ARRAY[
    'usage.sessions', 'usage.tools', 'usage.pairs'
]) AS target;
