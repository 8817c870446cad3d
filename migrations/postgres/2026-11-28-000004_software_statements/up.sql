-- The software statement by which a client registered itself: it goes on deciding what it says (RFC 7591 §2.3).
ALTER TABLE clients ADD COLUMN software_statement text;
