//! The pages' part of the URL table, relative to the issuer.

use actix_web::{Resource, web};

use super::{
    account, authorize, check_session, consent, home, link, login, logout, requests,
    select_account, user_code,
};
use crate::http::routes::method_not_allowed;
use crate::protocol::discovery::paths;

/// Adds the pages.
pub fn routes(scope: &mut web::ServiceConfig) {
    scope.service(
        at(paths::AUTHORIZE)
            .route(web::get().to(authorize::get))
            .route(web::post().to(authorize::post)),
    );
    scope.service(at("/authorize/continue").route(web::get().to(authorize::resume)));
    scope.service(
        at("/login")
            .route(web::get().to(login::get))
            .route(web::post().to(login::post)),
    );
    scope.service(
        at("/select-account")
            .route(web::get().to(select_account::get))
            .route(web::post().to(select_account::post)),
    );
    scope.service(
        at("/consent")
            .route(web::get().to(consent::get))
            .route(web::post().to(consent::post)),
    );
    scope.service(
        at(paths::DEVICE)
            .route(web::get().to(user_code::get))
            .route(web::post().to(user_code::post)),
    );
    scope.service(
        at(user_code::CONFIRM)
            .route(web::get().to(user_code::question))
            .route(web::post().to(user_code::answer)),
    );
    scope.service(
        at(paths::LOGOUT)
            .route(web::get().to(logout::get))
            .route(web::post().to(logout::post)),
    );
    scope.service(at(paths::CHECK_SESSION).route(web::get().to(check_session::get)));
    scope.service(
        at("/link/{token}")
            .route(web::get().to(link::get))
            .route(web::post().to(link::post)),
    );
    scope.service(at("/account").route(web::get().to(account::home)));
    scope.service(
        at(requests::REQUESTS)
            .route(web::get().to(requests::list))
            .route(web::post().to(requests::change_code)),
    );
    scope.service(
        at("/account/requests/{request}")
            .route(web::get().to(requests::question))
            .route(web::post().to(requests::answer)),
    );
    scope.service(
        at("/account/password")
            .route(web::get().to(account::password))
            .route(web::post().to(account::change_password)),
    );
    scope.service(
        at("/account/sessions")
            .route(web::get().to(account::sessions))
            .route(web::post().to(account::end_sessions)),
    );
    scope.service(
        at("/account/applications")
            .route(web::get().to(account::applications))
            .route(web::post().to(account::withdraw)),
    );
    scope.service(at("").route(web::get().to(home::tenant)));
    scope.service(at("/").route(web::get().to(home::tenant)));
}

fn at(path: &str) -> Resource {
    web::resource(path).default_service(web::to(method_not_allowed))
}
