//! Errors of every OAuth and OpenID Connect endpoint: the codes, each quoted from the specification that defines it, and the only table from
//! code to HTTP status.

use std::borrow::Cow;
use std::fmt;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// The longest description that is sent, in bytes.
const MAX_DESCRIPTION: usize = 500;

/// The longest name of the sender's own that stands in a description, in characters.
const MAX_NAME: usize = 64;

/// A name of the sender's own, for a description: so much of it as tells which one it is.
pub fn short(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

macro_rules! error_codes {
    ($( $(#[$doc:meta])* $variant:ident = $text:literal, $status:literal; )+) => {
        /// What went wrong, as the `error` parameter says it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $( $(#[$doc])* $variant, )+
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )+];

            /// The registered text.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }

            /// The HTTP status of a direct answer (not a redirect) with this code.
            pub const fn status(self) -> u16 {
                match self { $( Self::$variant => $status, )+ }
            }
        }
    };
}

error_codes! {
    /// "The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than once, or is
    /// otherwise malformed." [RFC 6749 §4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1),
    /// [§5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2), [RFC 6750 §3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1)
    InvalidRequest = "invalid_request", 400;
    /// "Client authentication failed (e.g., unknown client, no client authentication included, or unsupported authentication method)."
    /// [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)
    InvalidClient = "invalid_client", 401;
    /// "The provided authorization grant […] or refresh token is invalid, expired, revoked, does not match the redirection URI used in the
    /// authorization request, or was issued to another client." [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)
    InvalidGrant = "invalid_grant", 400;
    /// "The authenticated client is not authorized to use this authorization grant type."
    /// [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)
    UnauthorizedClient = "unauthorized_client", 400;
    /// "The authorization grant type is not supported by the authorization server."
    /// [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)
    UnsupportedGrantType = "unsupported_grant_type", 400;
    /// "The authorization server does not support obtaining an authorization code using this method."
    /// [RFC 6749 §4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1)
    UnsupportedResponseType = "unsupported_response_type", 400;
    /// "The requested scope is invalid, unknown, malformed, or exceeds the scope granted by the resource owner."
    /// [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)
    InvalidScope = "invalid_scope", 400;
    /// "The resource owner or authorization server denied the request."
    /// [RFC 6749 §4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1)
    AccessDenied = "access_denied", 400;
    /// "The authorization server encountered an unexpected condition that prevented it from fulfilling the request."
    /// [RFC 6749 §4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1)
    ServerError = "server_error", 500;
    /// "The authorization server is currently unable to handle the request due to a temporary overloading or maintenance of the server."
    /// [RFC 6749 §4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1)
    TemporarilyUnavailable = "temporarily_unavailable", 503;

    /// "The access token provided is expired, revoked, malformed, or invalid for other reasons."
    /// [RFC 6750 §3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1)
    InvalidToken = "invalid_token", 401;
    /// "The request requires higher privileges than provided by the access token."
    /// [RFC 6750 §3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1)
    InsufficientScope = "insufficient_scope", 403;
    /// "The authentication event associated with the access token presented with the request does not meet the authentication requirements of
    /// the protected resource." [RFC 9470 §3](https://www.rfc-editor.org/rfc/rfc9470#section-3)
    InsufficientUserAuthentication = "insufficient_user_authentication", 401;

    /// "The authorization server does not support the revocation of the presented token type."
    /// [RFC 7009 §2.2.1](https://www.rfc-editor.org/rfc/rfc7009#section-2.2.1)
    UnsupportedTokenType = "unsupported_token_type", 400;

    /// "The requested resource is invalid, missing, unknown, or malformed."
    /// [RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707#section-2)
    InvalidTarget = "invalid_target", 400;

    /// "[…] if the authorization details type is unknown or the authorization details object is not conformant to the definition of its type"
    /// [RFC 9396 §5](https://www.rfc-editor.org/rfc/rfc9396#section-5)
    InvalidAuthorizationDetails = "invalid_authorization_details", 400;

    /// The proof of possession is missing, malformed, for another request, or was used before.
    /// [RFC 9449 §5](https://www.rfc-editor.org/rfc/rfc9449#section-5), [§7.1](https://www.rfc-editor.org/rfc/rfc9449#section-7.1)
    InvalidDpopProof = "invalid_dpop_proof", 400;
    /// "Authorization server requires nonce in DPoP proof"
    /// [RFC 9449 §8](https://www.rfc-editor.org/rfc/rfc9449#section-8), [§9](https://www.rfc-editor.org/rfc/rfc9449#section-9)
    UseDpopNonce = "use_dpop_nonce", 400;

    /// "The Authorization Server requires End-User interaction of some form to proceed."
    /// [OpenID Connect Core §3.1.2.6](https://openid.net/specs/openid-connect-core-1_0.html#AuthError)
    InteractionRequired = "interaction_required", 400;
    /// "The Authorization Server requires End-User authentication."
    /// [OpenID Connect Core §3.1.2.6](https://openid.net/specs/openid-connect-core-1_0.html#AuthError)
    LoginRequired = "login_required", 400;
    /// "The End-User is REQUIRED to select a session at the Authorization Server."
    /// [OpenID Connect Core §3.1.2.6](https://openid.net/specs/openid-connect-core-1_0.html#AuthError)
    AccountSelectionRequired = "account_selection_required", 400;
    /// "The Authorization Server requires End-User consent."
    /// [OpenID Connect Core §3.1.2.6](https://openid.net/specs/openid-connect-core-1_0.html#AuthError)
    ConsentRequired = "consent_required", 400;
    /// "The `request_uri` in the Authorization Request returns an error or contains invalid data."
    /// [OpenID Connect Core §3.1.2.6](https://openid.net/specs/openid-connect-core-1_0.html#AuthError)
    InvalidRequestUri = "invalid_request_uri", 400;
    /// "The request parameter contains an invalid Request Object."
    /// [OpenID Connect Core §3.1.2.6](https://openid.net/specs/openid-connect-core-1_0.html#AuthError)
    InvalidRequestObject = "invalid_request_object", 400;
    /// "The OP does not support use of the request parameter."
    /// [OpenID Connect Core §3.1.2.6](https://openid.net/specs/openid-connect-core-1_0.html#AuthError)
    RequestNotSupported = "request_not_supported", 400;
    /// "The OP does not support use of the `request_uri` parameter."
    /// [OpenID Connect Core §3.1.2.6](https://openid.net/specs/openid-connect-core-1_0.html#AuthError)
    RequestUriNotSupported = "request_uri_not_supported", 400;
    /// "The OP does not support use of the registration parameter."
    /// [OpenID Connect Core §3.1.2.6](https://openid.net/specs/openid-connect-core-1_0.html#AuthError)
    RegistrationNotSupported = "registration_not_supported", 400;
    /// The authentication that the request calls essential can't be reached.
    /// [OpenID Connect Core Error Code unmet_authentication_requirements §2](https://openid.net/specs/openid-connect-unmet-authentication-requirements-1_0.html)
    UnmetAuthenticationRequirements = "unmet_authentication_requirements", 400;

    /// "The authorization request is still pending as the end user hasn't yet completed the user-interaction steps."
    /// [RFC 8628 §3.5](https://www.rfc-editor.org/rfc/rfc8628#section-3.5)
    AuthorizationPending = "authorization_pending", 400;
    /// "[…] the interval MUST be increased by 5 seconds for this and all subsequent requests."
    /// [RFC 8628 §3.5](https://www.rfc-editor.org/rfc/rfc8628#section-3.5)
    SlowDown = "slow_down", 400;
    /// "The `device_code` has expired, and the device authorization session has concluded."
    /// [RFC 8628 §3.5](https://www.rfc-editor.org/rfc/rfc8628#section-3.5)
    ExpiredToken = "expired_token", 400;

    /// "The OpenID Provider is not able to identify which end-user the Client wishes to be authenticated by means of the hint provided in the request
    /// (`login_hint_token`, `id_token_hint`, or `login_hint`)."
    /// [OpenID Connect CIBA §13](https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#auth_error_response)
    UnknownUserId = "unknown_user_id", 400;
    /// "The binding message is invalid or unacceptable for use in the context of the given request."
    /// [OpenID Connect CIBA §13](https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#auth_error_response)
    InvalidBindingMessage = "invalid_binding_message", 400;
    /// "The `login_hint_token` provided in the authentication request is not valid because it has expired."
    /// [OpenID Connect CIBA §13](https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#auth_error_response)
    ExpiredLoginHintToken = "expired_login_hint_token", 400;
    /// "User code is required but was missing from the request."
    /// [OpenID Connect CIBA §13](https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#auth_error_response)
    MissingUserCode = "missing_user_code", 400;
    /// "The user code was invalid."
    /// [OpenID Connect CIBA §13](https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#auth_error_response)
    InvalidUserCode = "invalid_user_code", 400;
    /// "The OpenID Provider encountered an unexpected condition that prevented it from successfully completing the transaction."
    /// [OpenID Connect CIBA §12](https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#push_error_payload)
    TransactionFailed = "transaction_failed", 400;

    /// "The value of one or more redirection URIs is invalid."
    /// [RFC 7591 §3.2.2](https://www.rfc-editor.org/rfc/rfc7591#section-3.2.2)
    InvalidRedirectUri = "invalid_redirect_uri", 400;
    /// "The value of one of the client metadata fields is invalid and the server has rejected this request."
    /// [RFC 7591 §3.2.2](https://www.rfc-editor.org/rfc/rfc7591#section-3.2.2)
    InvalidClientMetadata = "invalid_client_metadata", 400;
    /// "The software statement presented is invalid."
    /// [RFC 7591 §3.2.2](https://www.rfc-editor.org/rfc/rfc7591#section-3.2.2)
    InvalidSoftwareStatement = "invalid_software_statement", 400;
    /// "The software statement presented is not approved for use by this authorization server."
    /// [RFC 7591 §3.2.2](https://www.rfc-editor.org/rfc/rfc7591#section-3.2.2)
    UnapprovedSoftwareStatement = "unapproved_software_statement", 400;

    /// No tenant lives at this address.
    TenantNotFound = "tenant_not_found", 404;
    /// The tenant at this address is suspended.
    TenantSuspended = "tenant_suspended", 403;
    /// Nothing answers at this path, or the thing is not there for whoever asks.
    NotFound = "not_found", 404;
    /// The path exists, the method does not ([RFC 9126 §2.3](https://www.rfc-editor.org/rfc/rfc9126#section-2.3) asks for 405 here).
    MethodNotAllowed = "method_not_allowed", 405;
    /// The request is larger than accepted ([RFC 9126 §2.3](https://www.rfc-editor.org/rfc/rfc9126#section-2.3) asks for 413 here).
    RequestTooLarge = "request_too_large", 413;
    /// The request did not arrive in time.
    RequestTimeout = "request_timeout", 408;
    /// The body has a content type that this endpoint does not read.
    UnsupportedMediaType = "unsupported_media_type", 415;
    /// Too many requests in too short a time ([RFC 9126 §2.3](https://www.rfc-editor.org/rfc/rfc9126#section-2.3) asks for 429 here).
    TooManyRequests = "too_many_requests", 429;
    /// A form that did not come from our own page, or a person who may not do this.
    Forbidden = "forbidden", 403;
    /// A one-time link, sign-in or form that has expired or was used already.
    ExpiredLink = "expired_link", 400;
}

