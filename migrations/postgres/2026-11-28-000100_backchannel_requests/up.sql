-- Client-initiated backchannel authentication: what an application asks a person who isn't at it.
CREATE TABLE backchannel_requests (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    client_id uuid NOT NULL,
    user_id uuid NOT NULL,
    proof_hash bytea NOT NULL,
    issuer text NOT NULL,
    scope text NOT NULL,
    resources text NOT NULL,
    claims text,
    binding_message text NOT NULL,
    delivery_mode text NOT NULL,
    sealed_notice bytea,
    poll_interval integer NOT NULL,
    allowed_at timestamptz,
    denied_at timestamptz,
    expired_at timestamptz,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX backchannel_requests_user_id ON backchannel_requests (tenant_id, user_id, expires_at);
CREATE INDEX backchannel_requests_client_id ON backchannel_requests (tenant_id, client_id);
CREATE INDEX backchannel_requests_expires_at ON backchannel_requests (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON backchannel_requests TO tessera_app;

ALTER TABLE backchannel_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE backchannel_requests FORCE ROW LEVEL SECURITY;
CREATE POLICY backchannel_requests_of_tenant ON backchannel_requests
    USING (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation')
    WITH CHECK (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation');

-- The queue of logout tokens delivers what is to be told of these requests too. Theirs have the nil UUID for a session.
ALTER TABLE logout_deliveries ADD COLUMN kind text NOT NULL DEFAULT 'logout';
ALTER TABLE logout_deliveries ADD COLUMN request_id uuid;
