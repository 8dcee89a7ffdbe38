-- Which commits of an object the archive has set aside: a history that lacks them says so. What is parked is
-- for operators; this shows the connection's tenant the positions of its own, and nothing of what they hold.
CREATE FUNCTION metamcp.parked_in_archive(of_aggregate text, of_ids text[])
RETURNS TABLE (aggregate_id text, stream_sequence bigint, parked_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT wanted.id, letters.stream_sequence, letters.parked_at
    FROM unnest(of_ids) AS wanted (id)
    -- A tenant's name holds no dot, so the end of a subject names one tenant's object and no other's.
    CROSS JOIN LATERAL (
        SELECT concat('.', nullif(current_setting('metamcp.tenant', true), ''), '.', of_aggregate, '.', wanted.id)
    ) AS object (tail)
    JOIN metamcp.dead_letters AS letters
      ON letters.projector = 'archive' AND right(letters.subject, length(object.tail)) = object.tail
$$;
REVOKE EXECUTE ON FUNCTION metamcp.parked_in_archive(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION metamcp.parked_in_archive(text, text[]) TO metamcp_query;
