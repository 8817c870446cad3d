//! What a person sees under an issuer: views (one struct per page, rendered by askama), the words on them (Fluent), the static files
//! they load, and a tenant's colours.
//!
//! A handler decides by what a flow answers, fills a view and shows it; views and templates decide nothing. The pages work without script; the scripts that
//! exist make them smoother, and one answers frames of other origins. No page holds an inline style or script, so that `default-src 'none'; style-src 'self'; script-src 'self'`
//! fits them all; `img-src` needs the origins of the logos shown and `form-action` those that a form leads to.

pub mod account;
pub mod assets;
pub mod authorize;
pub mod brand_sheet;
pub mod check_session;
pub mod consent;
pub mod cookies;
pub mod device;
mod form;
pub mod home;
pub mod link;
pub mod login;
pub mod logout;
pub mod messages;
pub mod password_problems;
pub mod render;
pub mod requests;
pub mod routes;
pub mod samples;
pub mod select_account;
pub mod user_code;
pub mod views;
pub mod visit;

pub use routes::routes;

#[cfg(test)]
mod tests;
