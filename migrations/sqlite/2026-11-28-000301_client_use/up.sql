-- When clients were used last, to the day, and after how many days without use those that registered themselves end (0: never). That is
-- counted from the moment at which the tenant asked for it, or at which it was opened again, at the earliest.
ALTER TABLE clients ADD COLUMN last_used_at TEXT;
ALTER TABLE tenants ADD COLUMN unused_client_days INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN unused_clients_set_at TEXT;
CREATE INDEX clients_unused ON clients (tenant_id, coalesce(last_used_at, created_at)) WHERE registration_hash IS NOT NULL;
CREATE INDEX tenants_unused_client_days ON tenants (id) WHERE unused_client_days > 0;
