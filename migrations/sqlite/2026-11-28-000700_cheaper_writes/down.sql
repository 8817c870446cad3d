DROP INDEX grants_code_expires_at;
CREATE INDEX grants_code_expires_at ON grants (code_expires_at) WHERE redeemed_at IS NULL;
