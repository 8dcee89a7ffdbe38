-- What the catalogue's past lacks: commits of the connection's tenant, up to a position, that the catalogue has set
-- aside, of all objects, or of those named as a subject ends (`tool.<id>`). Their positions, and nothing of what they
-- hold.
CREATE FUNCTION metamcp.parked_in_catalog(until bigint, of_objects text[], most int)
RETURNS TABLE (stream_sequence bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT letters.stream_sequence FROM metamcp.dead_letters AS letters
    WHERE letters.projector = 'catalog' AND letters.stream_sequence <= until
      -- A subject ends with tenant, aggregate and id, none of which holds a dot.
      AND split_part(letters.subject, '.', -3) = nullif(current_setting('metamcp.tenant', true), '')
      AND (of_objects IS NULL
           OR split_part(letters.subject, '.', -2) || '.' || split_part(letters.subject, '.', -1) = ANY (of_objects))
    ORDER BY letters.stream_sequence LIMIT most
$$;
REVOKE EXECUTE ON FUNCTION metamcp.parked_in_catalog(bigint, text[], int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION metamcp.parked_in_catalog(bigint, text[], int) TO metamcp_query;
