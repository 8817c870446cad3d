ALTER TABLE one_time_links DROP COLUMN by_administrator;
