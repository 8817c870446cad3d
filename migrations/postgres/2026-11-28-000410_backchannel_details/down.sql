ALTER TABLE users DROP COLUMN request_code_hash;
ALTER TABLE backchannel_requests DROP COLUMN authorization_details;
