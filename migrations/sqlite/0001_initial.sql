-- Times are integers: microseconds since 1970 UTC. JSON is text. Every index ends in the rowid, which a seq or an id is:
-- none names it, the newest are read from its end, and each new row comes last of its kind.

-- +goose Up
CREATE TABLE sources (
    id          TEXT PRIMARY KEY,
    url         TEXT NOT NULL DEFAULT '',
    branch      TEXT NOT NULL DEFAULT '',
    path        TEXT NOT NULL DEFAULT '',
    head        TEXT NOT NULL DEFAULT '',
    folder      TEXT NOT NULL DEFAULT '', -- that head was read in, as path says it today or said it then
    synced_at   INTEGER,
    last_error  TEXT NOT NULL DEFAULT '',
    error_since INTEGER,
    pulls_error TEXT NOT NULL DEFAULT '', -- why its pull requests could not be looked at
    schemas_seen INTEGER NOT NULL DEFAULT 0, -- the last change of a registered schema that its profiles were looked at by
    parts       INTEGER NOT NULL DEFAULT 0 -- of a first sync that are stored; 0 at its end
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
    retired          BOOLEAN NOT NULL DEFAULT false,
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
    superseded   BOOLEAN NOT NULL DEFAULT false,
    created_at   INTEGER NOT NULL,
    created_by   TEXT NOT NULL DEFAULT '',
    UNIQUE (config_name, version)
);
-- A commit can make the same content twice: a branch that is set back to it makes a new version of it. What keeps a
-- sync from being stored twice is that the source's head, or its count of parts, moves in the same transaction.
CREATE INDEX config_versions_commit ON config_versions (commit_sha) WHERE commit_sha <> '';
CREATE INDEX config_versions_newest ON config_versions (config_name);

-- +goose StatementBegin
CREATE TRIGGER config_versions_immutable BEFORE UPDATE OF config_name, version, config_data, config_hash, size_bytes,
    schema_id, schema_hash, validated_at, source_id, commit_sha, author, message, created_at ON config_versions
BEGIN
    SELECT RAISE(ABORT, 'a version never changes');
END;
-- +goose StatementEnd

-- Secrets that were given by API, each encrypted for its profile. A version's data names them by id, so that another
-- key changes rows here and no version.
CREATE TABLE sealed_values (
    id          TEXT NOT NULL UNIQUE,
    config_name TEXT NOT NULL,
    key_id      TEXT NOT NULL,
    fingerprint BLOB NOT NULL, -- of the value, by the key: the same value is sealed once
    box         BLOB NOT NULL, -- nonce and ciphertext
    created_at  INTEGER NOT NULL,
    sealed_at   INTEGER NOT NULL, -- by the key of key_id
    PRIMARY KEY (config_name, id)
);
CREATE INDEX sealed_values_fingerprint ON sealed_values (config_name, fingerprint);
CREATE INDEX sealed_values_key ON sealed_values (key_id, id);

-- Which versions name a sealed value: one of their own profile's, or the version is refused.
CREATE TABLE sealed_uses (
    config_name TEXT NOT NULL,
    version     TEXT NOT NULL,
    sealed_id   TEXT NOT NULL,
    PRIMARY KEY (config_name, version, sealed_id),
    FOREIGN KEY (config_name, version) REFERENCES config_versions (config_name, version) ON DELETE CASCADE,
    FOREIGN KEY (config_name, sealed_id) REFERENCES sealed_values (config_name, id)
);
CREATE INDEX sealed_uses_of ON sealed_uses (config_name, sealed_id);

