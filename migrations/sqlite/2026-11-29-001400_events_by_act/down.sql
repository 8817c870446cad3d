DELETE FROM sqlite_stat1 WHERE tbl = 'audit_events';
DROP INDEX audit_events_act;
