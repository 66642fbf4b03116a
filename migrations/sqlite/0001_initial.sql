-- Times are integers: microseconds since 1970 UTC. JSON is text.

-- +goose Up
CREATE TABLE sources (
    id          TEXT PRIMARY KEY,
    url         TEXT NOT NULL DEFAULT '',
    branch      TEXT NOT NULL DEFAULT '',
    path        TEXT NOT NULL DEFAULT '',
    head        TEXT NOT NULL DEFAULT '',
    synced_at   INTEGER,
    last_error  TEXT NOT NULL DEFAULT '',
    error_since INTEGER
);

CREATE TABLE source_problems (
    source_id TEXT NOT NULL,
    path      TEXT NOT NULL,
    profile   TEXT NOT NULL DEFAULT '',
    commit_sha TEXT NOT NULL,
    message   TEXT NOT NULL,
    since     INTEGER NOT NULL,
    PRIMARY KEY (source_id, path)
);

CREATE TABLE config_profiles (
    name             TEXT PRIMARY KEY,
    description      TEXT NOT NULL DEFAULT '',
    service          TEXT NOT NULL,
    environment      TEXT NOT NULL,
    service_type     TEXT NOT NULL DEFAULT '',
    schema_id        TEXT NOT NULL DEFAULT '',
    target_labels    TEXT NOT NULL DEFAULT '{}',
    default_strategy TEXT NOT NULL,
    health           TEXT NOT NULL,
    windows          TEXT NOT NULL DEFAULT '{}',
    settings         TEXT NOT NULL DEFAULT '{}',
    origin           TEXT NOT NULL CHECK (origin IN ('Git', 'API')),
    source_id        TEXT NOT NULL DEFAULT '',
    path             TEXT NOT NULL DEFAULT '',
    dependencies     TEXT NOT NULL DEFAULT '[]',
    current_version  TEXT NOT NULL DEFAULT '',
    desired_version  TEXT NOT NULL DEFAULT '',
    generation       INTEGER NOT NULL DEFAULT 0,
    retired          INTEGER NOT NULL DEFAULT 0,
    version_count    INTEGER NOT NULL DEFAULT 0,
    deployment_count INTEGER NOT NULL DEFAULT 0,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    created_by       TEXT NOT NULL DEFAULT ''
);
CREATE INDEX config_profiles_source ON config_profiles (source_id);
CREATE INDEX config_profiles_service ON config_profiles (service, environment);
-- Watch streams ask every second whether any generation rose: this answers without the wide rows.
CREATE INDEX config_profiles_generations ON config_profiles (generation, name);

-- A version never changes, but for what is said about it.
CREATE TABLE config_versions (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    config_name  TEXT NOT NULL REFERENCES config_profiles (name),
    version      TEXT NOT NULL,
    config_data  TEXT NOT NULL,
    config_hash  TEXT NOT NULL,
    size_bytes   INTEGER NOT NULL,
    schema_id    TEXT NOT NULL DEFAULT '',
    schema_hash  TEXT NOT NULL DEFAULT '',
    validated_at INTEGER,
    description  TEXT NOT NULL DEFAULT '',
    tags         TEXT NOT NULL DEFAULT '[]',
    metadata     TEXT NOT NULL DEFAULT '{}',
    deprecation_reason TEXT NOT NULL DEFAULT '',
    source_id    TEXT NOT NULL DEFAULT '',
    commit_sha   TEXT NOT NULL DEFAULT '',
    author       TEXT NOT NULL DEFAULT '',
    message      TEXT NOT NULL DEFAULT '',
    pull_request INTEGER NOT NULL DEFAULT 0,
    superseded   INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    created_by   TEXT NOT NULL DEFAULT '',
    UNIQUE (config_name, version)
);
-- A commit can make the same content twice: a branch that is set back to it makes a new version of it. What keeps a
-- sync from being stored twice is that the source's head moves in the same transaction.
CREATE INDEX config_versions_commit ON config_versions (commit_sha) WHERE commit_sha <> '';
CREATE INDEX config_versions_newest ON config_versions (config_name, seq DESC);
CREATE INDEX config_versions_hash ON config_versions (config_name, config_hash);

