-- DPoP (RFC 9449): the key that a code and a public client's refresh token are bound to, and the proofs that were used.
ALTER TABLE grants ADD COLUMN dpop_jkt bytea CHECK (length(dpop_jkt) = 32);
ALTER TABLE refresh_tokens ADD COLUMN dpop_jkt bytea CHECK (length(dpop_jkt) = 32);

CREATE TABLE dpop_proofs (
    tenant_id uuid NOT NULL,
    proof_hash bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, proof_hash),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
CREATE INDEX dpop_proofs_expires_at ON dpop_proofs (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON dpop_proofs TO tessera_app;

ALTER TABLE dpop_proofs ENABLE ROW LEVEL SECURITY;
ALTER TABLE dpop_proofs FORCE ROW LEVEL SECURITY;
CREATE POLICY dpop_proofs_of_tenant ON dpop_proofs
    USING (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation')
    WITH CHECK (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation');

-- client_secret_jwt: secrets that have to be read, sealed under the tenant's data key.
ALTER TABLE clients ADD COLUMN sealed_secret bytea;
ALTER TABLE clients ADD COLUMN previous_sealed_secret bytea;
