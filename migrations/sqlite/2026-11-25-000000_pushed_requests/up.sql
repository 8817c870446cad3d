CREATE TABLE pushed_requests (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    client_id BLOB NOT NULL CHECK (length(client_id) = 16),
    proof_hash BLOB NOT NULL,
    issuer TEXT NOT NULL,
    parameters TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    consumed_at TEXT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX pushed_requests_client_id ON pushed_requests (tenant_id, client_id);
CREATE INDEX pushed_requests_expires_at ON pushed_requests (expires_at);
