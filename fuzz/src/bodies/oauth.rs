//! Requests to the protocol's endpoints: parameters, client credentials, tokens in headers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tessera::protocol::authorization::{AuthorizationRequest, MAX_OPAQUE, RedirectTarget};
use tessera::protocol::authorization_details::{AuthorizationDetails, DetailsType};
use tessera::protocol::backchannel_authentication::{
    BackchannelRequest, DeliveryMode, MAX_BINDING_MESSAGE, MAX_NOTIFICATION_TOKEN, PersonHint,
    signed_parameters,
};
use tessera::protocol::bearer::{BearerChallenge, find_token};
use tessera::protocol::claims::{ClaimsRequest, InvalidClaimsRequest};
use tessera::protocol::client_authentication::{ClientCredentials, basic_challenge};
use tessera::protocol::client_metadata::TokenEndpointAuthMethod;
use tessera::protocol::device_authorization::{
    DeviceAuthorizationRequest, MAX_USER_CODE, UserCode,
};
use tessera::protocol::introspection::IntrospectionRequest;
use tessera::protocol::logout::LogoutRequest;
use tessera::protocol::params::{InvalidParams, MAX_BYTES, MAX_PARAMETERS};
use tessera::protocol::person_code::CODE_LENGTH;
use tessera::protocol::resource::ResourceIndicator;
use tessera::protocol::revocation::RevocationRequest;
use tessera::protocol::scope::{InvalidScope, is_scope_token};
use tessera::protocol::strict_json::keeps_numbers;
use tessera::protocol::token::{TokenGrant, TokenRequest};
use tessera::protocol::token_exchange::TokenKind;
use tessera::protocol::{ErrorCode, OAuthError, Params, ResponseMode, Scope, uri};
use url::form_urlencoded::byte_serialize;

use super::text::{check_error, choice, lines, text};

/// Parameters are bounded, and what is printed of them is read again as the same.
fn parameters(data: &[u8]) -> Option<Params> {
    let params = match Params::parse(data) {
        Ok(params) => params,
        Err(error) => {
            if data.len() <= MAX_BYTES && data.split(|byte| *byte == b'&').count() <= MAX_PARAMETERS
            {
                assert_eq!(error, InvalidParams::Encoding);
            }
            check_error(&OAuthError::from(error), &[ErrorCode::InvalidRequest]);
            return None;
        }
    };
    assert!(data.len() <= MAX_BYTES && params.iter().count() <= MAX_PARAMETERS);
    let decoded: usize = params
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    assert!(decoded <= data.len(), "decoding made the text longer");
    let again = Params::parse(params.to_query().as_bytes());
    // Printing escapes, so that a text near the bound may become too long; nothing else may befall it.
    match again {
        Ok(again) => assert!(again == params, "printed and read again, they differ"),
        Err(error) => {
            assert!(error == InvalidParams::TooLarge && params.to_query().len() > MAX_BYTES);
        }
    }
    Some(params)
}

