-- What the instance key is known by: sealed with it and opened at each start, so that a server with another key does not begin.
CREATE TABLE instance_key (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    sealed BLOB NOT NULL               -- 32 octets that mean nothing, under the first of the keys that were given last
);
