-- Where an endpoint wants an event of its own for each recipient: the number of the recipient in the envelope, counted from 1. 0: the
-- event is for all of them.
ALTER TABLE delivery ADD COLUMN part INTEGER NOT NULL DEFAULT 0;
ALTER TABLE delivery_result ADD COLUMN part INTEGER NOT NULL DEFAULT 0;