-- +goose StatementBegin
CREATE TRIGGER config_versions_immutable BEFORE UPDATE OF config_name, version, config_data, config_hash, size_bytes,
    schema_id, schema_hash, validated_at, source_id, commit_sha, author, message, created_at ON config_versions
BEGIN
    SELECT RAISE(ABORT, 'a version never changes');
END;
-- +goose StatementEnd

CREATE TABLE config_deployments (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment_id  TEXT NOT NULL UNIQUE,
    config_name    TEXT NOT NULL REFERENCES config_profiles (name),
    config_version TEXT NOT NULL,
    config_hash    TEXT NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('Forward', 'Rollback', 'Retirement')),
    environment    TEXT NOT NULL,
    strategy       TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (status IN ('Pending', 'InProgress', 'Paused', 'Completed', 'Failed',
                       'RollingBack', 'RolledBack', 'Superseded', 'Cancelled')),
    commit_sha     TEXT NOT NULL DEFAULT '',
    targets        INTEGER NOT NULL DEFAULT 0,
    applied        INTEGER NOT NULL DEFAULT 0,
    body           TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    finished_at    INTEGER,
    revision       INTEGER NOT NULL,
    epoch          INTEGER NOT NULL DEFAULT 0,
    op_id          TEXT NOT NULL DEFAULT '',
    owner          TEXT NOT NULL DEFAULT '',
    lease_until    INTEGER,
    next_step_at   INTEGER,
    -- Something happened since the claim: the step under way has not seen it.
    woken          INTEGER NOT NULL DEFAULT 0 CHECK (woken IN (0, 1)),
    attempts       INTEGER NOT NULL DEFAULT 0,
    quarantined    TEXT NOT NULL DEFAULT '',
    FOREIGN KEY (config_name, config_version) REFERENCES config_versions (config_name, version),
    CHECK ((finished_at IS NOT NULL) = (status IN ('Completed', 'Failed', 'RolledBack', 'Superseded', 'Cancelled'))),
    CHECK (status <> 'Completed' OR kind = 'Retirement' OR applied >= targets)
);
CREATE UNIQUE INDEX config_deployments_active ON config_deployments (config_name) WHERE finished_at IS NULL;
CREATE INDEX config_deployments_newest ON config_deployments (config_name, seq DESC);
CREATE INDEX config_deployments_due ON config_deployments (next_step_at) WHERE finished_at IS NULL;
CREATE INDEX config_deployments_commit ON config_deployments (commit_sha) WHERE commit_sha <> '';
CREATE INDEX config_deployments_status ON config_deployments (status);

-- +goose StatementBegin
CREATE TRIGGER config_deployments_validated BEFORE INSERT ON config_deployments
WHEN NOT EXISTS (SELECT 1 FROM config_versions v
                  WHERE v.config_name = NEW.config_name AND v.version = NEW.config_version
                    AND v.config_hash = NEW.config_hash AND v.validated_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'a deployment needs a version that was validated');
END;
-- +goose StatementEnd

CREATE TABLE deployment_checks (
    deployment_id TEXT NOT NULL REFERENCES config_deployments (deployment_id),
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    at            INTEGER NOT NULL,
    phase         INTEGER NOT NULL,
    verdict       TEXT NOT NULL
);
CREATE INDEX deployment_checks_of ON deployment_checks (deployment_id, seq DESC);

