ALTER TABLE clients DROP COLUMN previous_sealed_secret;
ALTER TABLE clients DROP COLUMN sealed_secret;
DROP TABLE dpop_proofs;
ALTER TABLE refresh_tokens DROP COLUMN dpop_jkt;
ALTER TABLE grants DROP COLUMN dpop_jkt;
