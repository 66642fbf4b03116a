-- JSON is kept as it was written: hashes are over its text. Names sort by their bytes. An index that the newest are read
-- from ends in seq or id and is read from its end, so that each new row comes last of its kind: pages fill up, and are not
-- split in halves.

-- +goose Up
CREATE TABLE sources (
    id          TEXT COLLATE "C" PRIMARY KEY,
    url         TEXT NOT NULL DEFAULT '',
    branch      TEXT NOT NULL DEFAULT '',
    path        TEXT COLLATE "C" NOT NULL DEFAULT '',
    head        TEXT COLLATE "C" NOT NULL DEFAULT '',
    folder      TEXT COLLATE "C" NOT NULL DEFAULT '', -- that head was read in, as path says it today or said it then
    synced_at   TIMESTAMPTZ,
    last_error  TEXT NOT NULL DEFAULT '',
    error_since TIMESTAMPTZ,
    pulls_error TEXT NOT NULL DEFAULT '', -- why its pull requests could not be looked at
    schemas_seen BIGINT NOT NULL DEFAULT 0, -- the last change of a registered schema that its profiles were looked at by
    parts       INTEGER NOT NULL DEFAULT 0 -- of a first sync that are stored; 0 at its end
);

CREATE TABLE source_problems (
    source_id TEXT COLLATE "C" NOT NULL,
    path      TEXT COLLATE "C" NOT NULL,
    profile   TEXT COLLATE "C" NOT NULL DEFAULT '',
    commit_sha TEXT COLLATE "C" NOT NULL,
    message   TEXT NOT NULL,
    since     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (source_id, path)
);

CREATE TABLE config_profiles (
    name             TEXT COLLATE "C" PRIMARY KEY,
    description      TEXT NOT NULL DEFAULT '',
    service          TEXT COLLATE "C" NOT NULL,
    environment      TEXT COLLATE "C" NOT NULL,
    service_type     TEXT NOT NULL DEFAULT '',
    schema_id        TEXT COLLATE "C" NOT NULL DEFAULT '',
    target_labels    JSON NOT NULL DEFAULT '{}',
    default_strategy JSON NOT NULL,
    health           JSON NOT NULL,
    windows          JSON NOT NULL DEFAULT '{}',
    settings         JSON NOT NULL DEFAULT '{}',
    origin           TEXT NOT NULL CHECK (origin IN ('Git', 'API')),
    source_id        TEXT COLLATE "C" NOT NULL DEFAULT '',
    path             TEXT COLLATE "C" NOT NULL DEFAULT '',
    dependencies     JSON NOT NULL DEFAULT '[]',
    current_version  TEXT NOT NULL DEFAULT '',
    desired_version  TEXT NOT NULL DEFAULT '',
    generation       BIGINT NOT NULL DEFAULT 0,
    retired          BOOLEAN NOT NULL DEFAULT false,
    version_count    BIGINT NOT NULL DEFAULT 0,
    deployment_count BIGINT NOT NULL DEFAULT 0,
    created_at       TIMESTAMPTZ NOT NULL,
    updated_at       TIMESTAMPTZ NOT NULL,
    created_by       TEXT NOT NULL DEFAULT ''
) WITH (fillfactor = 50); -- what is said of a profile changes in its page, and no index is told
CREATE INDEX config_profiles_source ON config_profiles (source_id);
CREATE INDEX config_profiles_service ON config_profiles (service, environment);
-- Watch streams ask every second whether any generation rose: this answers without the wide rows.
CREATE INDEX config_profiles_generations ON config_profiles (generation, name);

