-- Dynamic client registration: what marks a client that registered itself, and the tokens that let one do so.
ALTER TABLE clients ADD COLUMN registration_hash BLOB;
ALTER TABLE clients ADD COLUMN initial_access_token_id BLOB CHECK (length(initial_access_token_id) = 16);
-- How many there are is asked at each registration.
CREATE INDEX clients_registered ON clients (tenant_id) WHERE registration_hash IS NOT NULL;

CREATE TABLE initial_access_tokens (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    name TEXT NOT NULL,
    proof_hash BLOB NOT NULL,
    uses INTEGER NOT NULL,
    max_uses INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX initial_access_tokens_expires_at ON initial_access_tokens (expires_at);
