ALTER TABLE users DROP COLUMN password_by_lesser;