-- A version never changes, but for what is said about it.
CREATE TABLE config_versions (
    seq          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    config_name  TEXT COLLATE "C" NOT NULL REFERENCES config_profiles (name),
    version      TEXT COLLATE "C" NOT NULL,
    config_data  JSON NOT NULL,
    config_hash  TEXT COLLATE "C" NOT NULL,
    size_bytes   BIGINT NOT NULL,
    schema_id    TEXT COLLATE "C" NOT NULL DEFAULT '',
    schema_hash  TEXT NOT NULL DEFAULT '',
    validated_at TIMESTAMPTZ,
    description  TEXT NOT NULL DEFAULT '',
    tags         JSON NOT NULL DEFAULT '[]',
    metadata     JSON NOT NULL DEFAULT '{}',
    deprecation_reason TEXT NOT NULL DEFAULT '',
    source_id    TEXT COLLATE "C" NOT NULL DEFAULT '',
    commit_sha   TEXT COLLATE "C" NOT NULL DEFAULT '',
    author       TEXT NOT NULL DEFAULT '',
    message      TEXT NOT NULL DEFAULT '',
    pull_request BIGINT NOT NULL DEFAULT 0,
    superseded   BOOLEAN NOT NULL DEFAULT false,
    created_at   TIMESTAMPTZ NOT NULL,
    created_by   TEXT NOT NULL DEFAULT '',
    UNIQUE (config_name, version)
);
-- A commit can make the same content twice: a branch that is set back to it makes a new version of it. What keeps a
-- sync from being stored twice is that the source's head, or its count of parts, moves in the same transaction.
CREATE INDEX config_versions_commit ON config_versions (commit_sha) WHERE commit_sha <> '';
CREATE INDEX config_versions_newest ON config_versions (config_name, seq);

-- +goose StatementBegin
CREATE FUNCTION config_versions_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a version never changes';
END $$;
-- +goose StatementEnd
CREATE TRIGGER config_versions_immutable BEFORE UPDATE OF config_name, version, config_data, config_hash, size_bytes,
    schema_id, schema_hash, validated_at, source_id, commit_sha, author, message, created_at ON config_versions
    FOR EACH ROW EXECUTE FUNCTION config_versions_immutable();

-- Secrets that were given by API, each encrypted for its profile. A version's data names them by id, so that another
-- key changes rows here and no version.
CREATE TABLE sealed_values (
    id          TEXT COLLATE "C" NOT NULL UNIQUE,
    config_name TEXT COLLATE "C" NOT NULL,
    key_id      TEXT COLLATE "C" NOT NULL,
    fingerprint BYTEA NOT NULL, -- of the value, by the key: the same value is sealed once
    box         BYTEA NOT NULL, -- nonce and ciphertext
    created_at  TIMESTAMPTZ NOT NULL,
    sealed_at   TIMESTAMPTZ NOT NULL, -- by the key of key_id
    PRIMARY KEY (config_name, id)
);
CREATE INDEX sealed_values_fingerprint ON sealed_values (config_name, fingerprint);
CREATE INDEX sealed_values_key ON sealed_values (key_id, id);

-- Which versions name a sealed value: one of their own profile's, or the version is refused.
CREATE TABLE sealed_uses (
    config_name TEXT COLLATE "C" NOT NULL,
    version     TEXT COLLATE "C" NOT NULL,
    sealed_id   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (config_name, version, sealed_id),
    FOREIGN KEY (config_name, version) REFERENCES config_versions (config_name, version) ON DELETE CASCADE,
    FOREIGN KEY (config_name, sealed_id) REFERENCES sealed_values (config_name, id)
);
CREATE INDEX sealed_uses_of ON sealed_uses (config_name, sealed_id);

