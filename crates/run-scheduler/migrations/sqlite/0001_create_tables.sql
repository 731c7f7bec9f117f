-- Everything that runs or ran. Ids begin with the time of their making, so rows that are written together lie together.

CREATE TABLE plan (
    scope TEXT NOT NULL,
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    uid TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    is_current INTEGER NOT NULL,
    is_deleted INTEGER NOT NULL,
    written_at_ms INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (uid, sequence)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX plan_by_name ON plan (scope, kind, name) WHERE is_current;

CREATE TABLE workflow_run (
    id TEXT NOT NULL PRIMARY KEY,
    scope TEXT NOT NULL,
    workflow_uid TEXT NOT NULL,
    plan_sequence INTEGER NOT NULL,
    started_at_ms INTEGER NOT NULL,
    is_open INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX workflow_run_by_workflow ON workflow_run (workflow_uid, started_at_ms, id);
CREATE INDEX workflow_run_open ON workflow_run (id) WHERE is_open;

CREATE TABLE job_run (
    id TEXT NOT NULL PRIMARY KEY,
    scope TEXT NOT NULL,
    job_uid TEXT,
    run_id TEXT,
    chain_id TEXT,
    started_at_ms INTEGER NOT NULL,
    is_open INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX job_run_by_job ON job_run (job_uid, started_at_ms, id) WHERE job_uid IS NOT NULL;
CREATE INDEX job_run_by_run ON job_run (run_id, started_at_ms, id) WHERE run_id IS NOT NULL;
CREATE INDEX job_run_by_chain ON job_run (chain_id) WHERE chain_id IS NOT NULL;
CREATE INDEX job_run_open ON job_run (id) WHERE is_open;

CREATE TABLE crawl (
    id TEXT NOT NULL PRIMARY KEY,
    scope TEXT NOT NULL,
    run_id TEXT,
    started_at_ms INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX crawl_by_run ON crawl (run_id, started_at_ms, id) WHERE run_id IS NOT NULL;

CREATE TABLE copies (
    run_id TEXT NOT NULL PRIMARY KEY,
    data BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE schedule (
    scope TEXT NOT NULL,
    workflow TEXT NOT NULL,
    trigger_name TEXT NOT NULL,
    next_at_ms INTEGER NOT NULL,
    PRIMARY KEY (scope, workflow, trigger_name)
) STRICT, WITHOUT ROWID;

CREATE TABLE batch (
    scope TEXT NOT NULL,
    workflow TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (scope, workflow)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    run_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (run_id, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE invocation (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    answer TEXT NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX invocation_by_expiry ON invocation (expires_at_ms);

CREATE TABLE bookmark (
    job_uid TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    previous_run_id TEXT NOT NULL,
    state TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE clock (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    now_ms INTEGER NOT NULL
) STRICT;
