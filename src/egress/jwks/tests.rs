use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::json;

use super::*;
use crate::config::{AllowedHost, Value as _};
use crate::egress::{EgressOptions, SystemResolver};

/// A server whose key id is the number of the fetch; from the third on it fails.
fn server() -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let shared = web::Data::from(Arc::clone(&count));
    let app = move || {
        App::new().app_data(shared.clone()).route(
            "/jwks",
            web::get().to(|count: web::Data<AtomicUsize>| async move {
                match count.fetch_add(1, Ordering::SeqCst) {
                    fetch @ (0 | 1) => {
                        HttpResponse::Ok().json(json!({"keys": [{"kid": fetch.to_string()}]}))
                    }
                    _ => HttpResponse::InternalServerError().finish(),
                }
            }),
        )
    };
    let server = HttpServer::new(app)
        .workers(1)
        .bind(("127.0.0.1", 0))
        .unwrap();
    let address = server.addrs()[0];
    actix_web::rt::spawn(server.run());
    (format!("http://{address}/jwks"), count)
}

fn egress() -> EgressClient {
    egress_of(4, Duration::from_secs(5))
}

fn egress_of(per_tenant: usize, timeout: Duration) -> EgressClient {
    EgressClient::new(EgressOptions {
        allow: vec![AllowedHost::parse("127.0.0.1").unwrap()],
        ca_file: None,
        timeout,
        per_tenant,
        resolver: Arc::new(SystemResolver),
    })
    .unwrap()
}

const TENANT: Uuid = Uuid::from_u128(1);
const CLIENT: Uuid = Uuid::from_u128(2);

#[actix_web::test]
async fn an_unknown_key_id_fetches_again_but_not_at_once() {
    let (url, count) = server();
    let (clock, control) = Clock::adjustable();
    let cache = JwksCache::new(egress(), clock);
    let load = |kid: &'static str| cache.load(TENANT, CLIENT, &url, Some(kid));

    let (left, right) = futures_util::future::join(load("0"), load("0")).await;
    assert!(left.unwrap().holds("0") && right.unwrap().holds("0"));
    assert_eq!(
        count.load(Ordering::SeqCst),
        1,
        "simultaneous callers share a fetch"
    );

    assert!(!load("1").await.unwrap().holds("1"));
    assert_eq!(count.load(Ordering::SeqCst), 1, "too soon");

    control.advance(Duration::from_secs(61));
    assert!(load("0").await.unwrap().holds("0"));
    assert_eq!(count.load(Ordering::SeqCst), 1, "a known id needs no fetch");
    assert!(load("1").await.unwrap().holds("1"));
    assert_eq!(count.load(Ordering::SeqCst), 2);

    // Old age asks for a fetch; where it fails the kept set serves on, but not for ever.
    control.advance(Duration::from_secs(3601));
    assert!(load("1").await.unwrap().holds("1"));
    assert!(load("1").await.unwrap().holds("1"));
    assert_eq!(count.load(Ordering::SeqCst), 3);
    control.advance(Duration::from_hours(24));
    assert_eq!(load("1").await, Err(EgressError::Status(500)));
    assert_eq!(load("1").await, Err(EgressError::Status(500)));
    assert_eq!(count.load(Ordering::SeqCst), 4, "failures wait too");

    assert!(
        cache
            .load(TENANT, Uuid::from_u128(3), &url, None)
            .await
            .is_err()
    );
    assert_eq!(
        count.load(Ordering::SeqCst),
        5,
        "another client, another entry"
    );
}

