-- History and audit log: the archive is asked by actor, by type and by moment, newest or oldest first.
--
-- A plain column for the actor, because a condition on an expression over json cannot use an index under
-- row-level security: json operators are not leakproof. Each index ends with the place of the event, so
-- that a page costs the same at any depth; the first one has the moment too, so that a window of time is
-- found without reading the rows outside of it. The new column rewrites the archive once.
ALTER TABLE archive.events
    ADD COLUMN actor_id text GENERATED ALWAYS AS (metadata -> 'actor' ->> 'id') STORED;

CREATE INDEX ON archive.events (tenant, stream_sequence, event_index, recorded_at);
CREATE INDEX ON archive.events (tenant, actor_id, stream_sequence, event_index);
CREATE INDEX ON archive.events (tenant, event_type, stream_sequence, event_index);
CREATE INDEX ON archive.events (tenant, aggregate_type, stream_sequence, event_index);

-- The first of them serves whatever this one did.
DROP INDEX archive.events_tenant_stream_sequence_idx;
