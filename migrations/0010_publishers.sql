-- publishers: the namespaces that tenants have claimed, and for whom each counts.

CREATE SCHEMA publishers;
GRANT USAGE ON SCHEMA publishers TO metamcp_query;

-- `verified_from` is the position of the commit since which the namespace is verified without a break;
-- none while it is not. Of all tenants that have verified one namespace, the one that was first in the log
-- holds it; the others are shown as contested.
CREATE TABLE publishers.namespaces (
    tenant        text NOT NULL,
    publisher_id  text NOT NULL,
    namespace     text NOT NULL,
    nonce         text NOT NULL,
    status        text NOT NULL,
    verified_from bigint,
    holds         boolean NOT NULL DEFAULT false CHECK (verified_from IS NOT NULL OR NOT holds),
    method        text,
    algorithm     text,
    public_key    text,
    reason        text,
    claimed_at    timestamptz NOT NULL,
    verified_at   timestamptz,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant, publisher_id)
);
CREATE UNIQUE INDEX ON publishers.namespaces (tenant, namespace);
CREATE INDEX ON publishers.namespaces (namespace, verified_from);
CREATE UNIQUE INDEX ON publishers.namespaces (namespace) WHERE holds;

SELECT metamcp.protect('publishers.namespaces'::regclass);