impl ErrorCode {
    /// The HTTP status where an access token is presented rather than asked for: there a proof is part of what authenticates the request
    /// (RFC 9449 §7.1, §9).
    pub const fn status_at_resource(self) -> u16 {
        match self {
            Self::InvalidDpopProof | Self::UseDpopNonce => 401,
            code => code.status(),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error as a client sees it: a code and a description that tells a developer what to change and an attacker nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {description}")]
pub struct OAuthError {
    /// What went wrong.
    pub code: ErrorCode,
    description: Cow<'static, str>,
}

macro_rules! shorthands {
    ($( $name:ident => $variant:ident ),+ $(,)?) => {
        $(
            #[doc = concat!("An error with [`ErrorCode::", stringify!($variant), "`].")]
            pub fn $name(description: impl Into<Cow<'static, str>>) -> Self {
                Self::new(ErrorCode::$variant, description)
            }
        )+
    };
}

impl OAuthError {
    /// Makes an error. Characters that RFC 6749 §5.2 does not allow in `error_description` are replaced, and the text is cut at 500 bytes.
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            description: sanitise(description.into()),
        }
    }

    shorthands! {
        invalid_request => InvalidRequest,
        invalid_client => InvalidClient,
        invalid_grant => InvalidGrant,
        unauthorized_client => UnauthorizedClient,
        unsupported_grant_type => UnsupportedGrantType,
        unsupported_response_type => UnsupportedResponseType,
        invalid_scope => InvalidScope,
        access_denied => AccessDenied,
        server_error => ServerError,
        temporarily_unavailable => TemporarilyUnavailable,
        invalid_token => InvalidToken,
        insufficient_scope => InsufficientScope,
        invalid_dpop_proof => InvalidDpopProof,
        invalid_target => InvalidTarget,
        interaction_required => InteractionRequired,
        login_required => LoginRequired,
        account_selection_required => AccountSelectionRequired,
        consent_required => ConsentRequired,
        invalid_redirect_uri => InvalidRedirectUri,
        invalid_client_metadata => InvalidClientMetadata,
        tenant_not_found => TenantNotFound,
        tenant_suspended => TenantSuspended,
        not_found => NotFound,
        forbidden => Forbidden,
    }

    /// The `error_description`: only characters that RFC 6749 §5.2 allows.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The HTTP status of a direct answer.
    pub const fn status(&self) -> u16 {
        self.code.status()
    }
}

/// The JSON body of RFC 6749 §5.2.
impl Serialize for OAuthError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_map(Some(2))?;
        body.serialize_entry("error", self.code.as_str())?;
        body.serialize_entry("error_description", &self.description)?;
        body.end()
    }
}

