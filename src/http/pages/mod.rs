//! What a person sees under an issuer: views (one struct per page, rendered by askama), the words on them (Fluent), the static files
//! they load, and a tenant's colours.
//!
//! Nothing here behaves: a handler fills a view and answers with `view.render()`. The pages work without script; the two scripts that
//! exist make them smoother. No page holds an inline style or script, so that `default-src 'none'; style-src 'self'; script-src 'self'`
//! fits them all; `img-src` needs the origins of the logos shown and `form-action` those that a form leads to.

pub mod assets;
pub mod brand_sheet;
pub mod device;
pub mod messages;
pub mod samples;
pub mod views;

#[cfg(test)]
mod tests;
