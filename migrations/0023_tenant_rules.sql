-- What a tenant says of versions whose sunset has come, each rule from its position on; null: as the
-- installation does.
CREATE TABLE access.sunset_rules (
    tenant       text NOT NULL,
    valid_from   bigint NOT NULL,
    after_sunset text,
    PRIMARY KEY (tenant, valid_from)
);
SELECT metamcp.protect('access.sunset_rules');
-- The copy of an interrupted rebuild would lack the table.
DROP SCHEMA IF EXISTS access_rebuild CASCADE;
