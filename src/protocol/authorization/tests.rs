use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::protocol::prompt::Prompt;

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn params(query: &str) -> Params {
    Params::parse(query.as_bytes()).unwrap()
}

fn read(query: &str) -> Result<AuthorizationRequest, ErrorCode> {
    AuthorizationRequest::from_params(&params(query)).map_err(|error| error.code)
}

#[test]
fn a_whole_request() {
    let state = "s".repeat(128);
    let query = format!(
        "response_type=code&client_id=s6BhdRkqt3&redirect_uri=https%3A%2F%2Fclient.example.org%2Fcb%3Fx%3D1&scope=openid%20profile&state={state}\
         &nonce=n-0S6_WzA2Mj&prompt=login+consent&display=hologram&max_age=0&ui_locales=fr-CA+en+%3Cscript%3E&acr_values=a+b\
         &claims=%7B%22id_token%22%3A%7B%22acr%22%3Anull%7D%7D&resource=https%3A%2F%2Fa.example%2F&resource=urn%3Ab&resource=urn%3Ab\
         &login_hint=ada%40example.com&id_token_hint=a.b.c&response_mode=form_post&code_challenge={CHALLENGE}&code_challenge_method=S256\
         &dpop_jkt={CHALLENGE}&unknown=1&unknown=2"
    );
    let request = read(&query).unwrap();
    assert!(request.is_openid() && request.prompt.contains(Prompt::Consent));
    assert_eq!(
        request.redirect_uri.as_deref(),
        Some("https://client.example.org/cb?x=1")
    );
    assert_eq!(
        (request.state.as_deref(), request.max_age),
        (Some(state.as_str()), Some(0))
    );
    assert_eq!(
        (request.ui_locales.join(","), request.display),
        ("fr-CA,en".into(), None)
    );
    assert_eq!(
        (request.resources.len(), request.response_mode),
        (2, Some(ResponseMode::FormPost))
    );
    assert!(request.code_challenge.is_some() && request.dpop_jkt.is_some());
    assert_eq!(read(&request.to_query()).unwrap(), request);
}

#[test]
fn the_first_step_survives_faults_of_the_second() {
    let target = |query: &str| RedirectTarget::from_params(&params(query));
    let sound = target("client_id=a&redirect_uri=https%3A%2F%2Fa.example%2F&state=s&response_type=pizza&scope=%22&max_age=x&prompt=none+login").unwrap();
    assert_eq!(sound.state.as_deref(), Some("s"));
    let faulty = target("client_id=a&state=1&state=2&response_mode=pigeon").unwrap();
    assert_eq!(
        (faulty.state, faulty.response_mode),
        (None, ResponseMode::Query)
    );
    for (query, mode) in [
        ("response_type=id_token", ResponseMode::Fragment),
        ("response_type=token", ResponseMode::Fragment),
        (
            "response_type=code&response_type=token",
            ResponseMode::Fragment,
        ),
        (
            "response_type=pizza+id_token&response_mode=pigeon",
            ResponseMode::Fragment,
        ),
        (
            "response_type=code+token&response_mode=query",
            ResponseMode::Fragment,
        ),
        (
            "response_type=code+token&response_mode=query.jwt",
            ResponseMode::FragmentJwt,
        ),
        (
            "response_type=id_token&response_mode=jwt",
            ResponseMode::FragmentJwt,
        ),
        (
            "response_type=id_token&response_mode=form_post",
            ResponseMode::FormPost,
        ),
        ("response_type=pizza", ResponseMode::Query),
        ("response_type=id_tokens", ResponseMode::Query),
        (
            "response_type=code&response_mode=jwt",
            ResponseMode::QueryJwt,
        ),
    ] {
        let read = target(&format!("client_id=a&{query}")).unwrap();
        assert_eq!(read.response_mode, mode, "{query}");
    }
    for query in [
        "",
        "client_id=",
        "client_id=a&client_id=a",
        "client_id=a&redirect_uri=b&redirect_uri=b",
    ] {
        assert!(target(query).is_err(), "{query}");
    }
}