/// Where the line was full nobody was asked, and nothing is known of the client's host.
#[actix_web::test]
async fn a_full_line_is_no_failure_of_the_client() {
    let (url, count) = server();
    // It accepts connections, and answers none.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let silent = format!("http://{}/jwks", listener.local_addr().unwrap());
    let egress = egress_of(1, Duration::from_millis(300));
    let cache = JwksCache::new(egress.clone(), Clock::system());
    let others = (0..5).map(|_| egress.send(TENANT, Outward::get(&silent, 10)));
    let refused = async {
        actix_web::rt::time::sleep(Duration::from_millis(50)).await;
        cache.load(TENANT, CLIENT, &url, None).await
    };
    let (_, refused) =
        futures_util::future::join(futures_util::future::join_all(others), refused).await;
    assert_eq!(refused, Err(EgressError::Busy));
    assert_eq!(count.load(Ordering::SeqCst), 0);
    // Long before a failure would be forgotten.
    let set = cache.load(TENANT, CLIENT, &url, None).await;
    assert!(set.unwrap().holds("0"));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

/// Nor is anything known of one that got its turn when its time was nearly over.
#[actix_web::test]
async fn a_turn_that_comes_late_is_no_failure_of_the_client() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let silent = format!("http://{}/jwks", listener.local_addr().unwrap());
    let egress = egress_of(1, Duration::from_millis(600));
    let cache = JwksCache::new(egress.clone(), Clock::system());
    let other = egress.send(TENANT, Outward::get(&silent, 10));
    let load = || cache.load(TENANT, CLIENT, &silent, None);
    let waiting = async {
        actix_web::rt::time::sleep(Duration::from_millis(100)).await;
        load().await
    };
    let (other, waiting) = futures_util::future::join(other, waiting).await;
    assert_eq!(other.err(), Some(EgressError::Deadline));
    assert_eq!(waiting, Err(EgressError::Late));
    // It is asked in earnest, and then not again for a while.
    for most in [2_000, 100] {
        let begun = std::time::Instant::now();
        assert_eq!(load().await, Err(EgressError::Deadline));
        assert!(begun.elapsed() < Duration::from_millis(most));
    }
}

#[actix_web::test]
async fn the_pause_between_fetches_is_a_setting() {
    let (url, count) = server();
    let (clock, control) = Clock::adjustable();
    let cache = JwksCache::new(egress(), clock).with_refetch_after(Duration::from_secs(5));
    for (after, fetches) in [(0, 1), (4, 1), (2, 2)] {
        control.advance(Duration::from_secs(after));
        let _ = cache.load(TENANT, CLIENT, &url, Some("1")).await;
        assert_eq!(count.load(Ordering::SeqCst), fetches);
    }
}

#[actix_web::test]
async fn a_caller_who_leaves_does_not_end_the_fetch() {
    let (url, count) = server();
    let cache = JwksCache::new(egress(), Clock::system());
    {
        let leaving = cache.load(TENANT, CLIENT, &url, None);
        let pause = actix_web::rt::time::timeout(Duration::from_micros(1), leaving).await;
        drop(pause);
    }
    assert!(
        cache
            .load(TENANT, CLIENT, &url, None)
            .await
            .unwrap()
            .holds("0")
    );
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

/// The answer's own word for its age counts, within a minute and an hour.
#[actix_web::test]
async fn a_set_is_fetched_again_when_its_answer_says_so() {
    for (said, early, due) in [
        ("max-age=600", 599, 601),
        ("no-store", 59, 61),
        ("max-age=0", 59, 61),
        ("max-age=86400", 3_599, 3_601),
    ] {
        let count = Arc::new(AtomicUsize::new(0));
        let shared = web::Data::from(Arc::clone(&count));
        let app = move || {
            let answer = move |count: web::Data<AtomicUsize>| async move {
                count.fetch_add(1, Ordering::SeqCst);
                HttpResponse::Ok()
                    .insert_header(("cache-control", said))
                    .json(json!({"keys": [{"kid": "a"}]}))
            };
            App::new()
                .app_data(shared.clone())
                .route("/jwks", web::get().to(answer))
        };
        let server = HttpServer::new(app)
            .workers(1)
            .bind(("127.0.0.1", 0))
            .unwrap();
        let url = format!("http://{}/jwks", server.addrs()[0]);
        actix_web::rt::spawn(server.run());
        let (clock, control) = Clock::adjustable();
        let cache = JwksCache::new(egress(), clock);
        let load = || cache.load(TENANT, CLIENT, &url, Some("a"));
        assert!(load().await.unwrap().holds("a"));
        control.advance(Duration::from_secs(early));
        load().await.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 1, "{said}");
        control.advance(Duration::from_secs(due - early));
        load().await.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 2, "{said}");
    }
}

#[test]
fn only_sets_of_objects_are_sets() {
    for wrong in [
        json!(null),
        json!([]),
        json!({}),
        json!({"keys": {}}),
        json!({"keys": ["x"]}),
        json!({"keys": vec![json!({}); 101]}),
    ] {
        assert_eq!(JwkSet::from_value(wrong), Err(EgressError::Malformed));
    }
    let set =
        JwkSet::from_value(json!({"keys": [{"kty": "EC", "kid": "a"}, {"kid": 7}], "more": 1}))
            .unwrap();
    assert!(set.holds("a") && !set.holds("7"));
}
