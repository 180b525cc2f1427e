-- expand
-- What it means stands in the step for SQLite.

CREATE TABLE instance_key (
    one    BIGINT PRIMARY KEY CHECK (one = 1),
    sealed BYTEA NOT NULL
);
