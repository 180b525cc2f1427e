-- Triplets of greylisting. The key is a hash: nobody's address can be read from it.
CREATE TABLE greylist (
    key      BLOB PRIMARY KEY,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    passed   INTEGER NOT NULL
) WITHOUT ROWID;
