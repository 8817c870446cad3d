//! The build without the filter by tenant: row-level security keeps tenants apart by itself, and where there is none, nothing does, which
//! shows that the filter is really gone and that the tests would see it.

use tessera::storage::PageRequest;

use crate::support::database::{TestDatabase, run};

/// Whether tenant B reads a person of tenant A.
async fn is_seen(database: TestDatabase) -> (bool, usize) {
    let (a, b) = (
        database.tenant("acme").await,
        database.tenant("globex").await,
    );
    let user = crate::storage::fixture_user(&database.clock);
    let id = user.id;
    database
        .db
        .write(&a, move |repo| repo.insert_user(&user))
        .await
        .expect("inserted");
    let read = database.db.read(&b, move |repo| {
        Ok((
            repo.find_user(id)?.is_some(),
            repo.list_users(None, PageRequest::default())?.items.len(),
        ))
    });
    read.await.expect("read")
}

#[test]
fn where_nothing_else_keeps_tenants_apart_the_filter_alone_does() {
    let filtered = !cfg!(feature = "without-scoping");
    run(TestDatabase::sqlite(), async move |database| {
        assert_eq!(
            is_seen(database).await,
            if filtered { (false, 0) } else { (true, 1) }
        );
    });
}

#[test]
fn row_level_security_needs_no_filter() {
    run(TestDatabase::postgres(), async |database| {
        assert_eq!(is_seen(database).await, (false, 0));
    });
}
