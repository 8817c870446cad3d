-- What issuers of assertions call people (RFC 7523): looked up by the keyed hash of issuer and subject, which may be long.
CREATE TABLE external_subjects (
    tenant_id BLOB NOT NULL CHECK (length(tenant_id) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    user_id BLOB NOT NULL CHECK (length(user_id) = 16),
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    name_hash BLOB NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE UNIQUE INDEX external_subjects_name_hash ON external_subjects (tenant_id, name_hash);
CREATE INDEX external_subjects_user_id ON external_subjects (tenant_id, user_id);
