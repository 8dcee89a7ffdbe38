-- Teams: whom a private tool is kept to, and who is in it. No event of an older release is about a team, so what
-- stands in the rows is right as it is.
-- A process of the previous release cannot read the new events: stop its projectors before migrating.

ALTER TABLE catalog.tools ADD COLUMN team text;
ALTER TABLE catalog.tools_past ADD COLUMN team text;
ALTER TABLE access.principals ADD COLUMN teams text[] NOT NULL DEFAULT '{}';
ALTER TABLE access.principals_past ADD COLUMN teams text[] NOT NULL DEFAULT '{}';
