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
    EgressClient::new(EgressOptions {
        allow: vec![AllowedHost::parse("127.0.0.1").unwrap()],
        ca_file: None,
        timeout: Duration::from_secs(5),
        per_tenant: 4,
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
