DELETE FROM logout_deliveries WHERE kind <> 'logout';
ALTER TABLE logout_deliveries DROP COLUMN request_id;
ALTER TABLE logout_deliveries DROP COLUMN kind;
DROP TABLE backchannel_requests;