CREATE TABLE config_deployments (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment_id  TEXT NOT NULL UNIQUE,
    config_name    TEXT NOT NULL, -- of a profile: its version is of one
    config_version TEXT NOT NULL,
    config_hash    TEXT NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('Forward', 'Rollback', 'Retirement')),
    environment    TEXT NOT NULL,
    chosen         BOOLEAN NOT NULL DEFAULT false, -- for chosen instances: it says nothing of the profile
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
    woken          BOOLEAN NOT NULL DEFAULT false,
    rests_until    INTEGER, -- nothing that happens makes it due before
    attempts       INTEGER NOT NULL DEFAULT 0,
    quarantined    TEXT NOT NULL DEFAULT '',
    FOREIGN KEY (config_name, config_version) REFERENCES config_versions (config_name, version),
    CHECK ((finished_at IS NOT NULL) = (status IN ('Completed', 'Failed', 'RolledBack', 'Superseded', 'Cancelled'))),
    CHECK (status <> 'Completed' OR kind = 'Retirement' OR applied >= targets)
);
-- Before the others: of two that promise as much SQLite takes the later one, and most deployments are in one state.
CREATE INDEX config_deployments_status ON config_deployments (status);
CREATE UNIQUE INDEX config_deployments_active ON config_deployments (config_name) WHERE finished_at IS NULL;
CREATE INDEX config_deployments_newest ON config_deployments (config_name);
-- Not for whoever asks for active ones alone.
CREATE INDEX config_deployments_due ON config_deployments (next_step_at) WHERE finished_at IS NULL AND next_step_at IS NOT NULL;
CREATE INDEX config_deployments_commit ON config_deployments (commit_sha) WHERE commit_sha <> '';
CREATE INDEX config_deployments_ended ON config_deployments (finished_at) WHERE finished_at IS NOT NULL;

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
CREATE INDEX deployment_checks_of ON deployment_checks (deployment_id);

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
    released_by     TEXT NOT NULL DEFAULT '',
    revert_url      TEXT NOT NULL DEFAULT '' -- of the pull request that makes Git say what runs
);
CREATE INDEX config_holds_newest ON config_holds (config_name);
CREATE UNIQUE INDEX config_holds_active ON config_holds (config_name) WHERE released_at IS NULL;

-- While one is in force nothing starts or goes further. Nobody but a person writes here: an expired one ends by itself.
CREATE TABLE freezes (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    one        INTEGER NOT NULL DEFAULT 1 CHECK (one = 1),
    reason     TEXT NOT NULL CHECK (reason <> ''),
    actor      TEXT NOT NULL,
    begun_at   INTEGER NOT NULL,
    expires_at INTEGER,
    ended_at   INTEGER,
    ended_by   TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX freezes_active ON freezes (one) WHERE ended_at IS NULL;

-- What the daemons log until expires_at, other than they are configured. The last word is kept, in force or not.
CREATE TABLE log_levels (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    level      TEXT NOT NULL, -- '' is as configured
    components TEXT NOT NULL, -- those that have another one
    actor      TEXT NOT NULL,
    begun_at   INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);

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
    config_name        TEXT NOT NULL, -- of a profile: its version is of one
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
    opened_generation  INTEGER NOT NULL DEFAULT 0, -- whose secrets it was given
    traceparent        TEXT NOT NULL DEFAULT '', -- of the deployment's span
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

-- A deployment completes with the acknowledgements that it counted, and not without them.
-- +goose StatementBegin
CREATE TRIGGER config_deployments_acknowledged BEFORE UPDATE OF status ON config_deployments
WHEN NEW.status = 'Completed' AND OLD.status <> 'Completed' AND NEW.kind <> 'Retirement'
 AND NEW.targets > 0 AND NEW.targets > (SELECT count(*) FROM config_assignments a
                     WHERE a.config_name = NEW.config_name AND a.version = NEW.config_version AND a.applied = a.version
                       AND a.applied_hash = NEW.config_hash AND a.applied_generation >= a.generation)
BEGIN
    SELECT RAISE(ABORT, 'a deployment completes only with the acknowledgements of its targets');
END;
-- +goose StatementEnd

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
    seq               INTEGER PRIMARY KEY AUTOINCREMENT,
    schema_id         TEXT NOT NULL,
    version           TEXT NOT NULL,
    schema_definition TEXT NOT NULL,
    schema_hash       TEXT NOT NULL,
    compatibility     TEXT NOT NULL DEFAULT 'None' CHECK (compatibility IN ('None', 'Backward', 'Forward', 'Full')),
    compared_with     TEXT NOT NULL DEFAULT '', -- the version that it was compared with when it was registered
    breaks            TEXT NOT NULL DEFAULT '[]',
    status            TEXT NOT NULL DEFAULT 'Draft' CHECK (status IN ('Draft', 'PendingApproval', 'Approved', 'Deprecated')),
    approved_by       TEXT NOT NULL DEFAULT '',
    approved_at       INTEGER,
    deprecated_by     TEXT NOT NULL DEFAULT '',
    deprecated_at     INTEGER,
    deprecation_reason TEXT NOT NULL DEFAULT '',
    change_seq        INTEGER NOT NULL, -- of the last change of any schema that was one of this: rises over all of them
    created_at        INTEGER NOT NULL,
    created_by        TEXT NOT NULL DEFAULT '',
    UNIQUE (schema_id, version),
    CHECK (status <> 'Approved' OR approved_at IS NOT NULL),
    CHECK ((status = 'Deprecated') = (deprecated_at IS NOT NULL))
);
CREATE INDEX config_schemas_hash ON config_schemas (schema_id, schema_hash);
CREATE INDEX config_schemas_changes ON config_schemas (change_seq);

