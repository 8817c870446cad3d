CREATE TABLE pushed_requests (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    client_id uuid NOT NULL,
    proof_hash bytea NOT NULL,
    issuer text NOT NULL,
    parameters text NOT NULL,
    expires_at timestamptz NOT NULL,
    consumed_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX pushed_requests_client_id ON pushed_requests (tenant_id, client_id);
CREATE INDEX pushed_requests_expires_at ON pushed_requests (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON pushed_requests TO tessera_app;

ALTER TABLE pushed_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE pushed_requests FORCE ROW LEVEL SECURITY;
CREATE POLICY pushed_requests_of_tenant ON pushed_requests
    USING (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation')
    WITH CHECK (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation');
