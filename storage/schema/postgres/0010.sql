-- expand
-- What the tables mean stands in SQLite's step.
CREATE TABLE tally (
    span     BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    account  TEXT COLLATE "C" NOT NULL,
    endpoint TEXT COLLATE "C" NOT NULL,
    name     TEXT COLLATE "C" NOT NULL,
    n        BIGINT NOT NULL,
    PRIMARY KEY (span, at, account, endpoint, name)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE refusal (
    id        TEXT COLLATE "C" PRIMARY KEY,
    account   TEXT COLLATE "C" NOT NULL,
    sender    TEXT COLLATE "C" NOT NULL,
    recipient TEXT COLLATE "C" NOT NULL,
    remote    TEXT COLLATE "C" NOT NULL,
    reason    TEXT COLLATE "C" NOT NULL,
    code      BIGINT NOT NULL,
    detail    TEXT COLLATE "C" NOT NULL
);
CREATE INDEX refusal_account ON refusal (account, id);
