DROP TABLE device_secrets;
