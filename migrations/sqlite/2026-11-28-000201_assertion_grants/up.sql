-- By whose word a grant was made (RFC 7523), so that it ends with that: the issuer, and the name where one was written down.
CREATE TABLE assertion_grants (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    grant_id BLOB NOT NULL CHECK (length(grant_id) = 16),
    issuer_hash BLOB NOT NULL,
    name_hash BLOB,
    PRIMARY KEY (tenant_id, grant_id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, grant_id) REFERENCES grants (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX assertion_grants_issuer_hash ON assertion_grants (tenant_id, issuer_hash);
CREATE INDEX assertion_grants_name_hash ON assertion_grants (tenant_id, name_hash) WHERE name_hash IS NOT NULL;
