DROP INDEX audit_events_act;
