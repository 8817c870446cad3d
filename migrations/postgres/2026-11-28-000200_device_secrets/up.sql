-- The secrets by which the applications of one vendor on a device share a person's session (OpenID Connect Native SSO).
CREATE TABLE device_secrets (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    session_id uuid NOT NULL,
    client_id uuid NOT NULL,
    proof_hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX device_secrets_session_id ON device_secrets (tenant_id, session_id, client_id);
CREATE INDEX device_secrets_client_id ON device_secrets (tenant_id, client_id);
CREATE INDEX device_secrets_expires_at ON device_secrets (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON device_secrets TO tessera_app;

ALTER TABLE device_secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_secrets FORCE ROW LEVEL SECURITY;
CREATE POLICY device_secrets_of_tenant ON device_secrets
    USING (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation')
    WITH CHECK (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation');
