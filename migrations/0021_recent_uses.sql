-- usage: in how many sessions of the last 30 days a tool was used, so that what was popular once does not stay so.
ALTER TABLE usage.tools ADD COLUMN recent bigint NOT NULL DEFAULT 0;

-- The same by day (UTC): what has left the window is deleted here and taken off `recent`.
CREATE TABLE usage.days (
    tenant   text NOT NULL,
    tool_id  text NOT NULL,
    day      date NOT NULL,
    sessions bigint NOT NULL,
    PRIMARY KEY (tenant, tool_id, day)
);
CREATE INDEX ON usage.days (day);
SELECT metamcp.protect('usage.days'::regclass);

-- What was counted so far has no day. It counts as of today, and leaves the window with it.
INSERT INTO usage.days (tenant, tool_id, day, sessions)
SELECT tenant, tool_id, (now() AT TIME ZONE 'UTC')::date, sessions FROM usage.tools WHERE sessions > 0;
UPDATE usage.tools SET recent = sessions;
