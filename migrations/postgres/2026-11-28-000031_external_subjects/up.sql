-- What issuers of assertions call people (RFC 7523): looked up by the keyed hash of issuer and subject, which may be long.
CREATE TABLE external_subjects (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL,
    name_hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX external_subjects_name_hash ON external_subjects (tenant_id, name_hash);
CREATE INDEX external_subjects_user_id ON external_subjects (tenant_id, user_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON external_subjects TO tessera_app;

ALTER TABLE external_subjects ENABLE ROW LEVEL SECURITY;
ALTER TABLE external_subjects FORCE ROW LEVEL SECURITY;
CREATE POLICY external_subjects_of_tenant ON external_subjects
    USING (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation')
    WITH CHECK (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation');