/// `GET /authorize` and the end of a session: what is understood is printed and understood again as the same.
pub fn authorization(data: &[u8]) {
    let Some(params) = parameters(data) else {
        return;
    };
    let target = RedirectTarget::from_params(&params);
    if let Err(error) = &target {
        check_error(error, &[ErrorCode::InvalidRequest]);
    }
    match AuthorizationRequest::from_params(&params) {
        Ok(request) => {
            let target = target.expect("the whole is sound, and so is its first part");
            assert_eq!(target.client_id, request.client_id);
            assert_eq!(target.redirect_uri, request.redirect_uri);
            assert_eq!(target.state, request.state);
            assert_eq!(
                target.response_mode,
                ResponseMode::in_force(
                    request.response_mode,
                    request.response_type.is_front_channel()
                )
            );
            assert!(
                !request.response_type.is_front_channel() || !target.response_mode.is_query(),
                "a token in a query"
            );
            assert!(!request.response_type.has_id_token() || request.nonce.is_some());
            for opaque in [&request.state, &request.nonce].into_iter().flatten() {
                assert!((1..=MAX_OPAQUE).contains(&opaque.len()));
            }
            assert!(request.acr_values.len() <= 20 && request.ui_locales.len() <= 20);
            assert!(request.resources.len() <= 20);
            // A request that waits for its person travels as its own parameters.
            let again = AuthorizationRequest::from_params(&request.to_params())
                .unwrap_or_else(|error| panic!("{error}, read again: {}", request.to_query()));
            assert_eq!(again, request);
            assert!(again.to_params() == request.to_params());
        }
        Err(error) => check_error(
            &error,
            &[
                ErrorCode::InvalidRequest,
                ErrorCode::InvalidScope,
                ErrorCode::InvalidTarget,
                ErrorCode::InvalidAuthorizationDetails,
                ErrorCode::UnsupportedResponseType,
                ErrorCode::RequestNotSupported,
                ErrorCode::RequestUriNotSupported,
                ErrorCode::RegistrationNotSupported,
            ],
        ),
    }
    match LogoutRequest::from_params(&params) {
        Ok(request) => assert!(request.ui_locales.len() <= 20),
        Err(error) => check_error(&error, &[ErrorCode::InvalidRequest]),
    }
}

/// The body of `POST /backchannel_authentication`, and the claims of a signed one: what is shown to a person is short and seen, and one hint says who
/// that is.
pub fn backchannel_request(data: &[u8]) {
    let errors = [
        ErrorCode::InvalidRequest,
        ErrorCode::InvalidScope,
        ErrorCode::InvalidTarget,
        ErrorCode::InvalidBindingMessage,
        ErrorCode::InvalidUserCode,
        ErrorCode::InvalidAuthorizationDetails,
        ErrorCode::InvalidRequestObject,
    ];
    let params = if let Ok(serde_json::Value::Object(claims)) = serde_json::from_slice(data) {
        match signed_parameters(&claims, &Params::default()) {
            Ok(params) => params,
            Err(error) => return check_error(&error, &errors),
        }
    } else if let Some(params) = parameters(data) {
        params
    } else {
        return;
    };
    for mode in DeliveryMode::ALL {
        match BackchannelRequest::from_params(&params, mode) {
            Ok(request) => {
                let message = &request.binding_message;
                assert!(message.chars().count() <= MAX_BINDING_MESSAGE);
                assert!(!message.chars().any(char::is_control) && message.trim() == message);
                assert!(request.scope.contains("openid") && request.requested_expiry != Some(0));
                let token = request.client_notification_token;
                assert_eq!(token.is_some(), mode.notifies());
                assert!(token.is_none_or(|token| {
                    let token = token.expose();
                    token.len() <= MAX_NOTIFICATION_TOKEN
                        && token.bytes().all(|byte| byte.is_ascii_graphic())
                }));
                let (PersonHint::Login(hint)
                | PersonHint::LoginToken(hint)
                | PersonHint::IdToken(hint)) = request.hint;
                assert!(!hint.is_empty());
                assert!(request.user_code.is_none_or(|code| {
                    let code = code.as_bytes();
                    CODE_LENGTH.contains(&code.len()) && code.iter().all(u8::is_ascii_graphic)
                }));
            }
            Err(error) => check_error(&error, &errors),
        }
    }
}

