-- What happened in a minute and in an hour, counted for the operator's plots. Written once a second at most, whatever the mail.
CREATE TABLE tally (
    span     INTEGER NOT NULL,          -- milliseconds: a minute or an hour
    at       INTEGER NOT NULL,          -- its beginning
    account  TEXT NOT NULL,             -- empty: nobody's
    endpoint TEXT NOT NULL,             -- empty: it is about no endpoint
    name     TEXT NOT NULL,
    n        INTEGER NOT NULL,
    PRIMARY KEY (span, at, account, endpoint, name)
) WITHOUT ROWID;

-- The last refusals, a sample of them where many come. Nothing is promised of them: they are written when there is time.
CREATE TABLE refusal (
    id        TEXT PRIMARY KEY,
    account   TEXT NOT NULL,            -- whose recipient it was; empty: nobody's
    sender    TEXT NOT NULL,            -- reverse-path
    recipient TEXT NOT NULL,            -- the first forward-path
    remote    TEXT NOT NULL,            -- address of the client
    reason    TEXT NOT NULL,
    code      INTEGER NOT NULL,
    detail    TEXT NOT NULL             -- JSON
) WITHOUT ROWID;
CREATE INDEX refusal_account ON refusal (account, id);
