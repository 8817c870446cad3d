DROP INDEX grants_detailed;
ALTER TABLE device_codes DROP COLUMN authorization_details;
