DROP TABLE initial_access_tokens;
DROP INDEX clients_registered;
ALTER TABLE clients DROP COLUMN initial_access_token_id;
ALTER TABLE clients DROP COLUMN registration_hash;
