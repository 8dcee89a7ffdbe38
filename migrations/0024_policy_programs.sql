-- Which release of the program put a policy on record; null: one that did not say.
ALTER TABLE access.policies ADD COLUMN program_version text;
-- The copy of an interrupted rebuild would lack the column.
DROP SCHEMA IF EXISTS access_rebuild CASCADE;
