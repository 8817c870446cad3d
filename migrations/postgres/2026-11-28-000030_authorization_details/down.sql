ALTER TABLE grants DROP COLUMN authorization_details;
ALTER TABLE resources DROP COLUMN details_types;
