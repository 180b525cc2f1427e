-- expand
-- What the tables mean stands in SQLite's step.
CREATE TABLE stock (
    account  TEXT COLLATE "C" NOT NULL,
    day      BIGINT NOT NULL,
    writer   BIGINT NOT NULL,
    messages BIGINT NOT NULL,
    octets   BIGINT NOT NULL,
    PRIMARY KEY (account, day, writer)
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE stock_day (
    day        BIGINT PRIMARY KEY,
    counted_at BIGINT NOT NULL
);