/// RFC 6749 §5.2: "Values for the "`error_description`" parameter MUST NOT include characters outside the set %x20-21 / %x23-5B / %x5D-7E."
fn sanitise(text: Cow<'static, str>) -> Cow<'static, str> {
    let allowed = |byte: u8| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~');
    if text.len() <= MAX_DESCRIPTION && text.bytes().all(allowed) {
        return text;
    }
    text.chars()
        .take(MAX_DESCRIPTION)
        .map(|character| match character {
            '"' => '\'',
            '\\' => '/',
            '\t' | '\n' | '\r' => ' ',
            ' '..='~' => character,
            _ => '?',
        })
        .collect::<String>()
        .into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_are_distinct_and_follow_the_grammar() {
        let texts: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            assert!(
                code.as_str()
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            );
            assert!((400..600).contains(&code.status()));
        }
    }

    #[test]
    fn the_statuses_that_the_specifications_fix() {
        assert_eq!(ErrorCode::InvalidClient.status(), 401);
        assert_eq!(ErrorCode::InvalidGrant.status(), 400);
        assert_eq!(ErrorCode::InvalidToken.status(), 401);
        assert_eq!(ErrorCode::InsufficientScope.status(), 403);
        assert_eq!(ErrorCode::InvalidDpopProof.status(), 400);
        assert_eq!(ErrorCode::UseDpopNonce.status_at_resource(), 401);
        assert_eq!(ErrorCode::InvalidToken.status_at_resource(), 401);
        assert_eq!(ErrorCode::TenantNotFound.status(), 404);
        assert_eq!(ErrorCode::TenantSuspended.status(), 403);
        assert_eq!(ErrorCode::TemporarilyUnavailable.status(), 503);
    }

    #[test]
    fn body() {
        let error = OAuthError::invalid_request("say \"please\"\r\nX-Evil: é");
        assert_eq!(
            serde_json::to_string(&error).unwrap(),
            r#"{"error":"invalid_request","error_description":"say 'please'  X-Evil: ?"}"#
        );
    }

    #[test]
    fn names_of_strangers_are_bounded() {
        assert_eq!(short("orders:read"), "orders:read");
        let long = "é".repeat(MAX_NAME);
        assert_eq!(short(&long), long);
        assert_eq!(short(&format!("{long}x")), format!("{long}..."));
    }

    proptest! {
        #[test]
        fn descriptions_never_leave_their_alphabet(text in any::<String>()) {
            let error = OAuthError::new(ErrorCode::InvalidRequest, text);
            let description = error.description();
            prop_assert!(description.len() <= MAX_DESCRIPTION);
            prop_assert!(description.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'"' && b != b'\\'));
        }
    }
}
