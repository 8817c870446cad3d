-- Codes that were redeemed too: PostgreSQL wrote each index of a grant anew when its code was, as one of them knew of it. What else changes
-- there costs SQLite next to nothing, and could only go with a copy of each table.
DROP INDEX grants_code_expires_at;
CREATE INDEX grants_code_expires_at ON grants (code_expires_at);
