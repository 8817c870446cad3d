ALTER TABLE refresh_tokens DROP COLUMN x5t_s256;
