-- contract
-- Everything that the steps of SQLite up to 8 make, and what the tables mean stands there. Here is what is PostgreSQL's own.
--
-- Texts are compared octet by octet (COLLATE "C"), as on SQLite; ids sort by time so.
--
-- message, summary, delivery_result and attempt grow with the mail and are cut into a partition for each day, by the id of the message,
-- which begins with the time of its arrival. So a row is found by that id in one partition, and a day whose retention has ended is
-- dropped whole. There is no partition for the rest: one would keep others from being detached without a lock. The program makes the
-- days ahead.
--
-- delivery has unfinished work alone. Its rows go when they are done, so it is vacuumed after a number of rows, however large it is.

CREATE TABLE store (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    id  TEXT COLLATE "C" NOT NULL
);

-- Counts the transactions that are no mail and no attempt. Each of them begins with this row and so waits for the one before, on
-- whatever node; and whoever sees another number than its own knows that something was changed elsewhere.
CREATE TABLE change (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    n   BIGINT NOT NULL
) WITH (fillfactor = 10);
INSERT INTO change (one, n) VALUES (1, 0);

CREATE TABLE span (
    started_at BIGINT PRIMARY KEY,
    seen_at    BIGINT NOT NULL
);

CREATE TABLE account (
    id       TEXT COLLATE "C" PRIMARY KEY,
    name     TEXT COLLATE "C" NOT NULL UNIQUE,
    declared BIGINT NOT NULL
);

CREATE TABLE domain (
    name     TEXT COLLATE "C" PRIMARY KEY,
    account  TEXT COLLATE "C" NOT NULL REFERENCES account(id),
    declared BIGINT NOT NULL
);

CREATE TABLE endpoint (
    id       TEXT COLLATE "C" PRIMARY KEY,
    account  TEXT COLLATE "C" NOT NULL REFERENCES account(id),
    name     TEXT COLLATE "C" NOT NULL,
    declared BIGINT NOT NULL,
    UNIQUE (account, name)
);

CREATE TABLE route (
    id       TEXT COLLATE "C" PRIMARY KEY,
    domain   TEXT COLLATE "C" NOT NULL,
    match    TEXT COLLATE "C" NOT NULL,
    declared BIGINT NOT NULL,
    UNIQUE (domain, match)
);

CREATE TABLE pack (
    key        TEXT COLLATE "C" PRIMARY KEY,
    created_at BIGINT NOT NULL,
    live       BIGINT NOT NULL,
    doomed_at  BIGINT,
    gone       BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 50); -- the pack that grows is updated with every batch
CREATE INDEX pack_empty ON pack (gone, key) WHERE live = 0;

CREATE TABLE message (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account     TEXT COLLATE "C" NOT NULL,
    received_at BIGINT NOT NULL,
    size        BIGINT NOT NULL,
    sha256      BYTEA NOT NULL,
    envelope    TEXT COLLATE "C" NOT NULL, -- text and not json: it may hold U+0000, written as an escape
    pack        TEXT COLLATE "C" NOT NULL,
    "offset"    BIGINT NOT NULL,
    length      BIGINT NOT NULL,
    key         BYTEA NOT NULL,
    dedupe      BYTEA NOT NULL
) PARTITION BY RANGE (id);

CREATE TABLE dedupe (
    key        BYTEA PRIMARY KEY,
    message    TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE parsing (
    message TEXT COLLATE "C" PRIMARY KEY,
    count   BIGINT NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE summary (
    message     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    finished_at BIGINT,
    summary     TEXT COLLATE "C",
    attachments BIGINT NOT NULL
) PARTITION BY RANGE (message);
CREATE INDEX summary_attachments ON summary (finished_at) WHERE attachments = 1;
CREATE INDEX summary_going ON summary (message) WHERE attachments = 2;

CREATE TABLE delivery (
    message    TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    endpoint   TEXT COLLATE "C" NOT NULL,
    due_at     BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    replay     BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    spared     BIGINT NOT NULL DEFAULT 0,
    part       BIGINT NOT NULL DEFAULT 0,
    job        TEXT COLLATE "C" NOT NULL DEFAULT '',
    recipients TEXT COLLATE "C" NOT NULL DEFAULT '',
    unfiltered BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (message, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX delivery_lane ON delivery (endpoint, due_at, id);
CREATE INDEX delivery_job ON delivery (job, attempts) WHERE job <> '';

CREATE TABLE delivery_result (
    message     TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    endpoint    TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    reason      TEXT COLLATE "C" NOT NULL,
    attempts    BIGINT NOT NULL,
    replay      BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    replayed_by TEXT COLLATE "C",
    part        BIGINT NOT NULL DEFAULT 0,
    job         TEXT COLLATE "C" NOT NULL DEFAULT '',
    recipients  TEXT COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (message, id)
) PARTITION BY RANGE (message);
CREATE INDEX delivery_result_dead ON delivery_result (message, id) WHERE state = 'dead';
CREATE INDEX delivery_result_job ON delivery_result (job, state) WHERE job <> '';

CREATE TABLE attempt (
    message  TEXT COLLATE "C" NOT NULL,
    delivery TEXT COLLATE "C" NOT NULL,
    n        BIGINT NOT NULL,
    endpoint TEXT COLLATE "C" NOT NULL,
    at       BIGINT NOT NULL,
    duration BIGINT NOT NULL,
    outcome  TEXT COLLATE "C" NOT NULL,
    status   BIGINT NOT NULL,
    detail   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (message, delivery, n)
) PARTITION BY RANGE (message);

CREATE TABLE greylist (
    key      BYTEA PRIMARY KEY,
    first_at BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    passed   BIGINT NOT NULL
);

CREATE TABLE held (
    message    TEXT COLLATE "C" PRIMARY KEY,
    id         TEXT COLLATE "C" NOT NULL,
    endpoint   TEXT COLLATE "C" NOT NULL,
    part       BIGINT NOT NULL,
    state      TEXT COLLATE "C" NOT NULL,
    reason     TEXT COLLATE "C" NOT NULL,
    attempts   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX held_expires ON held (expires_at);

CREATE TABLE endpoint_life (
    endpoint      TEXT COLLATE "C" PRIMARY KEY,
    state         TEXT COLLATE "C" NOT NULL,
    reason        TEXT COLLATE "C" NOT NULL,
    since         BIGINT NOT NULL,
    rest_until    BIGINT NOT NULL,
    rest_reason   TEXT COLLATE "C" NOT NULL,
    probes        BIGINT NOT NULL,
    failing_since BIGINT NOT NULL,
    failed_at     BIGINT NOT NULL,
    warned        BIGINT NOT NULL,
    revision      BIGINT NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE endpoint_test (
    endpoint TEXT COLLATE "C" NOT NULL,
    id       TEXT COLLATE "C" NOT NULL,
    asked_at BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    duration BIGINT NOT NULL,
    outcome  TEXT COLLATE "C" NOT NULL,
    status   BIGINT NOT NULL,
    detail   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (endpoint, id)
);

CREATE TABLE endpoint_secret (
    endpoint   TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    kind       TEXT COLLATE "C" NOT NULL,
    sealed     BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    until      BIGINT NOT NULL,
    PRIMARY KEY (endpoint, id)
);

CREATE TABLE replay (
    id          TEXT COLLATE "C" PRIMARY KEY,
    spec        TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    created_at  BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    total       BIGINT NOT NULL,
    message     TEXT COLLATE "C" NOT NULL,
    delivery    TEXT COLLATE "C" NOT NULL,
    made        BIGINT NOT NULL,
    owed        BIGINT NOT NULL,
    gone        BIGINT NOT NULL
);
