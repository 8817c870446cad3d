//! Health: `live` says that the process runs, `ready` that it can serve.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::flows::Provider;

/// The process runs and answers.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({ "status": "ok" }))
}

/// The database answers, and this node hears of the others' changes.
pub async fn ready(provider: web::Data<Provider>) -> HttpResponse {
    let database = provider
        .db
        .read_installation(|all| all.master_key_fingerprint())
        .await
        .is_ok();
    let feed = provider.is_current();
    let word = |good| if good { "ok" } else { "failing" };
    let body = json!({ "status": word(database && feed), "database": word(database), "change_feed": word(feed) });
    let mut response = if database && feed {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    response
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(body)
}
