-- History is append-only. Which table holds a task's row is its state; each row is named by the run and the event that opened the task,
-- and what cannot change about it is in that event. Times are milliseconds since the epoch.

CREATE TABLE service (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- What groups of operations changed since the tables below were last brought up to date, each as one row; see changes.py.
CREATE TABLE changes (number INTEGER PRIMARY KEY, change BLOB NOT NULL);

CREATE TABLE domains (
    name TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    description TEXT,
    retention TEXT NOT NULL,
    tags TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE types (
    domain TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    status TEXT NOT NULL,
    description TEXT,
    defaults TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    deprecated_at INTEGER,
    PRIMARY KEY (domain, kind, name, version)
) WITHOUT ROWID;

CREATE TABLE executions (
    run INTEGER PRIMARY KEY,
    domain TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    type_name TEXT NOT NULL,
    type_version TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    task_timeout TEXT NOT NULL,
    execution_timeout TEXT NOT NULL,
    child_policy TEXT NOT NULL,
    priority TEXT,
    lambda_role TEXT,
    tag_list TEXT NOT NULL,
    parent_run INTEGER,
    parent_workflow_id TEXT,
    parent_run_id TEXT,
    parent_initiated_id INTEGER,
    -- what changes while it runs
    task_list TEXT NOT NULL,
    sticky_list TEXT,
    sticky_wait TEXT,
    cancel_requested INTEGER NOT NULL,
    previous_started_id INTEGER NOT NULL,
    context_id INTEGER NOT NULL,
    -- what closing it changes
    due INTEGER,
    close_status TEXT,
    closed_at INTEGER
);
CREATE INDEX executions_by_id ON executions (domain, workflow_id, run_id);
CREATE INDEX executions_open ON executions (domain, opened_at) WHERE closed_at IS NULL;
CREATE INDEX executions_closed_by_opening ON executions (domain, opened_at) WHERE closed_at IS NOT NULL;
CREATE INDEX executions_closed ON executions (domain, closed_at) WHERE closed_at IS NOT NULL;

-- Appending to one end of one table costs a fraction of inserting into a page per run (measured); the index is small, and runs
-- that are active together stand together in it.
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    id INTEGER NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    attributes TEXT NOT NULL
);
CREATE UNIQUE INDEX events_of_run ON events (run, id);

CREATE TABLE waiting_decision_tasks (
    run INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    due INTEGER,
    available INTEGER NOT NULL,
    domain TEXT NOT NULL,
    task_list TEXT NOT NULL,
    priority INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    PRIMARY KEY (run, event_id)
) WITHOUT ROWID;

CREATE TABLE started_decision_tasks (
    run INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    due INTEGER,
    started_id INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    PRIMARY KEY (run, event_id)
) WITHOUT ROWID;

CREATE TABLE waiting_activity_tasks (
    run INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    due INTEGER,
    domain TEXT NOT NULL,
    task_list TEXT NOT NULL,
    priority INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    PRIMARY KEY (run, event_id)
) WITHOUT ROWID;

CREATE TABLE started_activity_tasks (
    run INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    due INTEGER,
    started_id INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL,
    details TEXT,
    cancel_requested_id INTEGER NOT NULL,
    PRIMARY KEY (run, event_id)
) WITHOUT ROWID;

CREATE TABLE timers (
    run INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    due INTEGER NOT NULL,
    PRIMARY KEY (run, event_id)
) WITHOUT ROWID;

CREATE TABLE lambda_tasks (
    run INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    due INTEGER,
    started_id INTEGER NOT NULL,
    PRIMARY KEY (run, event_id)
) WITHOUT ROWID;

CREATE TABLE children (
    run INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    child_run INTEGER NOT NULL,
    child_run_id TEXT NOT NULL,
    started_id INTEGER NOT NULL,
    PRIMARY KEY (run, event_id)
) WITHOUT ROWID;
