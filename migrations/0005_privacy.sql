-- Privacy: personal fields of principals, and the vault with the keys that they are sealed with.

ALTER TABLE access.principals
    ADD COLUMN display_name text,
    ADD COLUMN email        text,
    ADD COLUMN erased_at    timestamptz;
-- The copy of an interrupted rebuild would lack these columns.
DROP SCHEMA IF EXISTS access_rebuild CASCADE;

-- A store of its own, not a read model: it cannot be rebuilt from the log. Back it up separately, and
-- never together with the key-encryption keys. The row of a destroyed key stays, so that none is made
-- again. Row-level security without a policy, and no grant: the API's queries see nothing of it.
CREATE SCHEMA vault;
CREATE TABLE vault.data_keys (
    tenant       text NOT NULL,
    subject      text NOT NULL,
    kek_id       text,
    wrapped      bytea,
    created_at   timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    PRIMARY KEY (tenant, subject),
    CHECK ((wrapped IS NULL) = (kek_id IS NULL)),
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);
ALTER TABLE vault.data_keys ENABLE ROW LEVEL SECURITY;

-- An undo names its commit by id. A column, because an index over a json expression is of no use under
-- row-level security: json operators are not leakproof. It rewrites the archive once.
ALTER TABLE archive.events
    ADD COLUMN commit_id text GENERATED ALWAYS AS (metadata ->> 'commit_id') STORED;
CREATE INDEX ON archive.events (tenant, commit_id);
