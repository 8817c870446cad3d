-- Rich authorization requests (RFC 9396): the types that an API understands, and what a grant allows in objects.
ALTER TABLE resources ADD COLUMN details_types TEXT NOT NULL DEFAULT '[]';
ALTER TABLE grants ADD COLUMN authorization_details TEXT;
