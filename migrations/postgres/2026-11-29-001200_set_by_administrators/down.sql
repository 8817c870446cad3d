ALTER TABLE clients DROP COLUMN set_by_administrators;
