-- expand
-- The index that finds messages by their words; what its tables mean stands in searchSchema. One node at a time writes it. Its pages
-- are at most 6 KB and stay in their rows.
CREATE TABLE search_state (
    one     BIGINT PRIMARY KEY CHECK (one = 1),
    next    BIGINT NOT NULL,
    reached TEXT COLLATE "C" NOT NULL,
    holder  TEXT COLLATE "C" NOT NULL,
    until   BIGINT NOT NULL
) WITH (fillfactor = 10);
INSERT INTO search_state (one, next, reached, holder, until) VALUES (1, 1, '', '', 0);

CREATE TABLE search_segment (
    n    BIGINT PRIMARY KEY,
    low  TEXT COLLATE "C" NOT NULL,
    high TEXT COLLATE "C" NOT NULL,
    docs BIGINT NOT NULL,
    live BIGINT NOT NULL
);

CREATE TABLE search_page (
    segment BIGINT NOT NULL,
    "key"   BIGINT NOT NULL,
    data    BYTEA NOT NULL,
    PRIMARY KEY (segment, "key")
);
ALTER TABLE search_page ALTER COLUMN data SET STORAGE PLAIN;

CREATE TABLE search_due (
    message TEXT COLLATE "C" PRIMARY KEY
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE INDEX delivery_result_rare ON delivery_result (message, id) WHERE state IN ('filtered', 'missed');