CREATE TABLE config_deployments (
    seq            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deployment_id  TEXT COLLATE "C" NOT NULL UNIQUE,
    config_name    TEXT COLLATE "C" NOT NULL, -- of a profile: its version is of one
    config_version TEXT COLLATE "C" NOT NULL,
    config_hash    TEXT COLLATE "C" NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('Forward', 'Rollback', 'Retirement')),
    environment    TEXT COLLATE "C" NOT NULL,
    chosen         BOOLEAN NOT NULL DEFAULT false, -- for chosen instances: it says nothing of the profile
    strategy       TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (status IN ('Pending', 'InProgress', 'Paused', 'Completed', 'Failed',
                       'RollingBack', 'RolledBack', 'Superseded', 'Cancelled')),
    commit_sha     TEXT COLLATE "C" NOT NULL DEFAULT '',
    targets        BIGINT NOT NULL DEFAULT 0,
    applied        BIGINT NOT NULL DEFAULT 0,
    body           JSON NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    finished_at    TIMESTAMPTZ,
    revision       BIGINT NOT NULL,
    epoch          BIGINT NOT NULL DEFAULT 0,
    op_id          TEXT NOT NULL DEFAULT '',
    owner          TEXT COLLATE "C" NOT NULL DEFAULT '',
    lease_until    TIMESTAMPTZ,
    next_step_at   TIMESTAMPTZ,
    -- Something happened since the claim: the step under way has not seen it.
    woken          BOOLEAN NOT NULL DEFAULT false,
    rests_until    TIMESTAMPTZ, -- nothing that happens makes it due before
    attempts       BIGINT NOT NULL DEFAULT 0,
    quarantined    TEXT NOT NULL DEFAULT '',
    FOREIGN KEY (config_name, config_version) REFERENCES config_versions (config_name, version),
    CHECK ((finished_at IS NOT NULL) = (status IN ('Completed', 'Failed', 'RolledBack', 'Superseded', 'Cancelled'))),
    CHECK (status <> 'Completed' OR kind = 'Retirement' OR applied >= targets)
) WITH (fillfactor = 60); -- a claim too
CREATE INDEX config_deployments_status ON config_deployments (status);
CREATE UNIQUE INDEX config_deployments_active ON config_deployments (config_name) WHERE finished_at IS NULL;
CREATE INDEX config_deployments_newest ON config_deployments (config_name, seq);
-- Not for whoever asks for active ones alone.
CREATE INDEX config_deployments_due ON config_deployments (next_step_at) WHERE finished_at IS NULL AND next_step_at IS NOT NULL;
CREATE INDEX config_deployments_commit ON config_deployments (commit_sha) WHERE commit_sha <> '';
CREATE INDEX config_deployments_ended ON config_deployments (finished_at) WHERE finished_at IS NOT NULL;

-- Once for all rows of a statement: a first sync brings thousands.
-- +goose StatementBegin
CREATE FUNCTION config_deployments_validated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM added a WHERE (SELECT v.validated_at FROM config_versions v
                WHERE v.config_name = a.config_name AND v.version = a.config_version AND v.config_hash = a.config_hash) IS NULL) THEN
        RAISE EXCEPTION 'a deployment needs a version that was validated';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER config_deployments_validated AFTER INSERT ON config_deployments REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION config_deployments_validated();

CREATE TABLE deployment_checks (
    deployment_id TEXT COLLATE "C" NOT NULL REFERENCES config_deployments (deployment_id),
    seq           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            TIMESTAMPTZ NOT NULL,
    phase         BIGINT NOT NULL,
    verdict       JSON NOT NULL
);
CREATE INDEX deployment_checks_of ON deployment_checks (deployment_id, seq);

CREATE TABLE config_holds (
    seq             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    config_name     TEXT COLLATE "C" NOT NULL REFERENCES config_profiles (name),
    pinned_version  TEXT NOT NULL,
    refused_version TEXT NOT NULL,
    refused_hash    TEXT COLLATE "C" NOT NULL,
    reason          TEXT NOT NULL,
    actor           TEXT NOT NULL,
    deployment_id   TEXT COLLATE "C" NOT NULL DEFAULT '',
    created_at      TIMESTAMPTZ NOT NULL,
    expires_at      TIMESTAMPTZ,
    released_at     TIMESTAMPTZ,
    released_by     TEXT NOT NULL DEFAULT '',
    revert_url      TEXT NOT NULL DEFAULT '' -- of the pull request that makes Git say what runs
);
CREATE INDEX config_holds_newest ON config_holds (config_name, seq);
CREATE UNIQUE INDEX config_holds_active ON config_holds (config_name) WHERE released_at IS NULL;

