ALTER TABLE external_subjects DROP COLUMN search_key;
