-- Versions of tools: aliases, yanked and deprecated versions, and restored servers.
--
-- What is said of a version after it was published stands in the row of its tool, so that the past of it is
-- kept as that of every other column is; the rows of versions never change.
--
-- Which tools went out of use with their server, and which version was current when, is in the log only: the
-- read model is emptied here and fills itself again from its beginning. A process of the previous release
-- cannot write these tables: stop its projectors before migrating.

DO $$
DECLARE
    target record;
BEGIN
    FOR target IN SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'catalog' LOOP
        EXECUTE format('TRUNCATE %I.%I', target.schemaname, target.tablename);
    END LOOP;
    FOR target IN SELECT unnest(ARRAY['catalog.tools', 'catalog.tools_past']) AS name LOOP
        EXECUTE format(
            'ALTER TABLE %s
                 ADD COLUMN aliases jsonb NOT NULL,
                 ADD COLUMN version_marks jsonb NOT NULL,
                 ADD COLUMN deprecation jsonb,
                 ADD COLUMN retired_with_server boolean NOT NULL', target.name);
    END LOOP;
END
$$;
DELETE FROM metamcp.checkpoints WHERE projector = 'catalog';
DELETE FROM metamcp.dead_letters WHERE projector = 'catalog';
-- The copy of an interrupted rebuild would lack these columns.
DROP SCHEMA IF EXISTS catalog_rebuild CASCADE;