-- While one is in force nothing starts or goes further. Nobody but a person writes here: an expired one ends by itself.
CREATE TABLE freezes (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    one        INTEGER NOT NULL DEFAULT 1 CHECK (one = 1),
    reason     TEXT NOT NULL CHECK (reason <> ''),
    actor      TEXT NOT NULL,
    begun_at   TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    ended_at   TIMESTAMPTZ,
    ended_by   TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX freezes_active ON freezes (one) WHERE ended_at IS NULL;

-- What the daemons log until expires_at, other than they are configured. The last word is kept, in force or not.
CREATE TABLE log_levels (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    level      TEXT NOT NULL, -- '' is as configured
    components JSON NOT NULL, -- those that have another one
    actor      TEXT NOT NULL,
    begun_at   TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE service_instances (
    instance_id     TEXT COLLATE "C" PRIMARY KEY,
    service_name    TEXT COLLATE "C" NOT NULL,
    hostname        TEXT COLLATE "C" NOT NULL,
    port            BIGINT NOT NULL,
    environment     TEXT COLLATE "C" NOT NULL,
    service_version TEXT NOT NULL DEFAULT '',
    labels          JSON NOT NULL DEFAULT '{}',
    metadata        JSON NOT NULL DEFAULT '{}',
    status          TEXT NOT NULL DEFAULT 'Unknown',
    token_hash      BYTEA NOT NULL UNIQUE,
    registered_at   TIMESTAMPTZ NOT NULL,
    last_heartbeat  TIMESTAMPTZ NOT NULL
);
CREATE INDEX service_instances_service ON service_instances (service_name, environment);

CREATE TABLE config_assignments (
    instance_id        TEXT COLLATE "C" NOT NULL REFERENCES service_instances (instance_id) ON DELETE CASCADE,
    config_name        TEXT COLLATE "C" NOT NULL, -- of a profile: its version is of one
    version            TEXT COLLATE "C" NOT NULL,
    config_hash        TEXT COLLATE "C" NOT NULL,
    generation         BIGINT NOT NULL,
    deployment_id      TEXT COLLATE "C" NOT NULL DEFAULT '',
    assigned_at        TIMESTAMPTZ NOT NULL,
    applied            TEXT COLLATE "C" NOT NULL DEFAULT '',
    applied_hash       TEXT COLLATE "C" NOT NULL DEFAULT '',
    applied_generation BIGINT NOT NULL DEFAULT 0,
    applied_at         TIMESTAMPTZ,
    apply_micros       BIGINT NOT NULL DEFAULT 0,
    apply_error        TEXT NOT NULL DEFAULT '',
    opened_generation  BIGINT NOT NULL DEFAULT 0, -- whose secrets it was given
    traceparent        TEXT NOT NULL DEFAULT '', -- of the deployment's span
    PRIMARY KEY (instance_id, config_name)
) WITH (fillfactor = 50); -- a whole fleet is assigned, and acknowledges, within its pages

-- An instance refuses an older generation: nothing may take its row back to one.
-- +goose StatementBegin
CREATE FUNCTION config_assignments_rise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the generation of an assignment only rises';
END $$;
-- +goose StatementEnd
CREATE TRIGGER config_assignments_rise BEFORE UPDATE OF generation ON config_assignments
    FOR EACH ROW WHEN (NEW.generation < OLD.generation) EXECUTE FUNCTION config_assignments_rise();
CREATE INDEX config_assignments_profile ON config_assignments (config_name);

-- A version that is assigned stays. A foreign key would look it up for each row of a fleet that is given it at once,
-- which takes as long as the rows; who assigns a version locks it instead.
-- +goose StatementBegin
CREATE FUNCTION config_versions_assigned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM config_assignments a WHERE a.config_name = OLD.config_name AND a.version = OLD.version) THEN
        RAISE EXCEPTION 'a version that is assigned stays';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER config_versions_assigned AFTER DELETE ON config_versions
    FOR EACH ROW EXECUTE FUNCTION config_versions_assigned();

-- A deployment completes with the acknowledgements that it counted, and not without them.
-- +goose StatementBegin
CREATE FUNCTION config_deployments_acknowledged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.targets > (SELECT count(*) FROM config_assignments a
                     WHERE a.config_name = NEW.config_name AND a.version = NEW.config_version AND a.applied = a.version
                       AND a.applied_hash = NEW.config_hash AND a.applied_generation >= a.generation) THEN
        RAISE EXCEPTION 'a deployment completes only with the acknowledgements of its targets';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER config_deployments_acknowledged BEFORE UPDATE OF status ON config_deployments
    FOR EACH ROW WHEN (NEW.status = 'Completed' AND OLD.status <> 'Completed' AND NEW.kind <> 'Retirement' AND NEW.targets > 0)
    EXECUTE FUNCTION config_deployments_acknowledged();

CREATE TABLE health_samples (
    seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance_id TEXT COLLATE "C" NOT NULL REFERENCES service_instances (instance_id) ON DELETE CASCADE,
    since       TIMESTAMPTZ NOT NULL,
    at          TIMESTAMPTZ NOT NULL,
    sample      JSON NOT NULL
);
CREATE INDEX health_samples_of ON health_samples (instance_id, at);
CREATE INDEX health_samples_at ON health_samples (at);

CREATE TABLE config_schemas (
    seq               BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schema_id         TEXT COLLATE "C" NOT NULL,
    version           TEXT COLLATE "C" NOT NULL,
    schema_definition JSON NOT NULL,
    schema_hash       TEXT COLLATE "C" NOT NULL,
    compatibility     TEXT NOT NULL DEFAULT 'None' CHECK (compatibility IN ('None', 'Backward', 'Forward', 'Full')),
    compared_with     TEXT COLLATE "C" NOT NULL DEFAULT '', -- the version that it was compared with when it was registered
    breaks            JSON NOT NULL DEFAULT '[]',
    status            TEXT NOT NULL DEFAULT 'Draft' CHECK (status IN ('Draft', 'PendingApproval', 'Approved', 'Deprecated')),
    approved_by       TEXT NOT NULL DEFAULT '',
    approved_at       TIMESTAMPTZ,
    deprecated_by     TEXT NOT NULL DEFAULT '',
    deprecated_at     TIMESTAMPTZ,
    deprecation_reason TEXT NOT NULL DEFAULT '',
    change_seq        BIGINT NOT NULL, -- of the last change of any schema that was one of this: rises over all of them
    created_at        TIMESTAMPTZ NOT NULL,
    created_by        TEXT NOT NULL DEFAULT '',
    UNIQUE (schema_id, version),
    CHECK (status <> 'Approved' OR approved_at IS NOT NULL),
    CHECK ((status = 'Deprecated') = (deprecated_at IS NOT NULL))
);
CREATE INDEX config_schemas_hash ON config_schemas (schema_id, schema_hash);
CREATE INDEX config_schemas_changes ON config_schemas (change_seq);

-- +goose StatementBegin
CREATE FUNCTION config_schemas_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was registered of a schema never changes';
END $$;
-- +goose StatementEnd
CREATE TRIGGER config_schemas_immutable BEFORE UPDATE OF schema_id, version, schema_definition, schema_hash, compatibility,
    compared_with, breaks, created_at, created_by ON config_schemas
    FOR EACH ROW EXECUTE FUNCTION config_schemas_immutable();

CREATE TABLE commit_statuses (
    source_id       TEXT COLLATE "C" NOT NULL,
    commit_sha      TEXT COLLATE "C" NOT NULL,
    context         TEXT COLLATE "C" NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('pending', 'success', 'failure', 'error')),
    description     TEXT NOT NULL,
    deployment_id   TEXT COLLATE "C" NOT NULL DEFAULT '',
    revision        BIGINT NOT NULL,
    posted_revision BIGINT NOT NULL DEFAULT 0,
    posted_at       TIMESTAMPTZ,
    posted_state    TEXT NOT NULL DEFAULT '',
    posts           INTEGER NOT NULL DEFAULT 0, -- that the forge took
    post_error      TEXT NOT NULL DEFAULT '',
    refused_revision BIGINT NOT NULL DEFAULT 0, -- that the forge refused for good
    posting_until   TIMESTAMPTZ, -- somebody is at it: an older post must not land after a newer one
    updated_at      TIMESTAMPTZ NOT NULL,
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
    source_id        TEXT COLLATE "C" NOT NULL,
    pull_request     BIGINT NOT NULL,
    comment_key      TEXT COLLATE "C" NOT NULL,
    body             TEXT NOT NULL,
    commit_sha       TEXT COLLATE "C" NOT NULL DEFAULT '', -- that the remarks are about
    remarks          JSON NOT NULL DEFAULT '[]',
    basis            BIGINT NOT NULL DEFAULT 0, -- an older text never takes a newer one's place
    revision         BIGINT NOT NULL,
    posted_revision  BIGINT NOT NULL DEFAULT 0,
    refused_revision BIGINT NOT NULL DEFAULT 0,
    posted_at        TIMESTAMPTZ,
    posts            INTEGER NOT NULL DEFAULT 0, -- that the forge took
    post_error       TEXT NOT NULL DEFAULT '',
    posting_until    TIMESTAMPTZ,
    updated_at       TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (source_id, pull_request, comment_key)
);
CREATE INDEX pull_request_comments_pending ON pull_request_comments (source_id)
    WHERE revision > posted_revision AND revision > refused_revision;

