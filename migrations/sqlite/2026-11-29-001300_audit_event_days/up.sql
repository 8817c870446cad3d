-- After how many days a tenant's audit events end (0: never), and since when it asks for that.
ALTER TABLE tenants ADD COLUMN audit_event_days INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN audit_event_days_set_at TEXT;
CREATE INDEX tenants_audit_event_days ON tenants (id) WHERE audit_event_days > 0;
