-- Events of one kind, as the audit finds and the overview counts them, among as many others as there are.
CREATE INDEX audit_events_act ON audit_events (tenant_id, act, id);
