-- Whether somebody who isn't an administrator may know a person's password: they chose it, or made the link by which it was chosen. It ends when
-- the person gets a role. Of those that are there nobody knows.
ALTER TABLE users ADD COLUMN password_by_lesser boolean NOT NULL DEFAULT false;