CREATE TABLE config_holds (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    config_name     TEXT NOT NULL REFERENCES config_profiles (name),
    pinned_version  TEXT NOT NULL,
    refused_version TEXT NOT NULL,
    refused_hash    TEXT NOT NULL,
    reason          TEXT NOT NULL,
    actor           TEXT NOT NULL,
    deployment_id   TEXT NOT NULL DEFAULT '',
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER,
    released_at     INTEGER,
    released_by     TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX config_holds_active ON config_holds (config_name) WHERE released_at IS NULL;

CREATE TABLE service_instances (
    instance_id     TEXT PRIMARY KEY,
    service_name    TEXT NOT NULL,
    hostname        TEXT NOT NULL,
    port            INTEGER NOT NULL,
    environment     TEXT NOT NULL,
    service_version TEXT NOT NULL DEFAULT '',
    labels          TEXT NOT NULL DEFAULT '{}',
    metadata        TEXT NOT NULL DEFAULT '{}',
    status          TEXT NOT NULL DEFAULT 'Unknown',
    token_hash      BLOB NOT NULL UNIQUE,
    registered_at   INTEGER NOT NULL,
    last_heartbeat  INTEGER NOT NULL
);
CREATE INDEX service_instances_service ON service_instances (service_name, environment);

CREATE TABLE config_assignments (
    instance_id        TEXT NOT NULL REFERENCES service_instances (instance_id) ON DELETE CASCADE,
    config_name        TEXT NOT NULL REFERENCES config_profiles (name),
    version            TEXT NOT NULL,
    config_hash        TEXT NOT NULL,
    generation         INTEGER NOT NULL,
    deployment_id      TEXT NOT NULL DEFAULT '',
    assigned_at        INTEGER NOT NULL,
    applied            TEXT NOT NULL DEFAULT '',
    applied_hash       TEXT NOT NULL DEFAULT '',
    applied_generation INTEGER NOT NULL DEFAULT 0,
    applied_at         INTEGER,
    apply_micros       INTEGER NOT NULL DEFAULT 0,
    apply_error        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (instance_id, config_name),
    FOREIGN KEY (config_name, version) REFERENCES config_versions (config_name, version)
);

-- An instance refuses an older generation: nothing may take its row back to one.
-- +goose StatementBegin
CREATE TRIGGER config_assignments_rise BEFORE UPDATE OF generation ON config_assignments
WHEN NEW.generation < OLD.generation
BEGIN
    SELECT RAISE(ABORT, 'the generation of an assignment only rises');
END;
-- +goose StatementEnd
CREATE INDEX config_assignments_profile ON config_assignments (config_name);

CREATE TABLE health_samples (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    instance_id TEXT NOT NULL REFERENCES service_instances (instance_id) ON DELETE CASCADE,
    since       INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    sample      TEXT NOT NULL
);
CREATE INDEX health_samples_of ON health_samples (instance_id, at);
CREATE INDEX health_samples_at ON health_samples (at);

CREATE TABLE config_schemas (
    schema_id         TEXT NOT NULL,
    version           TEXT NOT NULL,
    schema_definition TEXT NOT NULL,
    compatibility     TEXT NOT NULL DEFAULT 'None' CHECK (compatibility IN ('None', 'Backward', 'Forward', 'Full')),
    status            TEXT NOT NULL DEFAULT 'Draft' CHECK (status IN ('Draft', 'PendingApproval', 'Approved', 'Deprecated')),
    approved_by       TEXT NOT NULL DEFAULT '',
    approved_at       INTEGER,
    created_at        INTEGER NOT NULL,
    deprecated_at     INTEGER,
    PRIMARY KEY (schema_id, version)
);

CREATE TABLE commit_statuses (
    source_id       TEXT NOT NULL,
    commit_sha      TEXT NOT NULL,
    context         TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('pending', 'success', 'failure', 'error')),
    description     TEXT NOT NULL,
    deployment_id   TEXT NOT NULL DEFAULT '',
    revision        INTEGER NOT NULL,
    posted_revision INTEGER NOT NULL DEFAULT 0,
    posted_at       INTEGER,
    post_error      TEXT NOT NULL DEFAULT '',
    refused_revision INTEGER NOT NULL DEFAULT 0, -- that the forge refused for good
    posting_until   INTEGER, -- somebody is at it: an older post must not land after a newer one
    updated_at      INTEGER NOT NULL,
    PRIMARY KEY (source_id, commit_sha, context)
);
CREATE INDEX commit_statuses_pending ON commit_statuses (source_id)
    WHERE revision > posted_revision AND revision > refused_revision;
