-- Which members of a client's metadata administrators set after it had registered itself: the client can't widen them. Of those that are there
-- nobody knows; what only administrators give is seen by the metadata.
ALTER TABLE clients ADD COLUMN set_by_administrators text;
