-- The tenant's own applications that a person can start from their account: which they are is asked each time that page is opened.
ALTER TABLE clients ADD COLUMN starts_unasked boolean NOT NULL DEFAULT false;
-- Row-level security is forced on the owner, too.
SELECT set_config('tessera.scope', 'installation', true);
UPDATE clients SET starts_unasked = true WHERE metadata LIKE '%"initiate_login_uri":"%' AND metadata LIKE '%"skip_consent":true%';
CREATE INDEX clients_starts_unasked ON clients (tenant_id, id) WHERE starts_unasked;
