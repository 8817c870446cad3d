-- What PostgreSQL believes of a tenant: that it has a hundredth of each table.
--
-- By itself it counts how many tenants there are and takes all for equally large. Among many small ones it then expects a row or two of each
-- tenant, and finds any index that begins with the tenant as good as the key of the row that is asked for: whatever belongs to a large tenant
-- was looked for among all that this tenant has, at each request. With a hundredth, keys win as soon as a table has a few hundred rows, and an
-- index of the tenant still wins over reading the whole table where all of its rows are wanted.
DO $$
DECLARE
    tenants_own record;
BEGIN
    FOR tenants_own IN
        SELECT attrelid::regclass AS name
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE attname = 'tenant_id' AND NOT attisdropped AND relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN tenant_id SET (n_distinct = 100)', tenants_own.name);
        EXECUTE format('ANALYZE %s', tenants_own.name);
    END LOOP;
END
$$;
