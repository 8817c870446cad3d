DROP TABLE logout_deliveries;
ALTER TABLE sessions DROP COLUMN lineage_id;
ALTER TABLE clients DROP COLUMN frontchannel_logout;
ALTER TABLE clients DROP COLUMN backchannel_logout;
