CREATE TABLE installation (
    id INTEGER NOT NULL CHECK (id = 1),
    master_key_fingerprint TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE tenants (
    id BLOB NOT NULL CHECK (length(id) = 16),
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'suspended', 'deleting')),
    settings TEXT NOT NULL,
    branding TEXT NOT NULL,
    sealed_data_key BLOB,
    version BIGINT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (slug)
) WITHOUT ROWID;
CREATE INDEX tenants_name_key ON tenants (name_key, id);

CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    entity TEXT NOT NULL,
    entity_id BLOB NOT NULL CHECK (length(entity_id) = 16),
    created_at TEXT NOT NULL
);

CREATE TABLE domains (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    origin TEXT NOT NULL,
    verification_token TEXT NOT NULL,
    verified_at TEXT,
    canonical BOOLEAN NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, origin),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE domain_owners (
    origin TEXT NOT NULL,
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    domain_id BLOB NOT NULL CHECK (length(domain_id) = 16),
    PRIMARY KEY (origin),
    FOREIGN KEY (tenant_id, domain_id) REFERENCES domains (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE UNIQUE INDEX domain_owners_domain_id ON domain_owners (tenant_id, domain_id);

CREATE TABLE users (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    search_key TEXT NOT NULL,
    email_verified BOOLEAN NOT NULL,
    password_phc TEXT,
    password_set_at TEXT,
    disabled_at TEXT,
    claims TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, email_key),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE role_assignments (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    user_id BLOB NOT NULL CHECK (length(user_id) = 16),
    role TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, user_id, role),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE clients (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    metadata TEXT NOT NULL,
    secret_hash BLOB,
    secret_created_at TEXT,
    previous_secret_hash BLOB,
    previous_secret_expires_at TEXT,
    version BIGINT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE client_origins (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    origin TEXT NOT NULL,
    client_id BLOB NOT NULL CHECK (length(client_id) = 16),
    PRIMARY KEY (tenant_id, origin, client_id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX client_origins_client_id ON client_origins (tenant_id, client_id);

CREATE TABLE resources (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    identifier TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, identifier),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE signing_keys (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    kid TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    public_jwk TEXT NOT NULL,
    sealed_private_jwk BLOB NOT NULL,
    signs_from TEXT NOT NULL,
    retired_at TEXT,
    removed_at TEXT,
    revoked_at TEXT,
    created_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, kid),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX signing_keys_removed_at ON signing_keys (removed_at) WHERE removed_at IS NOT NULL;
CREATE INDEX signing_keys_revoked_at ON signing_keys (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE sessions (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    user_id BLOB NOT NULL CHECK (length(user_id) = 16),
    proof_hash BLOB NOT NULL,
    auth_time TEXT NOT NULL,
    amr TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    address TEXT NOT NULL,
    last_used_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    ended_at TEXT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX sessions_user_id ON sessions (tenant_id, user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
CREATE INDEX sessions_ended_at ON sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE login_failures (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    counter BLOB NOT NULL,
    count INTEGER NOT NULL,
    window_start TEXT NOT NULL,
    PRIMARY KEY (tenant_id, counter),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX login_failures_window_start ON login_failures (window_start);

CREATE TABLE consents (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    user_id BLOB NOT NULL CHECK (length(user_id) = 16),
    client_id BLOB NOT NULL CHECK (length(client_id) = 16),
    permissions TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, user_id, client_id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX consents_client_id ON consents (tenant_id, client_id);

CREATE TABLE grants (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    user_id BLOB NOT NULL CHECK (length(user_id) = 16),
    client_id BLOB NOT NULL CHECK (length(client_id) = 16),
    session_id BLOB NOT NULL CHECK (length(session_id) = 16),
    issuer TEXT NOT NULL,
    scope TEXT NOT NULL,
    resources TEXT NOT NULL,
    claims TEXT,
    auth_time TEXT NOT NULL,
    amr TEXT NOT NULL,
    acr TEXT,
    offline BOOLEAN NOT NULL,
    code_hash BLOB NOT NULL,
    redirect_uri TEXT,
    nonce TEXT,
    code_challenge TEXT,
    code_expires_at TEXT NOT NULL,
    redeemed_at TEXT,
    revoked_at TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX grants_user_id ON grants (tenant_id, user_id);
CREATE INDEX grants_client_id ON grants (tenant_id, client_id);
CREATE INDEX grants_session_id ON grants (tenant_id, session_id);
CREATE INDEX grants_expires_at ON grants (expires_at);
CREATE INDEX grants_revoked_at ON grants (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX grants_code_expires_at ON grants (code_expires_at) WHERE redeemed_at IS NULL;

CREATE TABLE refresh_tokens (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    grant_id BLOB NOT NULL CHECK (length(grant_id) = 16),
    proof_hash BLOB NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    rotated_at TEXT,
    successor_id BLOB CHECK (length(successor_id) = 16),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, grant_id) REFERENCES grants (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX refresh_tokens_grant_id ON refresh_tokens (tenant_id, grant_id);
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);

CREATE TABLE revoked_tokens (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    jti BLOB NOT NULL CHECK (length(jti) = 16),
    expires_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, jti),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX revoked_tokens_expires_at ON revoked_tokens (expires_at);

CREATE TABLE assertion_ids (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    client_id BLOB NOT NULL CHECK (length(client_id) = 16),
    jti_hash BLOB NOT NULL,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, client_id, jti_hash),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX assertion_ids_expires_at ON assertion_ids (expires_at);

CREATE TABLE one_time_links (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    user_id BLOB NOT NULL CHECK (length(user_id) = 16),
    proof_hash BLOB NOT NULL,
    expires_at TEXT NOT NULL,
    consumed_at TEXT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX one_time_links_user_id ON one_time_links (tenant_id, user_id);
CREATE INDEX one_time_links_expires_at ON one_time_links (expires_at);

CREATE TABLE idempotency_keys (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    caller_id BLOB NOT NULL CHECK (length(caller_id) = 16),
    key_hash BLOB NOT NULL,
    request_hash BLOB NOT NULL,
    made_id BLOB NOT NULL CHECK (length(made_id) = 16),
    sealed_secret BLOB,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, caller_id, key_hash),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);

CREATE TABLE audit_events (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    at TEXT NOT NULL,
    act TEXT NOT NULL,
    actor TEXT NOT NULL,
    user_id BLOB CHECK (length(user_id) = 16),
    client_id BLOB CHECK (length(client_id) = 16),
    request_id TEXT,
    address TEXT,
    detail TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX audit_events_user_id ON audit_events (tenant_id, user_id, id);
CREATE INDEX audit_events_client_id ON audit_events (tenant_id, client_id, id);
