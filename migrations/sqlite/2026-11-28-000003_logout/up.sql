-- Telling clients that a person signed out. Which clients want to be told is asked at each end of a session.
ALTER TABLE clients ADD COLUMN backchannel_logout BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE clients ADD COLUMN frontchannel_logout BOOLEAN NOT NULL DEFAULT FALSE;

-- The first of the sessions that follow one another as the same person signs in again in the same browser: what became of each is told to
-- the clients of all. Sessions of before follow none.
ALTER TABLE sessions ADD COLUMN lineage_id BLOB CHECK (length(lineage_id) = 16);

-- No key leads to the person or the session: both may be gone before their clients have heard of it.
CREATE TABLE logout_deliveries (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    client_id BLOB NOT NULL CHECK (length(client_id) = 16),
    user_id BLOB NOT NULL CHECK (length(user_id) = 16),
    session_id BLOB NOT NULL CHECK (length(session_id) = 16),
    issuer TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    claimed BOOLEAN NOT NULL,
    due_at TEXT,
    last_error TEXT,
    created_at TEXT NOT NULL,
    ended_at TEXT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX logout_deliveries_client_id ON logout_deliveries (tenant_id, client_id);
CREATE INDEX logout_deliveries_state ON logout_deliveries (tenant_id, state, id);
CREATE INDEX logout_deliveries_due_at ON logout_deliveries (due_at, tenant_id) WHERE due_at IS NOT NULL;
CREATE INDEX logout_deliveries_ended_at ON logout_deliveries (state, ended_at) WHERE ended_at IS NOT NULL;
