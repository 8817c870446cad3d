//! The bodies of the fuzz targets: each takes bytes, has the product read them, and panics where what came of it breaks a promise.
//!
//! They stand in one place and run in two ways: under libFuzzer (`fuzz/run`), and over the corpus of the tree and its mutations in the
//! integration tests, which include this module by its path. So nothing here may depend on either.

pub mod addresses;
pub mod api;
pub mod browser;
pub mod certificates;
pub mod clients;
pub mod encrypted;
pub mod http;
pub mod jose;
mod mutate;
pub mod oauth;
pub mod pages;
pub mod people;
pub mod proofs;
pub mod redirects;
mod session;
mod text;
mod world;

pub use mutate::Mutations;

/// One parser, or several that read the same input.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The target's name: that of its corpus, and of its dictionary where it has one.
    pub name: &'static str,
    /// The longest input that makes sense, in bytes.
    pub most: usize,
    /// How many mutated inputs the tests try.
    pub trials: u32,
    /// Panics where a promise is broken.
    pub body: fn(&[u8]),
}

const fn target(name: &'static str, most: usize, trials: u32, body: fn(&[u8])) -> Target {
    Target {
        name,
        most,
        trials,
        body,
    }
}

/// Every target there is, each on a line of its own: `fuzz/run` reads them.
#[rustfmt::skip]
pub const TARGETS: &[Target] = &[
    target("authorization", 8192, 2000, oauth::authorization),
    target("token", 8192, 2000, oauth::token),
    target("backchannel_request", 8192, 2000, oauth::backchannel_request),
    target("user_code", 256, 2000, oauth::user_code),
    target("basic", 4096, 2000, oauth::basic),
    target("bearer", 2048, 2000, oauth::bearer),
    target("authorization_details", 8192, 2000, oauth::authorization_details),
    target("claims_parameter", 8192, 2000, oauth::claims_parameter),
    target("scope", 4096, 2000, oauth::scope),
    target("resource", 2048, 2000, oauth::resource),
    target("redirect_uri", 4096, 2000, redirects::redirect_uri),
    target("client_metadata", 8192, 2000, clients::client_metadata),
    target("merge_patch", 8192, 1000, clients::merge_patch),
    target("jws", 8192, 400, jose::jws),
    target("client_assertion", 8192, 400, jose::client_assertion),
    target("bearer_assertion", 8192, 400, jose::bearer_assertion),
    target("login_hint", 8192, 400, jose::login_hint),
    target("request_object", 8192, 400, jose::request_object),
    target("jwe", 8192, 400, encrypted::jwe),
    target("request_uri", 2048, 2000, encrypted::request_uri),
    target("dpop_proof", 8192, 400, proofs::dpop_proof),
    target("certificate", 4096, 1000, certificates::certificate),
    target("jwks", 8192, 1000, jose::jwks),
    target("strict_json", 8192, 2000, jose::strict_json),
    target("handle", 1024, 1000, browser::handle),
    target("cookies", 4096, 1000, browser::cookies),
    target("interaction", 4096, 1000, browser::interaction),
    target("form_token", 1024, 1000, browser::form_token),
    target("pages", 2048, 60, pages::pages),
    target("languages", 1024, 1000, pages::languages),
    target("address", 2048, 2000, addresses::address),
    target("forwarded", 2048, 2000, addresses::forwarded),
    target("cursor", 1024, 2000, api::cursor),
    target("email", 1024, 2000, people::email),
    target("person", 8192, 1000, people::person),
    target("password", 4096, 1000, people::password),
    target("branding", 4096, 1000, people::branding),
    target("http", 8192, 150, http::http),
];
