DROP INDEX tenants_unused_client_days;
DROP INDEX clients_unused;
ALTER TABLE tenants DROP COLUMN unused_clients_set_at;
ALTER TABLE tenants DROP COLUMN unused_client_days;
ALTER TABLE clients DROP COLUMN last_used_at;
