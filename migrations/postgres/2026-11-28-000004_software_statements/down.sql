ALTER TABLE clients DROP COLUMN software_statement;
