//! Tenants kept apart, generated: three tenants with marked data in every field, every route and every command with identifiers and
//! credentials of each of them in every mix. What is answered, logged and stored is searched for marks.

mod cases;
mod commands;
mod coverage;
pub mod digest;
mod forms;
mod harvest;
mod judge;
mod marks;
pub mod routes;
mod samples;
mod without_scoping;
mod world;

use world::World;

use crate::support::app::TestApp;
use crate::support::database::TestDatabase;

/// The server believes the proxy that tests play, so that what a proxy says can be marked.
const SETTINGS: &str = "trusted_proxies = ['127.0.0.1']\n";

/// The cases are the same each time; another number makes other mixes of those that aren't all tried.
const SEED: u64 = 20_261_125;

/// Tries the cases after so many, and from there on each so many'th, on a server with further settings.
fn keep_apart(database: TestDatabase, settings: &str, (after, each): (usize, usize)) {
    actix_web::rt::System::new().block_on(async {
        let app = TestApp::start(database, &format!("{SETTINGS}{settings}"));
        let world = Box::pin(World::new(app)).await;
        coverage::check(&world);
        let routes = routes::all().await;
        let samples = samples::Samples::gather(&world, &routes).await;
        let cases = cases::all(&samples, SEED).into_iter();
        let mut cases: Vec<_> = cases.skip(after).step_by(each).collect();
        cases.retain(|case| !judge::is_owners_own_change(&world, case));
        let expected = if each == 2 { 10_000 } else { 1_000 };
        let log = judge::Log::default();
        let kept = log.keep();
        let verdict = judge::judge(&world, &samples, cases, &log).await;
        drop(kept);
        println!(
            "seed {SEED}, {} routes, {} cases: {:?}",
            routes.len(),
            verdict.cases,
            verdict.statuses
        );
        for (short, (times, long)) in verdict.wrong.iter().take(20) {
            println!("{times} times: {short}\n{long}\n");
        }
        let short: Vec<_> = verdict.wrong.keys().collect();
        assert!(short.is_empty(), "{short:#?}");
        assert!(verdict.cases >= expected, "{}", verdict.cases);
        assert!(
            verdict.log_bytes > 100 * verdict.cases,
            "the log isn't kept: {}",
            verdict.log_bytes
        );
        // Last, as they use up what the cases need: the requests get past every gate, and nothing that was tried has changed that.
        let own = judge::twins(&world, &samples).await;
        println!("{own} requests of a tenant's own");
        assert_eq!(own, samples.of[&'a'].len());
    });
}

// In two halves, which run side by side.

#[test]
fn tenants_are_kept_apart_sqlite() {
    keep_apart(TestDatabase::sqlite(), "", (0, 2));
}

#[test]
fn tenants_are_kept_apart_by_the_other_half_sqlite() {
    keep_apart(TestDatabase::sqlite(), "", (1, 2));
}

#[test]
fn tenants_are_kept_apart_postgres() {
    keep_apart(TestDatabase::postgres(), "", (0, 2));
}

#[test]
fn tenants_are_kept_apart_by_the_other_half_postgres() {
    keep_apart(TestDatabase::postgres(), "", (1, 2));
}

/// Addresses have nothing to do with the database.
#[test]
fn tenants_by_subdomain_are_kept_apart_sqlite() {
    let subdomains = "public_url = 'https://{tenant}.id.example.com'\n";
    keep_apart(TestDatabase::sqlite(), subdomains, (0, 8));
}