/// The bodies of `POST /token`, `/revoke`, `/introspect` and `/userinfo`.
pub fn token(data: &[u8]) {
    let Some(params) = parameters(data) else {
        return;
    };
    match TokenRequest::from_params(&params) {
        Ok(request) => {
            assert_eq!(
                params.get("grant_type").expect("once"),
                Some(request.grant.grant_type().as_str())
            );
            let with_secret = [Some("authorization_code"), Some("refresh_token")];
            assert!(
                request.device_secret.is_none()
                    || with_secret.contains(&params.get("grant_type").expect("once"))
            );
            if let TokenGrant::NativeSso(join) = &request.grant {
                assert!(!join.id_token.expose().is_empty() && !join.audience.is_empty());
                assert!(!join.device_secret.expose().is_empty());
                assert_ne!(join.requested, TokenKind::IdToken);
            }
            if let TokenGrant::TokenExchange(exchange) = request.grant {
                assert!(
                    exchange.audiences.len() <= 10 && !exchange.subject.token.expose().is_empty()
                );
                assert_ne!(exchange.requested, TokenKind::IdToken);
                assert_eq!(
                    exchange.actor.is_some(),
                    params.get("actor_token_type") != Ok(None)
                );
            }
        }
        Err(error) => check_error(
            &error,
            &[
                ErrorCode::InvalidRequest,
                ErrorCode::InvalidGrant,
                ErrorCode::InvalidScope,
                ErrorCode::InvalidTarget,
                ErrorCode::InvalidAuthorizationDetails,
                ErrorCode::UnsupportedGrantType,
            ],
        ),
    }
    if let Err(error) = DeviceAuthorizationRequest::from_params(&params) {
        check_error(
            &error,
            &[
                ErrorCode::InvalidRequest,
                ErrorCode::InvalidScope,
                ErrorCode::InvalidTarget,
                ErrorCode::InvalidAuthorizationDetails,
            ],
        );
    }
    match ClientCredentials::from_request(&[], &params) {
        Ok(credentials) => {
            assert_ne!(
                credentials.method(),
                Some(TokenEndpointAuthMethod::ClientSecretBasic)
            );
            // RFC 6749 §2.3: one method in each request; §3.1: what has no value is as if it weren't there.
            assert!(
                params.get("client_secret") == Ok(None)
                    || params.get("client_assertion") == Ok(None)
            );
        }
        Err(error) => check_error(
            &error,
            &[ErrorCode::InvalidRequest, ErrorCode::InvalidClient],
        ),
    }
    for refused in [
        RevocationRequest::from_params(&params).err(),
        IntrospectionRequest::from_params(&params).err(),
    ]
    .into_iter()
    .flatten()
    {
        check_error(&refused, &[ErrorCode::InvalidRequest]);
    }
    if let Err(error) = find_token(&[], Some(&params)) {
        check_error(
            &error,
            &[ErrorCode::InvalidRequest, ErrorCode::InvalidToken],
        );
    }
}

/// What a person types as the code of their device: what is understood has one spelling, and eight letters of the input's.
pub fn user_code(data: &[u8]) {
    let input = text(data);
    let Some(code) = UserCode::parse(&input) else {
        return;
    };
    assert!(input.len() <= MAX_USER_CODE);
    let shown = code.to_string();
    assert!(shown.len() == 9 && shown.as_bytes()[4] == b'-');
    assert_eq!(UserCode::parse(&shown), Some(code.clone()));
    assert_eq!(UserCode::parse(&shown.to_lowercase()), Some(code));
    let letters = |text: &str| -> String {
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|letter| letter.to_ascii_uppercase())
            .collect()
    };
    assert_eq!(letters(&input), letters(&shown));
    assert!(!format!("{:?}", UserCode::parse(&shown)).contains(&shown));
}

fn basic_header(client_id: &str, secret: &str) -> String {
    let form = |part: &str| byte_serialize(part.as_bytes()).collect::<String>();
    format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", form(client_id), form(secret)))
    )
}

