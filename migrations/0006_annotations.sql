-- Definitions carry annotations, servers a name across registries, and visibility `maintainers` is called
-- `private` now. The log has it all: `catalog` is emptied and fills itself again from its beginning.
-- A process of the previous release cannot read the new events: stop its projectors before migrating.

DO $$
DECLARE
    target record;
BEGIN
    FOR target IN SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'catalog' LOOP
        EXECUTE format('TRUNCATE %I.%I', target.schemaname, target.tablename);
    END LOOP;
END
$$;
DELETE FROM metamcp.checkpoints WHERE projector = 'catalog';
DELETE FROM metamcp.dead_letters WHERE projector = 'catalog';

ALTER TABLE catalog.tools ADD COLUMN annotations jsonb;
ALTER TABLE catalog.tools_past ADD COLUMN annotations jsonb;
ALTER TABLE catalog.tool_versions ADD COLUMN annotations jsonb;
ALTER TABLE catalog.servers ADD COLUMN registry_name text;
ALTER TABLE catalog.servers_past ADD COLUMN registry_name text;
CREATE INDEX ON catalog.servers (tenant, registry_name) WHERE registry_name IS NOT NULL;
