-- What the audit log lacks: commits of the connection's tenant between two positions that the archive has set aside, of
-- all objects, of those of a kind, or of one. Their positions, and nothing of what they hold.
CREATE FUNCTION metamcp.parked_in_archive_between(behind bigint, before bigint, of_aggregate text, of_id text, most int)
RETURNS TABLE (stream_sequence bigint, parked_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT letters.stream_sequence, letters.parked_at FROM metamcp.dead_letters AS letters
    WHERE letters.projector = 'archive' AND letters.stream_sequence > behind AND letters.stream_sequence < before
      -- A subject ends with tenant, aggregate and id, none of which holds a dot.
      AND split_part(letters.subject, '.', -3) = nullif(current_setting('metamcp.tenant', true), '')
      AND (of_aggregate IS NULL OR split_part(letters.subject, '.', -2) = of_aggregate)
      AND (of_id IS NULL OR split_part(letters.subject, '.', -1) = of_id)
    ORDER BY letters.stream_sequence LIMIT most
$$;
REVOKE EXECUTE ON FUNCTION metamcp.parked_in_archive_between(bigint, bigint, text, text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION metamcp.parked_in_archive_between(bigint, bigint, text, text, int) TO metamcp_query;
