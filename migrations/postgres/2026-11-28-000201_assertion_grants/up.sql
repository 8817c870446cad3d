-- By whose word a grant was made (RFC 7523), so that it ends with that: the issuer, and the name where one was written down.
CREATE TABLE assertion_grants (
    tenant_id uuid NOT NULL,
    grant_id uuid NOT NULL,
    issuer_hash bytea NOT NULL,
    name_hash bytea,
    PRIMARY KEY (tenant_id, grant_id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, grant_id) REFERENCES grants (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX assertion_grants_issuer_hash ON assertion_grants (tenant_id, issuer_hash);
CREATE INDEX assertion_grants_name_hash ON assertion_grants (tenant_id, name_hash) WHERE name_hash IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON assertion_grants TO tessera_app;

ALTER TABLE assertion_grants ENABLE ROW LEVEL SECURITY;
ALTER TABLE assertion_grants FORCE ROW LEVEL SECURITY;
CREATE POLICY assertion_grants_of_tenant ON assertion_grants
    USING (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation')
    WITH CHECK (tenant_id = nullif(current_setting('tessera.tenant', true), '')::uuid OR current_setting('tessera.scope', true) = 'installation');
