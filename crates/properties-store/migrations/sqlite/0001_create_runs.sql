-- The runs that were given properties. A run without any has a row here and none in `properties`.
CREATE TABLE runs (
    id       INTEGER PRIMARY KEY,
    account  TEXT NOT NULL,
    region   TEXT NOT NULL,
    run_id   TEXT NOT NULL,
    workflow TEXT NOT NULL,
    UNIQUE (account, region, run_id)
) STRICT;

CREATE TABLE properties (
    run   INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key   TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;
