-- Telling clients that a person signed out. Which clients want to be told is asked at each end of a session.
ALTER TABLE clients ADD COLUMN backchannel_logout boolean NOT NULL DEFAULT false;
ALTER TABLE clients ADD COLUMN frontchannel_logout boolean NOT NULL DEFAULT false;

-- The first of the sessions that follow one another as the same person signs in again in the same browser: what became of each is told to
-- the clients of all. Sessions of before follow none.
ALTER TABLE sessions ADD COLUMN lineage_id uuid;

-- No key leads to the person or the session: both may be gone before their clients have heard of it.
CREATE TABLE logout_deliveries (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    client_id uuid NOT NULL,
    user_id uuid NOT NULL,
    session_id uuid NOT NULL,
    issuer text NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    claimed boolean NOT NULL,
    due_at timestamptz,
    last_error text,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX logout_deliveries_client_id ON logout_deliveries (tenant_id, client_id);
CREATE INDEX logout_deliveries_state ON logout_deliveries (tenant_id, state, id);
CREATE INDEX logout_deliveries_due_at ON logout_deliveries (due_at, tenant_id) WHERE due_at IS NOT NULL;
CREATE INDEX logout_deliveries_ended_at ON logout_deliveries (state, ended_at) WHERE ended_at IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON logout_deliveries TO tessera_app;

ALTER TABLE logout_deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE logout_deliveries FORCE ROW LEVEL SECURITY;
CREATE POLICY logout_deliveries_of_tenant ON logout_deliveries
    USING (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation')
    WITH CHECK (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation');