-- +goose StatementBegin
CREATE TRIGGER config_schemas_immutable BEFORE UPDATE OF schema_id, version, schema_definition, schema_hash, compatibility,
    compared_with, breaks, created_at, created_by ON config_schemas
BEGIN
    SELECT RAISE(ABORT, 'what was registered of a schema never changes');
END;
-- +goose StatementEnd

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
    posted_state    TEXT NOT NULL DEFAULT '',
    posts           INTEGER NOT NULL DEFAULT 0, -- that the forge took
    post_error      TEXT NOT NULL DEFAULT '',
    refused_revision INTEGER NOT NULL DEFAULT 0, -- that the forge refused for good
    posting_until   INTEGER, -- somebody is at it: an older post must not land after a newer one
    updated_at      INTEGER NOT NULL,
    quiet           BOOLEAN NOT NULL DEFAULT false, -- the forge is not told: its commit changes too many profiles
    tally           TEXT NOT NULL DEFAULT '', -- of an aggregate: how many profiles are in which state; '' when not counted
    PRIMARY KEY (source_id, commit_sha, context)
);
-- With the whole key, or a look at one that is pending might be one at all that are.
CREATE INDEX commit_statuses_pending ON commit_statuses (source_id, commit_sha, context)
    WHERE NOT quiet AND revision > posted_revision AND revision > refused_revision;
CREATE INDEX commit_statuses_commit ON commit_statuses (commit_sha);
CREATE INDEX commit_statuses_wrong ON commit_statuses (source_id, commit_sha, state, context)
    WHERE state <> 'success' AND state <> 'pending';

-- What a pull request is told: Sluice's own comments on it.
CREATE TABLE pull_request_comments (
    source_id        TEXT NOT NULL,
    pull_request     INTEGER NOT NULL,
    comment_key      TEXT NOT NULL,
    body             TEXT NOT NULL,
    commit_sha       TEXT NOT NULL DEFAULT '', -- that the remarks are about
    remarks          TEXT NOT NULL DEFAULT '[]',
    basis            INTEGER NOT NULL DEFAULT 0, -- an older text never takes a newer one's place
    revision         INTEGER NOT NULL,
    posted_revision  INTEGER NOT NULL DEFAULT 0,
    refused_revision INTEGER NOT NULL DEFAULT 0,
    posted_at        INTEGER,
    posts            INTEGER NOT NULL DEFAULT 0, -- that the forge took
    post_error       TEXT NOT NULL DEFAULT '',
    posting_until    INTEGER,
    updated_at       INTEGER NOT NULL,
    PRIMARY KEY (source_id, pull_request, comment_key)
);
CREATE INDEX pull_request_comments_pending ON pull_request_comments (source_id)
    WHERE revision > posted_revision AND revision > refused_revision;

-- What people asked for in comments, each once: which deployments, and in which phase of them.
CREATE TABLE pull_request_commands (
    source_id    TEXT NOT NULL,
    comment_id   INTEGER NOT NULL,
    pull_request INTEGER NOT NULL,
    plan         TEXT NOT NULL,
    begun_at     INTEGER NOT NULL,
    done_at      INTEGER,
    PRIMARY KEY (source_id, comment_id)
);

-- Which group of its instances a BlueGreen profile's requests go to, since the first switch.
CREATE TABLE config_traffic (
    config_name    TEXT PRIMARY KEY REFERENCES config_profiles (name),
    active_group   TEXT NOT NULL CHECK (active_group IN ('blue', 'green')),
    hook           TEXT NOT NULL DEFAULT '', -- that is told, '' when nobody is
    deployment_id  TEXT NOT NULL,
    revision       INTEGER NOT NULL,
    acked_revision INTEGER NOT NULL DEFAULT 0, -- that the hook took
    error          TEXT NOT NULL DEFAULT '',
    posting_until  INTEGER, -- somebody is at it: an older word must not land after a newer one
    switched_at    INTEGER NOT NULL
);

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
CREATE INDEX posted_statuses_commit ON posted_statuses (commit_sha);

-- The last check of each open pull request. It is due again when it was asked for more often than answered.
CREATE TABLE pull_request_checks (
    source_id    TEXT NOT NULL,
    pull_request INTEGER NOT NULL,
    head         TEXT NOT NULL,
    base         TEXT NOT NULL,
    passed       BOOLEAN NOT NULL,
    essence      TEXT NOT NULL,
    checked_at   INTEGER NOT NULL,
    asks         INTEGER NOT NULL DEFAULT 0,
    answered     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (source_id, pull_request)
);