-- What people asked for in comments, each once: which deployments, and in which phase of them.
CREATE TABLE pull_request_commands (
    source_id    TEXT COLLATE "C" NOT NULL,
    comment_id   BIGINT NOT NULL,
    pull_request BIGINT NOT NULL,
    plan         JSON NOT NULL,
    begun_at     TIMESTAMPTZ NOT NULL,
    done_at      TIMESTAMPTZ,
    PRIMARY KEY (source_id, comment_id)
);

-- Which group of its instances a BlueGreen profile's requests go to, since the first switch.
CREATE TABLE config_traffic (
    config_name    TEXT COLLATE "C" PRIMARY KEY REFERENCES config_profiles (name),
    active_group   TEXT NOT NULL CHECK (active_group IN ('blue', 'green')),
    hook           TEXT NOT NULL DEFAULT '', -- that is told, '' when nobody is
    deployment_id  TEXT COLLATE "C" NOT NULL,
    revision       BIGINT NOT NULL,
    acked_revision BIGINT NOT NULL DEFAULT 0, -- that the hook took
    error          TEXT NOT NULL DEFAULT '',
    posting_until  TIMESTAMPTZ, -- somebody is at it: an older word must not land after a newer one
    switched_at    TIMESTAMPTZ NOT NULL
);

