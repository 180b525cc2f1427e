-- expand
-- What the table means stands in SQLite's step.
CREATE TABLE erasure (
    message TEXT COLLATE "C" PRIMARY KEY,
    at      BIGINT NOT NULL
);
CREATE INDEX erasure_at ON erasure (at);
