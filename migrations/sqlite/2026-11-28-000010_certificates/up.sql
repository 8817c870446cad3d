-- Mutual TLS (RFC 8705): the certificate that a public client's refresh token is bound to, instead of a key.
ALTER TABLE refresh_tokens ADD COLUMN x5t_s256 BLOB CHECK (length(x5t_s256) = 32);