CREATE INDEX commit_statuses_commit ON commit_statuses (commit_sha);

-- What the local forge was given, in order.
CREATE TABLE posted_statuses (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    source_id   TEXT NOT NULL,
    commit_sha  TEXT NOT NULL,
    context     TEXT NOT NULL,
    state       TEXT NOT NULL,
    description TEXT NOT NULL,
    posted_at   INTEGER NOT NULL
);
CREATE INDEX posted_statuses_commit ON posted_statuses (commit_sha, seq);

CREATE TABLE webhook_deliveries (
    delivery_id TEXT NOT NULL,
    forge       TEXT NOT NULL,
    source_id   TEXT NOT NULL DEFAULT '',
    event       TEXT NOT NULL DEFAULT '',
    received_at INTEGER NOT NULL,
    PRIMARY KEY (forge, delivery_id)
);

CREATE TABLE users (
    name          TEXT PRIMARY KEY,
    role          TEXT NOT NULL CHECK (role IN ('Viewer', 'Developer', 'Operator', 'Admin')),
    password_hash TEXT NOT NULL,
    created_at    INTEGER NOT NULL
);

CREATE TABLE api_tokens (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('Session', 'API', 'Registration')),
    role       TEXT NOT NULL CHECK (role IN ('Viewer', 'Developer', 'Operator', 'Admin', 'Registration')),
    token_hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER
);

-- Every row's hash covers the row before it: a change or a gap shows.
CREATE TABLE config_audit_logs (
    id          INTEGER PRIMARY KEY,
    event_type  TEXT NOT NULL,
    entity_type TEXT NOT NULL,
    entity_id   TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    details     TEXT NOT NULL,
    trace_id    TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    hash        TEXT NOT NULL
);
CREATE INDEX config_audit_logs_entity ON config_audit_logs (entity_type, entity_id, id DESC);
CREATE INDEX config_audit_logs_event ON config_audit_logs (event_type, id DESC);
CREATE INDEX config_audit_logs_user ON config_audit_logs (user_id, id DESC);
CREATE INDEX config_audit_logs_created ON config_audit_logs (created_at);

CREATE TABLE audit_head (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    id   INTEGER NOT NULL,
    hash TEXT NOT NULL,
    -- The first row that was not removed by retention follows this one.
    base_id   INTEGER NOT NULL DEFAULT 0,
    base_hash TEXT NOT NULL DEFAULT ''
);
INSERT INTO audit_head (one, id, hash) VALUES (1, 0, '');

-- +goose StatementBegin
CREATE TRIGGER config_audit_logs_kept BEFORE DELETE ON config_audit_logs
WHEN OLD.id > (SELECT base_id FROM audit_head)
BEGIN
    SELECT RAISE(ABORT, 'only retention removes from the audit log');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER config_audit_logs_immutable BEFORE UPDATE ON config_audit_logs
BEGIN
    SELECT RAISE(ABORT, 'the audit log never changes');
END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE audit_head;
DROP TABLE config_audit_logs;
DROP TABLE api_tokens;
DROP TABLE users;
DROP TABLE webhook_deliveries;
DROP TABLE posted_statuses;
DROP TABLE commit_statuses;
DROP TABLE config_schemas;
DROP TABLE health_samples;
DROP TABLE config_assignments;
DROP TABLE service_instances;
DROP TABLE config_holds;
DROP TABLE deployment_checks;
DROP TABLE config_deployments;
DROP TABLE config_versions;
DROP TABLE config_profiles;
DROP TABLE source_problems;
DROP TABLE sources;
