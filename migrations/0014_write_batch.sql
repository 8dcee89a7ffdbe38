-- What a live projector does for a batch, in one call and so in one transaction of one round trip: it moves the
-- checkpoint from where the caller expects it, which takes its lock and fences a deposed caller off, and
-- writes the rows by a statement that the caller's connection has prepared.
--
-- `documents` are the statement's parameters, JSON arrays of rows, made from what the caller has read before
-- it held the lock. That is sound as long as the model is the one that it has read: `model_oid` is its schema,
-- which a rebuild replaces by another one of the same name.
CREATE FUNCTION metamcp.write_batch(
    runs text, expected bigint, expected_hash text, reached bigint, reached_hash text,
    model text, model_oid oid, prepared text, documents text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE metamcp.checkpoints
    SET stream_sequence = reached, commit_hash = reached_hash, updated_at = now()
    WHERE projector = runs AND stream_sequence = expected AND commit_hash IS NOT DISTINCT FROM expected_hash;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the checkpoint of % is not at %', runs, expected USING ERRCODE = 'MM001';
    END IF;
    PERFORM FROM pg_catalog.pg_namespace WHERE nspname = model AND oid = model_oid;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the read model % was replaced', model USING ERRCODE = 'MM002';
    END IF;
    EXECUTE format('EXECUTE %I(%s)', prepared, (
        SELECT string_agg(quote_nullable(document), ', ' ORDER BY place)
        FROM unnest(documents) WITH ORDINALITY AS given (document, place)
    ));
END
$$;
