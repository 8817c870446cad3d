-- Rich authorization requests (RFC 9396) by the back channel (OpenID Connect CIBA).
ALTER TABLE backchannel_requests ADD COLUMN authorization_details text;
-- The code that a person has themselves asked with.
ALTER TABLE users ADD COLUMN request_code_hash bytea;
