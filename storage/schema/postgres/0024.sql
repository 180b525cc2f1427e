-- expand
-- Until when a process wants to hear what happens on the other nodes, for who reads its stream.
ALTER TABLE member ADD COLUMN follows_until BIGINT NOT NULL DEFAULT 0;

-- What nodes tell each other while somebody reads. A row has what happened on a node in a fraction of a second; it lives for seconds, and
-- nobody is promised that it is kept.
CREATE UNLOGGED TABLE told (
    node TEXT COLLATE "C" NOT NULL, -- that wrote it: the id of a member
    n    BIGINT NOT NULL,           -- how much had happened there, counted while it was wanted, at the end of the row
    at   BIGINT NOT NULL,
    body TEXT COLLATE "C" NOT NULL, -- JSON
    PRIMARY KEY (node, n)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
    toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 2000);
