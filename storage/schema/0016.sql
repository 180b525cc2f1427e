-- What is stored of each account, by the day of the messages' ids. Counted in the transactions that store and remove messages, so that it is
-- exact; the sum over all writers counts. Days are counted afresh now and then, see stock_day.
CREATE TABLE stock (
    account  TEXT NOT NULL,
    day      INTEGER NOT NULL,         -- its beginning, in milliseconds
    writer   INTEGER NOT NULL,         -- servers write rows of their own, so that none waits for another; 0: what is removed
    messages INTEGER NOT NULL,
    octets   INTEGER NOT NULL,         -- of the raw messages; those of erased ones do not count
    PRIMARY KEY (account, day, writer)
) WITHOUT ROWID;

-- When a day was counted last from the messages themselves: a program that does not know the table above may have written beside.
CREATE TABLE stock_day (
    day        INTEGER PRIMARY KEY,
    counted_at INTEGER NOT NULL
) WITHOUT ROWID;