/// HTTP Basic as RFC 6749 §2.3.1 wants it: what is understood is written and understood again as the same.
pub fn basic(data: &[u8]) {
    let (kind, rest) = choice(data);
    let input = text(rest);
    let [first, second] = lines(&input);
    let read = |header: &str| match ClientCredentials::from_request(&[header], &Params::default()) {
        Ok(ClientCredentials::Basic { client_id, secret }) => {
            Some((client_id, secret.expose().to_owned()))
        }
        Ok(other) => panic!("a header became {:?}", other.method()),
        Err(error) => {
            check_error(&error, &[ErrorCode::InvalidClient]);
            None
        }
    };
    let found = match kind % 3 {
        0 => read(first),
        1 => read(&format!("Basic {}", STANDARD.encode(rest))),
        _ => {
            let found = read(&basic_header(first, second));
            let sound = !first.is_empty() && !first.contains('\0') && !second.contains('\0');
            if sound && first.len() <= 256 && second.len() <= 256 {
                assert_eq!(found, Some((first.to_owned(), second.to_owned())));
            }
            found
        }
    };
    if let Some((client_id, secret)) = found {
        assert!((1..=256).contains(&client_id.len()) && secret.len() <= 256);
        assert_eq!(
            read(&basic_header(&client_id, &secret)),
            Some((client_id.clone(), secret))
        );
        let other = [("client_id", "somebody else")].into_iter().collect();
        assert!(
            client_id == "somebody else"
                || ClientCredentials::from_request(&[first], &other).is_err()
        );
    }
    assert!(
        ClientCredentials::from_request(&[first, second], &Params::default()).is_err(),
        "two headers"
    );
    quoted(&basic_challenge(first));
}

/// A challenge that can't be broken out of: quotes in pairs, nothing escaped.
fn quoted(challenge: &str) {
    assert_eq!(challenge.matches('"').count() % 2, 0, "{challenge}");
    assert!(!challenge.contains('\\'), "{challenge}");
}

/// `Authorization: Bearer`, and the challenge that answers it.
pub fn bearer(data: &[u8]) {
    let input = text(data);
    let [header, posted] = lines(&input);
    let body = [("access_token", posted)].into_iter().collect();
    for body in [None, Some(&body)] {
        match find_token(&[header], body) {
            Ok(Some(token)) => {
                let token = token.expose();
                let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
                assert!(token.bytes().all(allowed), "RFC 6750 §2.1 has no {token:?}");
                assert!(
                    header.ends_with(token.trim()) || header.contains(token) || posted == token
                );
                let again = find_token(&[&format!("Bearer {token}")], None);
                assert_eq!(again.expect("sound").expect("there").expose(), token);
            }
            Ok(None) => assert!(
                !header.to_ascii_lowercase().starts_with("bearer "),
                "{header:?}"
            ),
            Err(error) => {
                check_error(
                    &error,
                    &[ErrorCode::InvalidRequest, ErrorCode::InvalidToken],
                );
                let challenge = BearerChallenge {
                    realm: header,
                    error: Some(&error),
                    scope: Scope::parse(posted).ok().as_ref(),
                }
                .to_string();
                quoted(&challenge);
            }
        }
    }
    assert!(find_token(&[header, header], None).is_err(), "two headers");
}

/// The `claims` parameter (OpenID Connect Core §5.5).
pub fn claims_parameter(data: &[u8]) {
    let input = text(data);
    match ClaimsRequest::parse(&input) {
        Ok(request) => {
            assert!(request.userinfo.len() <= 100 && request.id_token.len() <= 100);
            let printed = serde_json::to_string(&request).expect("JSON");
            let again = ClaimsRequest::parse(&printed)
                .unwrap_or_else(|error| panic!("{error}, read again: {printed}"));
            assert_eq!(again, request);
            if let Some(subject) = request.required_subject() {
                assert!(printed.contains(&serde_json::to_string(subject).expect("JSON")));
            }
        }
        Err(InvalidClaimsRequest::TooLarge | InvalidClaimsRequest::Malformed) => {}
    }
}

