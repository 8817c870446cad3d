-- What issuers call people is looked for whatever its capitals, as people, clients and APIs are. Here only A to Z are folded in what is there already.
ALTER TABLE external_subjects ADD COLUMN search_key TEXT NOT NULL DEFAULT '';
UPDATE external_subjects SET search_key = lower(subject || char(10) || issuer);
