-- Where the past of a subscription has a hole: the first commit of the connection's tenant behind a position, and up
-- to another, that the archive has set aside. Its position, and nothing of what it holds.
CREATE FUNCTION metamcp.first_parked_in_archive(behind bigint, until bigint)
RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT min(stream_sequence) FROM metamcp.dead_letters
    WHERE projector = 'archive' AND stream_sequence > behind AND stream_sequence <= until
      -- A subject ends with tenant, aggregate and id, none of which holds a dot.
      AND split_part(subject, '.', -3) = nullif(current_setting('metamcp.tenant', true), '')
$$;
REVOKE EXECUTE ON FUNCTION metamcp.first_parked_in_archive(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION metamcp.first_parked_in_archive(bigint, bigint) TO metamcp_query;