/// Rich authorization requests (RFC 9396): a line with a type's definition, and a request behind it.
pub fn authorization_details(data: &[u8]) {
    let input = text(data);
    let (first, rest) = input.split_once('\n').unwrap_or(("", &input));
    let Ok(details) = AuthorizationDetails::parse(rest) else {
        return;
    };
    let printed = details.to_string();
    assert!(keeps_numbers(rest) && keeps_numbers(&printed));
    assert!(printed.len() <= 4096 && details.iter().count() <= 10);
    assert_eq!(
        AuthorizationDetails::parse(&printed).as_ref(),
        Ok(&details),
        "read again"
    );
    assert!(details.cover(&details) && details.cover(&AuthorizationDetails::default()));
    let Ok(kind) = serde_json::from_str::<DetailsType>(first) else {
        return;
    };
    if kind.check().is_err() {
        return;
    }
    for detail in details.iter() {
        let words = kind.in_words(detail, ["de", "en"]);
        assert!(!words.sentence.is_empty());
        if kind.check_detail(detail, "https://api.example").is_ok() {
            // What can be allowed can be shown.
            let shown = words.rest.iter().flat_map(|(name, value)| [name, value]);
            for text in shown.chain([&words.sentence]) {
                assert!(!text.chars().any(char::is_control), "{text:?}");
            }
        }
    }
}

/// Scopes are sets of tokens.
pub fn scope(data: &[u8]) {
    let input = text(data);
    let [first, second] = lines(&input);
    let scope = match Scope::parse(first) {
        Ok(scope) => scope,
        Err(InvalidScope::Character) => {
            assert!(!is_scope_token(first));
            return;
        }
        Err(InvalidScope::TooLong) => {
            assert!(first.len() > 4096 || first.split(' ').count() > 100);
            return;
        }
    };
    assert!(scope.len() <= 100);
    assert!(scope.iter().all(is_scope_token));
    let printed = scope.to_string();
    assert!(printed.len() <= first.len());
    let again: Scope = printed.parse().expect("its own text");
    assert_eq!(again, scope);
    assert_eq!(again.to_string(), printed);
    let Ok(other) = Scope::parse(second) else {
        return;
    };
    let (both, all) = (scope.intersection(&other), scope.union(&other));
    assert!(both.is_subset_of(&scope) && both.is_subset_of(&other));
    assert!(scope.is_subset_of(&all) && other.is_subset_of(&all));
    assert_eq!(both, other.intersection(&scope));
    assert_eq!(scope.difference(&other).union(&both), scope);
    assert!(scope.difference(&other).intersection(&other).is_empty());
}

/// Resource indicators (RFC 8707), and every URI that is read strictly.
pub fn resource(data: &[u8]) {
    let input = text(data);
    match ResourceIndicator::parse(&input) {
        Ok(resource) => {
            assert_eq!(resource.as_str(), input);
            assert!(
                input.len() <= uri::MAX_URI && input.bytes().all(|byte| byte.is_ascii_graphic())
            );
            // RFC 8707 §2: "MUST be an absolute URI" and "MUST NOT include a fragment component".
            assert!(input.contains(':') && !input.contains('#'));
            let url = uri::parse_absolute(&input).expect("the same rules");
            assert!(url.username().is_empty() && url.password().is_none());
            // What the parser would have mended is refused: it may add a slash to an empty path, and leave out a default port.
            let plain = url.as_str();
            assert!(
                plain == input || uri::parse_absolute(plain).is_ok_and(|again| again == url),
                "{input} is {plain}"
            );
        }
        Err(error) => check_error(
            &OAuthError::invalid_target(error.to_string()),
            &[ErrorCode::InvalidTarget],
        ),
    }
    if uri::check_origin(&input).is_ok() {
        let url = uri::parse_web(&input).expect("an origin is an address");
        assert_eq!(url.origin().ascii_serialization(), input);
    }
    if let Ok(url) = uri::parse_web(&input) {
        assert!(
            url.scheme() == "https"
                || uri::is_loopback_literal(&url)
                || url
                    .host_str()
                    .is_some_and(|host| host == "localhost" || host.ends_with(".localhost"))
        );
    }
}
