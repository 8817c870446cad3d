//! Bearer tokens ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)): how a request presents one, and how a refusal is phrased.
//!
//! A token in the query (§2.3) is not read: it would end up in logs.

use std::fmt;

use super::errors::OAuthError;
use super::params::Params;
use super::scope::Scope;
use super::token::MAX_TOKEN;
use crate::secret::PlainSecret;

/// The scheme by which a token is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Whoever bears it (RFC 6750 §2.1); a token in the body counts as such.
    Bearer,
    /// Whoever proves to hold its key (RFC 9449 §7.1).
    Dpop,
}

/// An access token as it was presented.
#[derive(Debug, Clone)]
pub struct PresentedToken {
    /// The token.
    pub token: PlainSecret,
    /// How it came.
    pub scheme: Scheme,
}

/// Finds the token in the values of all `Authorization` headers and in a form body, where it can be one that is never bound to a key: by the
/// scheme `Bearer` alone. `None`: no token is there.
pub fn find_token(
    authorization: &[&str],
    body: Option<&Params>,
) -> Result<Option<PlainSecret>, OAuthError> {
    let found = find_presented(authorization, body)?;
    Ok(found
        .filter(|presented| presented.scheme == Scheme::Bearer)
        .map(|presented| presented.token))
}

/// Finds the access token in the values of all `Authorization` headers and in a form body. `None`: no token is there.
pub fn find_presented(
    authorization: &[&str],
    body: Option<&Params>,
) -> Result<Option<PresentedToken>, OAuthError> {
    let header = match authorization {
        [] => None,
        [header] => parse_header(header)?,
        _ => {
            return Err(OAuthError::invalid_request(
                "the request has more than one Authorization header",
            ));
        }
    };
    let posted = match body {
        Some(body) => body.get("access_token")?,
        None => None,
    };
    match (header, posted) {
        // RFC 6750 §2: "Clients MUST NOT use more than one method to transmit the token in each request."
        (Some(_), Some(_)) => Err(OAuthError::invalid_request(
            "the access token is there more than once",
        )),
        (Some((scheme, token)), None) => check_syntax(token, scheme).map(Some),
        (None, Some(token)) => check_syntax(token, Scheme::Bearer).map(Some),
        (None, None) => Ok(None),
    }
}

fn parse_header(header: &str) -> Result<Option<(Scheme, &str)>, OAuthError> {
    let (name, token) = header.split_once(' ').unwrap_or((header, ""));
    // RFC 9110 §11.1: the scheme is case-insensitive.
    let scheme = if name.eq_ignore_ascii_case("bearer") {
        Scheme::Bearer
    } else if name.eq_ignore_ascii_case("dpop") {
        Scheme::Dpop
    } else {
        return Ok(None);
    };
    let token = token.trim_matches(' ');
    if token.is_empty() {
        return Err(OAuthError::invalid_request(
            "the Authorization header holds no token",
        ));
    }
    Ok(Some((scheme, token)))
}

/// Whether these are the bytes of a `b64token` (RFC 6750 §2.1): `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`. Tokens are long, so
/// without a stop at the first that isn't, which a processor does many bytes at a time.
fn is_b64token(body: &str) -> bool {
    let allowed = body.bytes().fold(true, |allowed, byte| {
        allowed
            & matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
    });
    allowed && !body.is_empty()
}

fn check_syntax(token: &str, scheme: Scheme) -> Result<PresentedToken, OAuthError> {
    if token.len() > MAX_TOKEN || !is_b64token(token.trim_end_matches('=')) {
        return Err(OAuthError::invalid_token("the access token is malformed"));
    }
    Ok(PresentedToken {
        token: PlainSecret::new(token.to_owned()),
        scheme,
    })
}

/// The `WWW-Authenticate` header of a refusal (RFC 6750 §3).
#[derive(Debug, Clone, Copy)]
pub struct BearerChallenge<'a> {
    /// The realm: the issuer.
    pub realm: &'a str,
    /// What is wrong; nothing where the request had no token (§3.1).
    pub error: Option<&'a OAuthError>,
    /// The scope that is needed.
    pub scope: Option<&'a Scope>,
}

