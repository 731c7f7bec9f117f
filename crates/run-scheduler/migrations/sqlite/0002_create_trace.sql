-- The trace that a run belongs to, from its start to its end, where it belongs to one: a workflow run's, or that of the
-- first attempt of a job run outside workflows.

CREATE TABLE trace (
    id TEXT NOT NULL PRIMARY KEY,
    scope TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    tracestate TEXT NOT NULL
) STRICT, WITHOUT ROWID;
