DROP TABLE assertion_grants;