/// What a challenge of any scheme begins with.
pub(super) fn write_challenge(
    f: &mut fmt::Formatter<'_>,
    scheme: &str,
    realm: &str,
    error: Option<&OAuthError>,
) -> fmt::Result {
    write!(f, "{scheme} realm=\"{}\"", realm.replace(['"', '\\'], ""))?;
    if let Some(error) = error {
        // A description never holds quotes or backslashes.
        write!(
            f,
            ", error=\"{}\", error_description=\"{}\"",
            error.code,
            error.description()
        )?;
    }
    Ok(())
}

impl fmt::Display for BearerChallenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_challenge(f, "Bearer", self.realm, self.error)?;
        if let Some(scope) = self.scope.filter(|scope| !scope.is_empty()) {
            write!(f, ", scope=\"{scope}\"")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ErrorCode;

    fn find(authorization: &[&str], body: Option<&str>) -> Result<Option<String>, ErrorCode> {
        let body = body.map(|body| Params::parse(body.as_bytes()).unwrap());
        let token = find_token(authorization, body.as_ref()).map_err(|error| error.code)?;
        Ok(token.map(|token| token.expose().to_owned()))
    }

    #[test]
    fn header_or_body() {
        for header in [
            "Bearer mF_9.B5f-4.1JqM",
            "bearer mF_9.B5f-4.1JqM",
            "BEARER  mF_9.B5f-4.1JqM",
        ] {
            assert_eq!(find(&[header], None), Ok(Some("mF_9.B5f-4.1JqM".into())));
        }
        assert_eq!(
            find(&[], Some("access_token=abc%3D")),
            Ok(Some("abc=".into()))
        );
        assert_eq!(find(&[], None), Ok(None));
        assert_eq!(find(&["Basic abc"], Some("x=y")), Ok(None));
    }

    #[test]
    fn a_scheme_tells_how_it_is_presented() {
        let scheme = |authorization: &[&str], body: Option<&str>| {
            let body = body.map(|body| Params::parse(body.as_bytes()).unwrap());
            let found = find_presented(authorization, body.as_ref()).unwrap();
            found.map(|presented| presented.scheme)
        };
        for header in ["DPoP a.b.c", "dpop a.b.c", "DPOP  a.b.c"] {
            assert_eq!(scheme(&[header], None), Some(Scheme::Dpop), "{header}");
            assert_eq!(find(&[header], None), Ok(None), "{header}");
        }
        assert_eq!(scheme(&["bEARER a.b.c"], None), Some(Scheme::Bearer));
        assert_eq!(scheme(&[], Some("access_token=a")), Some(Scheme::Bearer));
        for header in ["DPoP-like a", "DPo a", "Basic a"] {
            assert_eq!(scheme(&[header], None), None, "{header}");
        }
        assert_eq!(find(&["DPoP"], None), Err(ErrorCode::InvalidRequest));
        assert_eq!(
            find(&["DPoP a"], Some("access_token=a")),
            Err(ErrorCode::InvalidRequest)
        );
        assert_eq!(
            find(&["DPoP a", "Bearer a"], None),
            Err(ErrorCode::InvalidRequest)
        );
    }

    #[test]
    fn faults() {
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN + 1));
        assert_eq!(
            find(&["Bearer a", "Bearer a"], None),
            Err(ErrorCode::InvalidRequest)
        );
        assert_eq!(
            find(&["Bearer a"], Some("access_token=a")),
            Err(ErrorCode::InvalidRequest)
        );
        assert_eq!(
            find(&[], Some("access_token=a&access_token=b")),
            Err(ErrorCode::InvalidRequest)
        );
        assert_eq!(find(&["Bearer"], None), Err(ErrorCode::InvalidRequest));
        for header in ["Bearer a b", "Bearer =", "Bearer a=b", "Bearer ä", &long] {
            assert_eq!(
                find(&[header], None),
                Err(ErrorCode::InvalidToken),
                "{header}"
            );
        }
    }

    #[test]
    fn challenges() {
        let error = OAuthError::new(ErrorCode::InsufficientScope, "say \"please\"");
        let scope = Scope::parse("a b").unwrap();
        let bare = BearerChallenge {
            realm: "https://id.example",
            error: None,
            scope: None,
        };
        assert_eq!(bare.to_string(), "Bearer realm=\"https://id.example\"");
        let full = BearerChallenge {
            error: Some(&error),
            scope: Some(&scope),
            ..bare
        };
        assert_eq!(
            full.to_string(),
            "Bearer realm=\"https://id.example\", error=\"insufficient_scope\", error_description=\"say 'please'\", scope=\"a b\""
        );
    }
}
