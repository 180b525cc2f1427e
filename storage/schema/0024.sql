-- Until when a process wants to hear what happens on the other nodes, for who reads its stream. Only nodes on PostgreSQL have others; there
-- the step has a table too, in which they tell it.
ALTER TABLE member ADD COLUMN follows_until INTEGER NOT NULL DEFAULT 0;
