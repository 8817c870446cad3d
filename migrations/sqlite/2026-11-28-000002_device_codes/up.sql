CREATE TABLE device_codes (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    client_id BLOB NOT NULL CHECK (length(client_id) = 16),
    proof_hash BLOB NOT NULL,
    user_code_hash BLOB NOT NULL,
    issuer TEXT NOT NULL,
    scope TEXT NOT NULL,
    resources TEXT NOT NULL,
    address TEXT NOT NULL,
    poll_interval INTEGER NOT NULL,
    allowed_at TEXT,
    denied_at TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE UNIQUE INDEX device_codes_user_code_hash ON device_codes (tenant_id, user_code_hash);
CREATE INDEX device_codes_client_id ON device_codes (tenant_id, client_id, expires_at);
CREATE INDEX device_codes_expires_at ON device_codes (expires_at);
