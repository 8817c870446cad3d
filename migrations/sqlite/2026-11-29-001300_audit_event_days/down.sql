DROP INDEX tenants_audit_event_days;
ALTER TABLE tenants DROP COLUMN audit_event_days_set_at;
ALTER TABLE tenants DROP COLUMN audit_event_days;