CREATE TABLE webhook_deliveries (
    delivery_id  TEXT NOT NULL,
    forge        TEXT NOT NULL,
    source_id    TEXT NOT NULL DEFAULT '',
    event        TEXT NOT NULL DEFAULT '',
    pull_request INTEGER NOT NULL DEFAULT 0,
    comment_id   INTEGER NOT NULL DEFAULT 0,
    received_at  INTEGER NOT NULL,
    traceparent  TEXT NOT NULL DEFAULT '', -- of the request that brought it
    PRIMARY KEY (forge, delivery_id, source_id)
);
CREATE INDEX webhook_deliveries_received ON webhook_deliveries (received_at);

-- Which writes with an Idempotency-Key were made, and what they were answered. Neither the key nor the request is here,
-- only hashes that cannot be tried without the key.
CREATE TABLE idempotency_keys (
    caller      TEXT NOT NULL,
    key_hash    BLOB NOT NULL,
    fingerprint BLOB NOT NULL, -- of the request
    owner       TEXT NOT NULL, -- the request that is at it, or was
    claimed_at  INTEGER NOT NULL,
    effective   BOOLEAN NOT NULL DEFAULT false, -- it changed something: set by the transaction that did
    answered_at INTEGER,
    status      INTEGER NOT NULL DEFAULT 0,
    headers     TEXT NOT NULL DEFAULT '{}',
    body        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (caller, key_hash)
);
CREATE INDEX idempotency_keys_claimed ON idempotency_keys (claimed_at);

-- People: with a password of their own, or known by what an identity provider calls them.
CREATE TABLE users (
    name          TEXT PRIMARY KEY,
    role          TEXT NOT NULL CHECK (role IN ('Viewer', 'Developer', 'Operator', 'Admin')),
    password_hash TEXT NOT NULL, -- '' for one whom a provider knows
    issuer        TEXT NOT NULL DEFAULT '',
    subject       TEXT NOT NULL DEFAULT '',
    disabled      BOOLEAN NOT NULL DEFAULT false,
    created_at    INTEGER NOT NULL,
    CHECK ((issuer = '') = (subject = '')),
    CHECK (issuer = '' OR password_hash = '')
);
-- Names that differ in their letters' case alone would be one to whoever reads the audit log.
CREATE UNIQUE INDEX users_folded ON users (lower(name));
CREATE UNIQUE INDEX users_subject ON users (issuer, subject) WHERE issuer <> '';

-- Who is signed in. What the hash is of stands in the token alone: who reads this table can be nobody.
CREATE TABLE sessions (
    id_hash    BLOB PRIMARY KEY,
    user_name  TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    address    TEXT NOT NULL DEFAULT '', -- that it was begun from
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_name, address);
CREATE INDEX sessions_expired ON sessions (expires_at);

-- The key that sessions are signed with where none is set.
CREATE TABLE session_keys (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    secret     TEXT NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE TABLE api_tokens (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('API', 'Registration')),
    role       TEXT NOT NULL CHECK (role IN ('Viewer', 'Developer', 'Operator', 'Admin', 'Registration')),
    token_hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    owner      TEXT NOT NULL DEFAULT '', -- the user who made it, or the token that it was made with; '' is nobody's
    expires_at INTEGER,
    scope      TEXT NOT NULL DEFAULT '{}' CHECK (scope <> '') -- JSON; {} is everything
);
CREATE INDEX api_tokens_owner ON api_tokens (owner) WHERE owner <> '';

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
CREATE INDEX config_audit_logs_entity ON config_audit_logs (entity_type, entity_id);
CREATE INDEX config_audit_logs_event ON config_audit_logs (event_type);
CREATE INDEX config_audit_logs_user ON config_audit_logs (user_id);
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
DROP TABLE session_keys;
DROP TABLE sessions;
DROP TABLE users;
DROP TABLE idempotency_keys;
DROP TABLE webhook_deliveries;
DROP TABLE pull_request_checks;
DROP TABLE posted_statuses;
DROP TABLE config_traffic;
DROP TABLE pull_request_commands;
DROP TABLE pull_request_comments;
DROP TABLE commit_statuses;
DROP TABLE config_schemas;
DROP TABLE health_samples;
DROP TABLE config_assignments;
DROP TABLE service_instances;
DROP TABLE log_levels;
DROP TABLE freezes;
DROP TABLE config_holds;
DROP TABLE deployment_checks;
DROP TABLE config_deployments;
DROP TABLE sealed_uses;
DROP TABLE sealed_values;
DROP TABLE config_versions;
DROP TABLE config_profiles;
DROP TABLE source_problems;
DROP TABLE sources;
