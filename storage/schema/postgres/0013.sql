-- expand
-- What the tables mean stands in SQLite's step.
CREATE TABLE notice (
    id         TEXT COLLATE "C" PRIMARY KEY,
    at         BIGINT NOT NULL,
    text       TEXT COLLATE "C" NOT NULL,
    by_webhook BIGINT NOT NULL,
    by_mail    BIGINT NOT NULL
);

CREATE INDEX replay_open ON replay (id) WHERE finished_at = 0;
