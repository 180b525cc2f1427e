-- Keys of the HTTP API. The token is nowhere: hash is SHA-256 of its random part, which has 256 bits of it.
CREATE TABLE api_key (
    id         TEXT PRIMARY KEY,
    account    TEXT NOT NULL,           -- empty: the operator, who sees all accounts
    name       TEXT NOT NULL,
    scopes     TEXT NOT NULL,           -- separated by spaces
    hash       BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,        -- 0: never
    revoked_at INTEGER NOT NULL,        -- 0: it is not
    used_at    INTEGER NOT NULL,        -- to a few minutes; 0: never
    replaces   TEXT NOT NULL            -- id of the key that it was rotated from; empty: none
) WITHOUT ROWID;
CREATE INDEX api_key_account ON api_key (account, id);

-- Logins of browsers. Each stands for a key and ends with it.
CREATE TABLE api_session (
    hash       BLOB PRIMARY KEY,        -- SHA-256 of the cookie
    api_key    TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX api_session_key ON api_session (api_key);
CREATE INDEX api_session_expires ON api_session (expires_at);

-- Every change that somebody made by API, dashboard or command line.
CREATE TABLE audit (
    id      TEXT PRIMARY KEY,
    account TEXT NOT NULL,              -- that it concerns; empty: the whole installation
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL,              -- id of the key; empty: the command line
    name    TEXT NOT NULL,              -- of the key then
    address TEXT NOT NULL,              -- of the client; empty: not known
    action  TEXT NOT NULL,              -- endpoint.create and such
    object  TEXT NOT NULL,              -- id of what was changed
    was     TEXT NOT NULL,              -- JSON without secrets; empty: it was not there
    became  TEXT NOT NULL               -- likewise
) WITHOUT ROWID;
CREATE INDEX audit_account ON audit (account, id);

-- Accounts, domains, endpoints and routes that came by the API. What the operator's file declares is not here.
CREATE TABLE setting (
    id         TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,           -- account, domain, endpoint or route
    account    TEXT NOT NULL,           -- id; of an account its own
    name       TEXT NOT NULL,           -- of a route: its domain, a space and its match
    position   INTEGER NOT NULL,        -- order among its kind
    revision   INTEGER NOT NULL,        -- of the configuration that changed it last
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    key        BLOB NOT NULL,           -- that seals the body; wrapped with the instance key
    body       BLOB NOT NULL            -- sealed JSON
) WITHOUT ROWID;
CREATE UNIQUE INDEX setting_name ON setting (kind, account, name);

-- The revision is raised by each change of a setting: that is how every node hears of it.
CREATE TABLE configuration (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL
);
INSERT INTO configuration (one, revision) VALUES (1, 0);

-- Answers to requests with an Idempotency-Key, which the same request gets once more.
CREATE TABLE idempotency (
    id         BLOB PRIMARY KEY,        -- hash of the API key and the idempotency key
    request    BLOB NOT NULL,           -- hash of the request
    created_at INTEGER NOT NULL,
    status     INTEGER NOT NULL,        -- 0: the request still runs
    header     TEXT NOT NULL,           -- JSON
    key        BLOB NOT NULL,           -- that seals the body
    body       BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX idempotency_created ON idempotency (created_at);
