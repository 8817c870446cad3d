-- Whether an administrator made a link to a password: one that was made by somebody with less power ends when its person gets a role. Of those
-- that are out nobody knows.
ALTER TABLE one_time_links ADD COLUMN by_administrator boolean NOT NULL DEFAULT false;
