-- Signing secrets of endpoints that were made here, beside those in the operator's file.
CREATE TABLE endpoint_secret (
    endpoint   TEXT NOT NULL,
    id         TEXT NOT NULL,
    kind       TEXT NOT NULL,           -- v1: HMAC-SHA256, v1a: ed25519
    sealed     BLOB NOT NULL,           -- 32 octets, wrapped with the instance key
    created_at INTEGER NOT NULL,
    until      INTEGER NOT NULL,        -- it does not sign from then on; 0: no end
    PRIMARY KEY (endpoint, id)
) WITHOUT ROWID;
