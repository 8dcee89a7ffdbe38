-- Of the public reviews that one tenant's members wrote about one tool, a few count and all are shown.
--
-- Which ones follows from the rows, but the projector's code decides it: `reviews` is emptied here and fills itself
-- again from the beginning of the log. A process of the previous release would count all of them: stop its projectors
-- before migrating. Where a tenant has more of them about a tool than count, the search index learns the tool's new
-- sums with its next review; `metamcp rebuild search --force` teaches it all at once (it differs, hence the force).

DO $$
DECLARE
    target record;
BEGIN
    FOR target IN SELECT tablename FROM pg_tables WHERE schemaname = 'reviews' LOOP
        EXECUTE format('TRUNCATE reviews.%I', target.tablename);
    END LOOP;
END
$$;
DELETE FROM metamcp.checkpoints WHERE projector = 'reviews';
DELETE FROM metamcp.dead_letters WHERE projector = 'reviews';
-- The copy of an interrupted rebuild would lack the column.
DROP SCHEMA IF EXISTS reviews_rebuild CASCADE;

ALTER TABLE reviews.public_reviews ADD COLUMN counts boolean NOT NULL DEFAULT false;
CREATE INDEX ON reviews.public_reviews (tenant, tool_id);
CREATE INDEX ON reviews.public_reviews (tool_id) WHERE counts;