-- What the local forge was given, in order.
CREATE TABLE posted_statuses (
    seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id   TEXT COLLATE "C" NOT NULL,
    commit_sha  TEXT COLLATE "C" NOT NULL,
    context     TEXT COLLATE "C" NOT NULL,
    state       TEXT NOT NULL,
    description TEXT NOT NULL,
    posted_at   TIMESTAMPTZ NOT NULL
);
CREATE INDEX posted_statuses_commit ON posted_statuses (commit_sha);

-- The last check of each open pull request. It is due again when it was asked for more often than answered.
CREATE TABLE pull_request_checks (
    source_id    TEXT COLLATE "C" NOT NULL,
    pull_request INTEGER NOT NULL,
    head         TEXT COLLATE "C" NOT NULL,
    base         TEXT COLLATE "C" NOT NULL,
    passed       BOOLEAN NOT NULL,
    essence      TEXT COLLATE "C" NOT NULL,
    checked_at   TIMESTAMPTZ NOT NULL,
    asks         BIGINT NOT NULL DEFAULT 0,
    answered     BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (source_id, pull_request)
);

CREATE TABLE webhook_deliveries (
    delivery_id  TEXT COLLATE "C" NOT NULL,
    forge        TEXT COLLATE "C" NOT NULL,
    source_id    TEXT COLLATE "C" NOT NULL DEFAULT '',
    event        TEXT NOT NULL DEFAULT '',
    pull_request INTEGER NOT NULL DEFAULT 0,
    comment_id   BIGINT NOT NULL DEFAULT 0,
    received_at  TIMESTAMPTZ NOT NULL,
    traceparent  TEXT NOT NULL DEFAULT '', -- of the request that brought it
    PRIMARY KEY (forge, delivery_id, source_id)
);
CREATE INDEX webhook_deliveries_received ON webhook_deliveries (received_at);

-- Which writes with an Idempotency-Key were made, and what they were answered. Neither the key nor the request is here,
-- only hashes that cannot be tried without the key.
CREATE TABLE idempotency_keys (
    caller      TEXT COLLATE "C" NOT NULL,
    key_hash    BYTEA NOT NULL,
    fingerprint BYTEA NOT NULL, -- of the request
    owner       TEXT COLLATE "C" NOT NULL, -- the request that is at it, or was
    claimed_at  TIMESTAMPTZ NOT NULL,
    effective   BOOLEAN NOT NULL DEFAULT false, -- it changed something: set by the transaction that did
    answered_at TIMESTAMPTZ,
    status      BIGINT NOT NULL DEFAULT 0,
    headers     JSON NOT NULL DEFAULT '{}',
    body        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (caller, key_hash)
);
CREATE INDEX idempotency_keys_claimed ON idempotency_keys (claimed_at);

