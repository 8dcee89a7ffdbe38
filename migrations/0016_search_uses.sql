-- search: how much a tool is used, as the rows of the index say it. 1 is one session, 2 is two or three, 3 is
-- four to seven, and so on: the bits of the count, so that a row is written anew only when its use has doubled.
CREATE TABLE search.uses (
    tool_id text NOT NULL,
    tenant  text NOT NULL,
    bucket  smallint NOT NULL CHECK (bucket > 0),
    PRIMARY KEY (tool_id, tenant)
);
SELECT metamcp.protect('search.uses'::regclass);

-- The tools that reviews are of, and those whose use has doubled, are found by their ids alone.
CREATE INDEX ON catalog.tools (tool_id);
