//! The end of audit events, where a tenant doesn't keep them for ever.

use std::time::Duration;

use crate::support::admin::Admin;
use crate::support::app::{TestApp, TestTenant, app_test};

const DAY: Duration = Duration::from_hours(24);

/// Looks at every tenant, so many events at a time; says how many went, and in how many looks.
async fn sweep(app: &TestApp, batch: i64) -> (usize, usize) {
    let (mut total, mut looks, mut after) = (0, 0, None);
    loop {
        let delete = app
            .provider
            .db
            .write_installation(move |all| all.delete_old_events(batch, after));
        let found = delete.await.expect("runs");
        assert!(found.deleted <= usize::try_from(batch).expect("a few"));
        total += found.deleted;
        looks += 1;
        after = found.reached;
        if !found.more {
            return (total, looks);
        }
        assert!(looks < 100, "it never comes to an end");
    }
}

/// The acts of a tenant's events, the newest first.
async fn acts(admin: &Admin, tenant: &TestTenant) -> Vec<String> {
    let events = admin
        .get(&format!("/tenants/{}/events?limit=200", tenant.slug))
        .await
        .expect_ok()
        .json();
    let events = events["items"].as_array().expect("a list").clone();
    events
        .iter()
        .map(|event| event["act"].as_str().expect("a name").to_owned())
        .collect()
}

async fn keep(app: &TestApp, tenant: &TestTenant, days: u32) {
    app.change_settings(tenant, |settings| settings.audit_event_days = days)
        .await;
}

app_test! {
    async fn events_end_where_their_tenant_says_so(app: TestApp) {
        let tenant = app.tenant("acme").await;
        let other = app.tenant("globex").await;
        let (admin, elsewhere) = (Admin::program(&app, &tenant).await, Admin::program(&app, &other).await);
        for number in 0..6 {
            let made = serde_json::json!({ "email": format!("person-{number}@acme.example") });
            admin.post("/tenants/acme/users", &made).await;
            elsewhere.post("/tenants/globex/users", &made).await;
        }
        let (before, untouched) = (acts(&admin, &tenant).await, acts(&elsewhere, &other).await);
        assert!(before.len() >= 6 && untouched.len() >= 6, "{before:?} {untouched:?}");
        app.time.advance(DAY * 90);
        assert_eq!(sweep(&app, 100).await, (0, 1), "nobody asked for it");
        keep(&app, &tenant, 30).await;
        let young = Admin::program(&app, &tenant).await;
        young.post("/tenants/acme/users", &serde_json::json!({ "email": "young@acme.example" })).await;
        let recent = acts(&young, &tenant).await.len() - before.len();
        assert!(recent > 0);
        assert_eq!(sweep(&app, 100).await.0, 0, "there is a week to undo it");
        app.time.advance(DAY * 6 + Duration::from_secs(86_399));
        assert_eq!(sweep(&app, 100).await.0, 0);
        // A change of something else doesn't begin the week anew.
        app.change_settings(&tenant, |settings| settings.registration_rate = 7).await;
        app.time.advance(Duration::from_secs(1));
        // In small bites; what is younger stays, and so does whatever another tenant has.
        let (deleted, looks) = sweep(&app, 4).await;
        assert_eq!(deleted, before.len());
        assert!(looks > before.len() / 4, "{looks}");
        assert_eq!(sweep(&app, 4).await, (0, 1));
        let left = app.database.raw().count(&format!("audit_events WHERE tenant_id = (SELECT id FROM tenants WHERE slug = '{}')", tenant.slug));
        assert_eq!(usize::try_from(left).expect("some"), recent);
        // To the second: thirty days after they happened, a week of which is over.
        app.time.advance(DAY * 23);
        assert_eq!(sweep(&app, 100).await.0, 0);
        app.time.advance(Duration::from_secs(1));
        assert_eq!(sweep(&app, 100).await.0, recent);
        let kept = acts(&Admin::program(&app, &other).await, &other).await;
        assert!(kept.ends_with(&untouched), "{kept:?}");
        // Whoever thinks again in time loses nothing.
        app.time.advance(DAY * 400);
        keep(&app, &other, 30).await;
        app.time.advance(DAY * 6);
        keep(&app, &other, 0).await;
        app.time.advance(DAY * 6);
        let (_, _) = sweep(&app, 100).await;
        let kept = acts(&Admin::program(&app, &other).await, &other).await;
        assert!(kept.ends_with(&untouched), "{kept:?}");
    }

    /// However many tenants there are, a look has its bounds, and comes to each of them in its turn.
    async fn many_tenants_are_looked_at_some_at_a_time(app: TestApp) {
        let many = 230;
        for number in 0..many {
            let tenant = app.tenant(&format!("tenant-{number}")).await;
            keep(&app, &tenant, 30).await;
        }
        app.time.advance(DAY * 40);
        // Each was made, if nothing else.
        let all = usize::try_from(app.database.raw().count("audit_events")).expect("some");
        assert!(all >= many, "{all}");
        assert_eq!(sweep(&app, 10_000).await, (all, 3));
        assert_eq!(app.database.raw().count("audit_events"), 0);
    }
}
