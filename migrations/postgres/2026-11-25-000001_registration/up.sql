-- Dynamic client registration: what marks a client that registered itself, and the tokens that let one do so.
ALTER TABLE clients ADD COLUMN registration_hash bytea;
ALTER TABLE clients ADD COLUMN initial_access_token_id uuid;
-- How many there are is asked at each registration.
CREATE INDEX clients_registered ON clients (tenant_id) WHERE registration_hash IS NOT NULL;

CREATE TABLE initial_access_tokens (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    proof_hash bytea NOT NULL,
    uses integer NOT NULL,
    max_uses integer NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);
CREATE INDEX initial_access_tokens_expires_at ON initial_access_tokens (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON initial_access_tokens TO tessera_app;

ALTER TABLE initial_access_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE initial_access_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY initial_access_tokens_of_tenant ON initial_access_tokens
    USING (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation')
    WITH CHECK (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation');
