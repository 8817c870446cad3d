-- What issuers call people is looked for whatever its capitals, as people, clients and APIs are.
ALTER TABLE external_subjects ADD COLUMN search_key text NOT NULL DEFAULT '';
-- Row-level security is forced on the owner, too.
SELECT set_config('tessera.scope', 'installation', true);
UPDATE external_subjects SET search_key = lower(subject || chr(10) || issuer);
