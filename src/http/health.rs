//! Health: `live` says that the process runs, `ready` that it can serve.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::flows::{MasterKeyState, Provider};

/// The process runs and answers.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({ "status": "ok" }))
}

/// The database answers, this node hears of the others' changes, and it can open what the database seals.
pub async fn ready(provider: web::Data<Provider>) -> HttpResponse {
    let master_key = provider.follow_master_key().await;
    let database = master_key.is_ok();
    let feed = provider.is_current();
    let is_rotated = matches!(master_key, Ok(MasterKeyState::Rotated));
    let is_ready = database && feed && !is_rotated;
    let word = |good| if good { "ok" } else { "failing" };
    let body = json!({
        "status": word(is_ready), "database": word(database), "change_feed": word(feed),
        "master_key": if is_rotated { "rotated" } else { "ok" },
    });
    let mut response = if is_ready {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    response
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(body)
}
