CREATE TABLE device_codes (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    client_id uuid NOT NULL,
    proof_hash bytea NOT NULL,
    user_code_hash bytea NOT NULL,
    issuer text NOT NULL,
    scope text NOT NULL,
    resources text NOT NULL,
    address text NOT NULL,
    poll_interval integer NOT NULL,
    allowed_at timestamptz,
    denied_at timestamptz,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX device_codes_user_code_hash ON device_codes (tenant_id, user_code_hash);
CREATE INDEX device_codes_client_id ON device_codes (tenant_id, client_id, expires_at);
CREATE INDEX device_codes_expires_at ON device_codes (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON device_codes TO tessera_app;

ALTER TABLE device_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_codes FORCE ROW LEVEL SECURITY;
CREATE POLICY device_codes_of_tenant ON device_codes
    USING (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation')
    WITH CHECK (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation');
