-- Client-initiated backchannel authentication: what an application asks a person who isn't at it.
CREATE TABLE backchannel_requests (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    client_id BLOB NOT NULL CHECK (length(client_id) = 16),
    user_id BLOB NOT NULL CHECK (length(user_id) = 16),
    proof_hash BLOB NOT NULL,
    issuer TEXT NOT NULL,
    scope TEXT NOT NULL,
    resources TEXT NOT NULL,
    claims TEXT,
    binding_message TEXT NOT NULL,
    delivery_mode TEXT NOT NULL,
    sealed_notice BLOB,
    poll_interval INTEGER NOT NULL,
    allowed_at TEXT,
    denied_at TEXT,
    expired_at TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX backchannel_requests_user_id ON backchannel_requests (tenant_id, user_id, expires_at);
CREATE INDEX backchannel_requests_client_id ON backchannel_requests (tenant_id, client_id);
CREATE INDEX backchannel_requests_expires_at ON backchannel_requests (expires_at);

-- The queue of logout tokens delivers what is to be told of these requests too. Theirs have the nil UUID for a session.
ALTER TABLE logout_deliveries ADD COLUMN kind TEXT NOT NULL DEFAULT 'logout';
ALTER TABLE logout_deliveries ADD COLUMN request_id BLOB CHECK (length(request_id) = 16);
