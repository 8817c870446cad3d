-- Rich authorization requests (RFC 9396) of devices, and what a person allowed by such requests: asked each time they look at their applications.
ALTER TABLE device_codes ADD COLUMN authorization_details TEXT;
CREATE INDEX grants_detailed ON grants (tenant_id, user_id, id) WHERE authorization_details IS NOT NULL;