-- People: with a password of their own, or known by what an identity provider calls them.
CREATE TABLE users (
    name          TEXT COLLATE "C" PRIMARY KEY,
    role          TEXT NOT NULL CHECK (role IN ('Viewer', 'Developer', 'Operator', 'Admin')),
    password_hash TEXT NOT NULL, -- '' for one whom a provider knows
    issuer        TEXT COLLATE "C" NOT NULL DEFAULT '',
    subject       TEXT COLLATE "C" NOT NULL DEFAULT '',
    disabled      BOOLEAN NOT NULL DEFAULT false,
    created_at    TIMESTAMPTZ NOT NULL,
    CHECK ((issuer = '') = (subject = '')),
    CHECK (issuer = '' OR password_hash = '')
);
-- Names that differ in their letters' case alone would be one to whoever reads the audit log.
CREATE UNIQUE INDEX users_folded ON users (lower(name));
CREATE UNIQUE INDEX users_subject ON users (issuer, subject) WHERE issuer <> '';

-- Who is signed in. What the hash is of stands in the token alone: who reads this table can be nobody.
CREATE TABLE sessions (
    id_hash    BYTEA PRIMARY KEY,
    user_name  TEXT COLLATE "C" NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    address    TEXT NOT NULL DEFAULT '', -- that it was begun from
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_name, address);
CREATE INDEX sessions_expired ON sessions (expires_at);

-- The key that sessions are signed with where none is set.
CREATE TABLE session_keys (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    secret     TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE api_tokens (
    id         TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('API', 'Registration')),
    role       TEXT NOT NULL CHECK (role IN ('Viewer', 'Developer', 'Operator', 'Admin', 'Registration')),
    token_hash BYTEA NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL,
    created_by TEXT NOT NULL,
    owner      TEXT COLLATE "C" NOT NULL DEFAULT '', -- the user who made it, or the token that it was made with; '' is nobody's
    expires_at TIMESTAMPTZ,
    scope      TEXT NOT NULL DEFAULT '{}' CHECK (scope <> '') -- JSON; {} is everything
);
CREATE INDEX api_tokens_owner ON api_tokens (owner) WHERE owner <> '';

-- Every row's hash covers the row before it: a change or a gap shows.
CREATE TABLE config_audit_logs (
    id          BIGINT PRIMARY KEY,
    event_type  TEXT COLLATE "C" NOT NULL,
    entity_type TEXT COLLATE "C" NOT NULL,
    entity_id   TEXT COLLATE "C" NOT NULL,
    user_id     TEXT COLLATE "C" NOT NULL,
    details     JSON NOT NULL,
    trace_id    TEXT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    hash        TEXT COLLATE "C" NOT NULL
);
CREATE INDEX config_audit_logs_entity ON config_audit_logs (entity_type, entity_id, id);
CREATE INDEX config_audit_logs_event ON config_audit_logs (event_type, id);
CREATE INDEX config_audit_logs_user ON config_audit_logs (user_id, id);
-- No BRIN: what retention frees is filled with new rows, and its pages then stand for a year each.
CREATE INDEX config_audit_logs_created ON config_audit_logs (created_at);

CREATE TABLE audit_head (
    one  BIGINT PRIMARY KEY CHECK (one = 1),
    id   BIGINT NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    -- The first row that was not removed by retention follows this one.
    base_id   BIGINT NOT NULL DEFAULT 0,
    base_hash TEXT COLLATE "C" NOT NULL DEFAULT ''
);
INSERT INTO audit_head (one, id, hash) VALUES (1, 0, '');

-- +goose StatementBegin
CREATE FUNCTION config_audit_logs_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.id > (SELECT base_id FROM audit_head) THEN
        RAISE EXCEPTION 'only retention removes from the audit log';
    END IF;
    RETURN OLD;
END $$;
-- +goose StatementEnd
CREATE TRIGGER config_audit_logs_kept BEFORE DELETE ON config_audit_logs
    FOR EACH ROW EXECUTE FUNCTION config_audit_logs_kept();

-- +goose StatementBegin
CREATE FUNCTION config_audit_logs_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log never changes';
END $$;
-- +goose StatementEnd
CREATE TRIGGER config_audit_logs_immutable BEFORE UPDATE ON config_audit_logs
    FOR EACH ROW EXECUTE FUNCTION config_audit_logs_immutable();

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
DROP FUNCTION config_versions_immutable, config_schemas_immutable, config_deployments_validated, config_deployments_acknowledged, config_assignments_rise,
    config_versions_assigned, config_audit_logs_kept, config_audit_logs_immutable;
