-- Events of one kind, as the audit finds and the overview counts them, among as many others as there are.
CREATE INDEX audit_events_act ON audit_events (tenant_id, act, id);
-- SQLite counts no rows by itself, and without numbers takes the table's own key for what an index finds. It is told what is typical instead: rows in
-- all, of a tenant, of one act or person or client of it, and of one id.
-- This makes the table of such numbers and looks at no rows: samples of events would outlive their tenants.
ANALYZE sqlite_schema;
DELETE FROM sqlite_stat1 WHERE tbl = 'audit_events';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('audit_events', 'audit_events', '1000000 100000 1'),
    ('audit_events', 'audit_events_act', '1000000 100000 1000 1'),
    ('audit_events', 'audit_events_user_id', '1000000 100000 100 1'),
    ('audit_events', 'audit_events_client_id', '1000000 100000 1000 1');
