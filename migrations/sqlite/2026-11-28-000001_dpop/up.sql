-- DPoP (RFC 9449): the key that a code and a public client's refresh token are bound to, and the proofs that were used.
ALTER TABLE grants ADD COLUMN dpop_jkt BLOB CHECK (length(dpop_jkt) = 32);
ALTER TABLE refresh_tokens ADD COLUMN dpop_jkt BLOB CHECK (length(dpop_jkt) = 32);

CREATE TABLE dpop_proofs (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    proof_hash BLOB NOT NULL,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, proof_hash),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX dpop_proofs_expires_at ON dpop_proofs (expires_at);

-- client_secret_jwt: secrets that have to be read, sealed under the tenant's data key.
ALTER TABLE clients ADD COLUMN sealed_secret BLOB;
ALTER TABLE clients ADD COLUMN previous_sealed_secret BLOB;
