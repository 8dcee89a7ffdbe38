-- The taxonomy of categories, and reviews with their sums.

CREATE SCHEMA taxonomy;
GRANT USAGE ON SCHEMA taxonomy TO metamcp_query;

-- One row for each tenant that has a taxonomy: how many commits it has.
CREATE TABLE taxonomy.taxonomies (
    tenant     text PRIMARY KEY,
    version    bigint NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE taxonomy.categories (
    tenant      text NOT NULL,
    slug        text NOT NULL,
    title       text NOT NULL,
    description text NOT NULL,
    parent      text,
    status      text NOT NULL,
    successor   text,
    added_at    timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, slug)
);

CREATE SCHEMA reviews;
GRANT USAGE ON SCHEMA reviews TO metamcp_query;

-- The tenant is the author's. What is personal (author_id, text, appeal) is null once the author is erased.
CREATE TABLE reviews.reviews (
    tenant            text NOT NULL,
    review_id         text NOT NULL,
    tool_id           text NOT NULL,
    tool_version      text NOT NULL,
    author_id         text,
    rating            smallint NOT NULL CHECK (rating BETWEEN 1 AND 5),
    text              text,
    withdrawn         boolean NOT NULL,
    moderation        text NOT NULL,
    moderation_reason text,
    appeal            text,
    written_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    PRIMARY KEY (tenant, review_id)
);
CREATE INDEX ON reviews.reviews (tenant, tool_id, written_at, review_id);
CREATE INDEX ON reviews.reviews (tenant, author_id);

-- How many published, visible reviews of a version gave how many stars; a number of 0 has no row.
CREATE TABLE reviews.ratings (
    tenant       text NOT NULL,
    tool_id      text NOT NULL,
    tool_version text NOT NULL,
    rating       smallint NOT NULL,
    reviews      bigint NOT NULL,
    PRIMARY KEY (tenant, tool_id, tool_version, rating)
);

-- The same over all tools of a tenant: what the mean of the tenant is computed from.
CREATE TABLE reviews.totals (
    tenant  text NOT NULL,
    rating  smallint NOT NULL,
    reviews bigint NOT NULL,
    PRIMARY KEY (tenant, rating)
);

-- Who was erased: a text that an erased author's last request still wrote is not shown either.
CREATE TABLE reviews.erased (
    tenant       text NOT NULL,
    principal_id text NOT NULL,
    PRIMARY KEY (tenant, principal_id)
);

SELECT metamcp.protect(target::regclass) FROM unnest(ARRAY[
    'taxonomy.taxonomies', 'taxonomy.categories',
    'reviews.reviews', 'reviews.ratings', 'reviews.totals', 'reviews.erased'
]) AS target;