#[test]
fn faults() {
    use ErrorCode::{
        InvalidRequest, InvalidScope, InvalidTarget, RegistrationNotSupported, RequestNotSupported,
        RequestUriNotSupported, UnsupportedResponseType,
    };
    let long = format!("state={}", "s".repeat(MAX_OPAQUE + 1));
    let verbose = format!("nonce={}", "n".repeat(MAX_OPAQUE + 1));
    let resources = "resource=urn:a&".repeat(21);
    for (query, code) in [
        ("response_type=", InvalidRequest),
        ("response_type=code&response_type=code", InvalidRequest),
        ("response_type=token", UnsupportedResponseType),
        ("response_type=none", UnsupportedResponseType),
        ("response_type=code+code", UnsupportedResponseType),
        // OpenID Connect Core §3.2.2.1: nonce, and openid, which makes it a request of OpenID Connect at all
        ("response_type=id_token&scope=openid", InvalidRequest),
        ("response_type=code+id_token&scope=openid", InvalidRequest),
        ("response_type=id_token&nonce=n", InvalidRequest),
        (
            "response_type=id_token+token&nonce=n&scope=email",
            InvalidRequest,
        ),
        (
            "response_type=code+token&response_mode=query",
            InvalidRequest,
        ),
        (
            "response_type=id_token&nonce=n&scope=openid&response_mode=query.jwt",
            InvalidRequest,
        ),
        ("state=1&state=2", InvalidRequest),
        (&long, InvalidRequest),
        (&verbose, InvalidRequest),
        ("response_mode=pigeon", InvalidRequest),
        ("scope=a%0Ab", InvalidScope),
        ("prompt=none+login", InvalidRequest),
        ("prompt=create", InvalidRequest),
        ("max_age=-1", InvalidRequest),
        ("max_age=1.5", InvalidRequest),
        ("claims=%5B%5D", InvalidRequest),
        ("id_token_hint=%3Cscript%3E", InvalidRequest),
        ("resource=relative", InvalidTarget),
        ("resource=https%3A%2F%2Fa.example%2F%23x", InvalidTarget),
        (&resources, InvalidTarget),
        ("request=e30.e30.", RequestNotSupported),
        (
            "request_uri=https%3A%2F%2Fa.example",
            RequestUriNotSupported,
        ),
        ("registration=%7B%7D", RegistrationNotSupported),
        (
            "code_challenge=x&code_challenge_method=S256",
            InvalidRequest,
        ),
        (&format!("code_challenge={CHALLENGE}"), InvalidRequest),
        (
            &format!("code_challenge={CHALLENGE}&code_challenge_method=plain"),
            InvalidRequest,
        ),
        ("code_challenge_method=S256", InvalidRequest),
        ("dpop_jkt=short", InvalidRequest),
        (
            &format!("dpop_jkt={CHALLENGE}&dpop_jkt={CHALLENGE}"),
            InvalidRequest,
        ),
    ] {
        let rest = if query.starts_with("response_type") {
            "client_id=a"
        } else {
            "client_id=a&response_type=code"
        };
        assert_eq!(
            read(&format!("{rest}&{query}")).unwrap_err(),
            code,
            "{query}"
        );
    }
    assert_eq!(read("client_id=a").unwrap_err(), InvalidRequest);
}

#[test]
fn response_types_are_read_in_any_order() {
    for (query, response_type) in [
        ("code", ResponseType::Code),
        ("id_token&nonce=n", ResponseType::IdToken),
        ("token+id_token&nonce=n", ResponseType::IdTokenToken),
        ("id_token+code&nonce=n", ResponseType::CodeIdToken),
        ("token+code", ResponseType::CodeToken),
        (
            "token+code+id_token&nonce=n",
            ResponseType::CodeIdTokenToken,
        ),
    ] {
        let request = read(&format!(
            "client_id=a&scope=openid&response_mode=jwt&response_type={query}"
        ))
        .unwrap();
        assert_eq!(request.response_type, response_type, "{query}");
        assert_eq!(read(&request.to_query()).unwrap(), request);
    }
}

#[test]
fn hints_never_cause_an_error() {
    let huge = format!("login_hint={}", "x".repeat(5000));
    let locales = format!("ui_locales={}", "de+".repeat(10_000));
    for query in [
        "display=%00x".replace("%00", "%07").as_str(),
        "ui_locales=%22+%3C+--",
        "login_hint=a%0Ab",
        "acr_values=%E2%98%83",
        "claims_locales=+++",
        &huge,
        &locales,
    ] {
        let request = read(&format!("client_id=a&response_type=code&{query}")).unwrap();
        assert!(
            request.login_hint.is_none()
                && request.acr_values.is_empty()
                && request.ui_locales.len() <= 20,
            "{query}"
        );
    }
    assert_eq!(
        read("client_id=a&response_type=code&max_age=99999999999999999999")
            .unwrap()
            .max_age,
        Some(u32::MAX)
    );
}

#[test]
fn a_flood_of_scopes_is_refused_at_once() {
    let query = format!(
        "client_id=a&response_type=code&scope={}",
        "s+".repeat(30_000)
    );
    let begun = Instant::now();
    assert_eq!(read(&query).unwrap_err(), ErrorCode::InvalidRequest);
    assert!(begun.elapsed() < Duration::from_millis(50));
}

proptest! {
    #[test]
    fn whatever_is_accepted_reads_the_same_again(
        names in proptest::collection::vec("scope|state|nonce|prompt|display|max_age|ui_locales|login_hint|acr_values|claims|resource|response_mode", 0..8),
        response_type in "code|id_token|token code|token id_token code",
        values in proptest::collection::vec("openid|jwt|login|consent|none|popup|[0-9]{1,5}|de-CH en|urn:x|query|\\{\\}|\\PC{0,12}", 8),
    ) {
        let pairs = names.iter().map(String::as_str).zip(values.iter().map(String::as_str));
        let params: Params = [("client_id", "a"), ("response_type", response_type.as_str())].into_iter().chain(pairs).collect();
        if let Ok(request) = AuthorizationRequest::from_params(&params) {
            let again = read(&request.to_query()).unwrap();
            prop_assert_eq!(again, request);
        }
    }
}
