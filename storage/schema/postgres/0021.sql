-- expand
-- What they mean stands in the step for SQLite.

ALTER TABLE node ADD COLUMN place TEXT COLLATE "C" NOT NULL DEFAULT '';

CREATE TABLE member (
    id         TEXT COLLATE "C" PRIMARY KEY,
    place      TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    version    TEXT COLLATE "C" NOT NULL,
    roles      TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    epoch      BIGINT NOT NULL,
    alone      BIGINT NOT NULL,
    reasons    TEXT COLLATE "C" NOT NULL,
    warnings   TEXT COLLATE "C" NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
