-- expand
-- What the tables mean stands in the step for SQLite.

CREATE TABLE node_epoch (
    one  BIGINT PRIMARY KEY CHECK (one = 1),
    last BIGINT NOT NULL
);
INSERT INTO node_epoch (one, last) VALUES (1, 0);

CREATE TABLE node (
    epoch       BIGINT PRIMARY KEY,
    name        TEXT COLLATE "C" NOT NULL,
    started_at  BIGINT NOT NULL,
    lease_until BIGINT NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

CREATE TABLE lane (
    name     TEXT COLLATE "C" PRIMARY KEY,
    owner    BIGINT NOT NULL,
    woken_at BIGINT NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX lane_woken ON lane (owner, woken_at) WHERE woken_at > 0;
CREATE INDEX lane_owner ON lane (owner);
