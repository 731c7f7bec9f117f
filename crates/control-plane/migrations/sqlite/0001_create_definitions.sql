-- Definitions: one row for each workflow (kind 1), trigger (kind 2) and job (kind 3).
-- The body is a message of treenail.glue.v1; format says how it is encoded, so that later builds can tell.
CREATE TABLE definition (
    account    TEXT    NOT NULL,
    region     TEXT    NOT NULL,
    kind       INTEGER NOT NULL CHECK (kind IN (1, 2, 3)),
    name       TEXT    NOT NULL,
    uid        TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    invocation TEXT,
    workflow   TEXT,
    format     INTEGER NOT NULL,
    body       BLOB    NOT NULL,
    PRIMARY KEY (account, region, kind, name)
) STRICT;

-- Finds the triggers of a workflow, by name.
CREATE INDEX definition_by_workflow ON definition (account, region, workflow, name) WHERE workflow IS NOT NULL;

CREATE TABLE tag (
    account TEXT    NOT NULL,
    region  TEXT    NOT NULL,
    kind    INTEGER NOT NULL,
    name    TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    value   TEXT    NOT NULL,
    PRIMARY KEY (account, region, kind, name, key),
    FOREIGN KEY (account, region, kind, name) REFERENCES definition ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Finds what has a tag, by name.
CREATE INDEX tag_by_value ON tag (account, region, kind, key, value, name);

-- Which trigger's actions start which job.
CREATE TABLE started_job (
    account TEXT    NOT NULL,
    region  TEXT    NOT NULL,
    job     TEXT    NOT NULL,
    kind    INTEGER NOT NULL CHECK (kind = 2),
    name    TEXT    NOT NULL,
    PRIMARY KEY (account, region, job, name),
    FOREIGN KEY (account, region, kind, name) REFERENCES definition ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX started_job_by_trigger ON started_job (account, region, kind, name);

-- Plans that the run-scheduler has not acknowledged yet, in the order in which they were made.
-- AUTOINCREMENT: a sequence is never used twice, also not after its row is gone.
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    format   INTEGER NOT NULL,
    plan     BLOB    NOT NULL
) STRICT;
