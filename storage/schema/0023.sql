-- That a pack is empty stands in a column of its own. The count of one that grows changes with every batch, and an index that looks at it
-- would get an entry each time.
ALTER TABLE pack ADD COLUMN emptied INTEGER NOT NULL DEFAULT 0;
UPDATE pack SET emptied = 1 WHERE live = 0;
DROP INDEX pack_empty;
CREATE INDEX pack_emptied ON pack (gone, key) WHERE emptied = 1;
