-- manifests: what servers publish, one row for each version, in the form of the official MCP registry
-- (server.json). A server that has published nothing has a row made from its profile.

CREATE SCHEMA manifests;
GRANT USAGE ON SCHEMA manifests TO metamcp_query;

CREATE TABLE manifests.versions (
    tenant             text NOT NULL,
    server_id          text NOT NULL,
    server_version     text NOT NULL,
    slug               text NOT NULL,
    name               text NOT NULL,
    manifest           jsonb NOT NULL,
    from_profile       boolean NOT NULL,
    status             text NOT NULL,
    status_message     text,
    status_changed_at  timestamptz NOT NULL,
    published_at       timestamptz NOT NULL,
    published_sequence bigint NOT NULL,
    updated_at         timestamptz NOT NULL,
    is_latest          boolean NOT NULL,
    -- Where a mirror stood when it wrote the row last, and the position of that commit.
    mirrored           jsonb,
    mirrored_sequence  bigint,
    -- Status and message before the server was retired.
    retired_from       jsonb,
    PRIMARY KEY (tenant, server_id, server_version)
);
CREATE INDEX ON manifests.versions (tenant, name, server_version, server_id);
CREATE INDEX ON manifests.versions (tenant, updated_at);
CREATE INDEX ON manifests.versions (tenant, mirrored_sequence) WHERE mirrored_sequence IS NOT NULL;

SELECT metamcp.protect('manifests.versions');
