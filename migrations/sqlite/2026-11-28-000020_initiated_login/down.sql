DROP INDEX clients_starts_unasked;
ALTER TABLE clients DROP COLUMN starts_unasked;
