-- The secrets by which the applications of one vendor on a device share a person's session (OpenID Connect Native SSO).
CREATE TABLE device_secrets (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    session_id BLOB NOT NULL CHECK (length(session_id) = 16),
    client_id BLOB NOT NULL CHECK (length(client_id) = 16),
    proof_hash BLOB NOT NULL,
    created_at TEXT NOT NULL,
    last_used_at TEXT,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX device_secrets_session_id ON device_secrets (tenant_id, session_id, client_id);
CREATE INDEX device_secrets_client_id ON device_secrets (tenant_id, client_id);
CREATE INDEX device_secrets_expires_at ON device_secrets (expires_at);
