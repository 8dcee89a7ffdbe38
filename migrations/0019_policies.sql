-- The policies that the processes of this installation have judged by, each from its position on. They are the
-- installation's and no tenant's, so no tenant's connection sees them: `tenant` is `_installation`.
CREATE TABLE access.policies (
    tenant          text NOT NULL,
    stream_sequence bigint NOT NULL,
    policy_version  text NOT NULL,
    rules           text NOT NULL,
    adopted_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant, stream_sequence)
);
SELECT metamcp.protect('access.policies');
-- The copy of an interrupted rebuild would lack the table.
DROP SCHEMA IF EXISTS access_rebuild CASCADE;
