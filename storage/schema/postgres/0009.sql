-- expand
-- What the tables mean stands in SQLite's step.
CREATE TABLE api_key (
    id         TEXT COLLATE "C" PRIMARY KEY,
    account    TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    scopes     TEXT COLLATE "C" NOT NULL,
    hash       BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    replaces   TEXT COLLATE "C" NOT NULL
);
CREATE INDEX api_key_account ON api_key (account, id);

CREATE TABLE api_session (
    hash       BYTEA PRIMARY KEY,
    api_key    TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX api_session_key ON api_session (api_key);
CREATE INDEX api_session_expires ON api_session (expires_at);

CREATE TABLE audit (
    id      TEXT COLLATE "C" PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    at      BIGINT NOT NULL,
    actor   TEXT COLLATE "C" NOT NULL,
    name    TEXT COLLATE "C" NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    action  TEXT COLLATE "C" NOT NULL,
    object  TEXT COLLATE "C" NOT NULL,
    was     TEXT COLLATE "C" NOT NULL,
    became  TEXT COLLATE "C" NOT NULL
);
CREATE INDEX audit_account ON audit (account, id);

CREATE TABLE setting (
    id         TEXT COLLATE "C" PRIMARY KEY,
    kind       TEXT COLLATE "C" NOT NULL,
    account    TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    position   BIGINT NOT NULL,
    revision   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    key        BYTEA NOT NULL,
    body       BYTEA NOT NULL
);
CREATE UNIQUE INDEX setting_name ON setting (kind, account, name);

CREATE TABLE configuration (
    one      BIGINT PRIMARY KEY CHECK (one = 1),
    revision BIGINT NOT NULL
);
INSERT INTO configuration (one, revision) VALUES (1, 0);

CREATE TABLE idempotency (
    id         BYTEA PRIMARY KEY,
    request    BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    status     BIGINT NOT NULL,
    header     TEXT COLLATE "C" NOT NULL,
    key        BYTEA NOT NULL,
    body       BYTEA NOT NULL
);
CREATE INDEX idempotency_created ON idempotency (created_at);
