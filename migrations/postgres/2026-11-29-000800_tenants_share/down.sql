DO $$
DECLARE
    tenants_own record;
BEGIN
    FOR tenants_own IN
        SELECT attrelid::regclass AS name
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE attname = 'tenant_id' AND NOT attisdropped AND relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN tenant_id RESET (n_distinct)', tenants_own.name);
        EXECUTE format('ANALYZE %s', tenants_own.name);
    END LOOP;
END
$$;
