//! JWS compact serialization, read strictly (RFC 7515 §3.1, §5.2; RFC 8725).
//!
//! Only what the provider's own tokens and its clients' assertions need: one signature, no `crit`, and no key in the header, so that
//! a header can choose among known keys and never bring one or have one fetched. Two kinds are read apart: DPoP proofs, whose header carries a
//! key by design, and clients' assertions, which may be by HMAC. Left out: the JSON serializations, detached and unencoded payloads (RFC 7797).

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::protocol::algorithm::{AssertionAlgorithm, SigningAlgorithm};
use crate::protocol::strict_json::parse_object;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN: usize = 16 * 1_024;
/// The longest `kid`, in bytes.
pub const MAX_KID: usize = 256;

/// Header parameters that bring a key, or say where one is (RFC 7515 §4.1.2 to §4.1.6).
const KEY_PARAMETERS: [&str; 4] = ["jku", "jwk", "x5u", "x5c"];

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// It is longer than [`MAX_TOKEN`].
    #[error("the token is too long")]
    TooLong,
    /// It isn't three non-empty parts of canonical base64url without padding.
    #[error("the token is not a signed JWT in compact form")]
    NotCompact,
    /// The header isn't an object with distinct names and values of their types.
    #[error("the token's header is malformed")]
    Header,
    /// The payload isn't an object with distinct names.
    #[error("the token's payload is malformed")]
    Payload,
    /// The algorithm is none that is accepted here.
    #[error("the token's algorithm is not accepted here")]
    Algorithm,
    /// The header has `crit`, whose extensions are unknown here.
    #[error("the token requires extensions that are not understood")]
    Critical,
    /// The header brings a key, or says where one is.
    #[error("the token's header brings its own key")]
    KeyInHeader,
    /// The token is of another type.
    #[error("the token is of another type")]
    Type,
    /// The key isn't known, or isn't for this algorithm.
    #[error("the token's key is not known")]
    UnknownKey,
    /// Without a `kid` (or with one that several keys share), it isn't clear which key is meant.
    #[error("the token does not say which key signed it")]
    AmbiguousKey,
    /// The signature isn't the key's.
    #[error("the token's signature is wrong")]
    Signature,
}

/// The header parameters that count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header<A = SigningAlgorithm> {
    /// `alg`.
    pub algorithm: A,
    /// `kid`.
    pub kid: Option<String>,
    /// `typ`, as it was written.
    pub typ: Option<String>,
}

impl<A: FromStr> Header<A> {
    fn parse(encoded: &str) -> Result<Self, JwsError> {
        Self::of(parse_object(&decode(encoded)?).map_err(|_| JwsError::Header)?)
    }

    fn of(mut members: Map<String, Value>) -> Result<Self, JwsError> {
        // RFC 7515 §4.1.11: what isn't understood must be refused, and nothing is.
        if members.contains_key("crit") {
            return Err(JwsError::Critical);
        }
        if KEY_PARAMETERS
            .iter()
            .any(|name| members.contains_key(*name))
        {
            return Err(JwsError::KeyInHeader);
        }
        let algorithm = take_string(&mut members, "alg")?.ok_or(JwsError::Header)?;
        let kid = take_string(&mut members, "kid")?;
        if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID) {
            return Err(JwsError::UnknownKey);
        }
        Ok(Self {
            algorithm: algorithm.parse().map_err(|_| JwsError::Algorithm)?,
            kid,
            typ: take_string(&mut members, "typ")?,
        })
    }
}

/// Which `typ` a token must have. Types are compared without regard to case and to a leading `application/` (RFC 7515 §4.1.9).
#[derive(Debug, Clone, Copy)]
pub enum Type<'a> {
    /// One of these.
    Required(&'a [&'a str]),
    /// None, or one of these: for tokens from before explicit typing (RFC 8725 §3.11).
    IfPresent(&'a [&'a str]),
}

impl Type<'_> {
    /// Refuses a token of another type.
    pub fn check(self, typ: Option<&str>) -> Result<(), JwsError> {
        let fits = match (self, typ) {
            (Self::Required(_), None) => false,
            (Self::IfPresent(_), None) => true,
            (Self::Required(accepted) | Self::IfPresent(accepted), Some(typ)) => accepted
                .iter()
                .any(|accepted| bare(accepted).eq_ignore_ascii_case(bare(typ))),
        };
        fits.then_some(()).ok_or(JwsError::Type)
    }
}

fn bare(typ: &str) -> &str {
    match typ.split_at_checked("application/".len()) {
        Some((prefix, rest))
            if prefix.eq_ignore_ascii_case("application/") && !rest.contains('/') =>
        {
            rest
        }
        _ => typ,
    }
}

/// A token that was taken apart and whose header was found sound; its signature was not looked at.
#[derive(Debug, Clone)]
pub struct Compact<'t, A = SigningAlgorithm> {
    /// What was signed: header and payload as they came.
    pub signing_input: &'t str,
    /// The header.
    pub header: Header<A>,
    /// The signature.
    pub signature: Vec<u8>,
    payload: &'t str,
}

/// The parts of a token as they came.
struct Parts<'t> {
    signing_input: &'t str,
    header: &'t str,
    payload: &'t str,
    signature: &'t str,
}

impl<'t> Parts<'t> {
    fn of(token: &'t str) -> Result<Self, JwsError> {
        if token.len() > MAX_TOKEN {
            return Err(JwsError::TooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JwsError::NotCompact)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JwsError::NotCompact)?;
        if header.is_empty() || payload.is_empty() || signature.is_empty() || payload.contains('.')
        {
            return Err(JwsError::NotCompact);
        }
        Ok(Self {
            signing_input,
            header,
            payload,
            signature,
        })
    }

    fn with<A>(self, header: Header<A>) -> Result<Compact<'t, A>, JwsError> {
        Ok(Compact {
            signing_input: self.signing_input,
            header,
            signature: decode(self.signature)?,
            payload: self.payload,
        })
    }
}

impl<'t> Compact<'t> {
    /// Takes a token apart.
    pub fn parse(token: &'t str) -> Result<Self, JwsError> {
        let parts = Parts::of(token)?;
        let header = Header::parse(parts.header)?;
        parts.with(header)
    }

    /// Takes a token apart whose header carries the key that it is signed by: a proof that the key is held, and of nothing else (RFC 9449 §4.2).
    pub fn parse_with_key(token: &'t str) -> Result<(Self, Map<String, Value>), JwsError> {
        let parts = Parts::of(token)?;
        let mut members = parse_object(&decode(parts.header)?).map_err(|_| JwsError::Header)?;
        let Some(Value::Object(key)) = members.remove("jwk") else {
            return Err(JwsError::Header);
        };
        let header = Header::of(members)?;
        Ok((parts.with(header)?, key))
    }
}

impl<'t> Compact<'t, AssertionAlgorithm> {
    /// Takes a client's assertion apart, whose algorithm says whether it is by a key or by the client's secret.
    pub fn parse_assertion(token: &'t str) -> Result<Self, JwsError> {
        let parts = Parts::of(token)?;
        let header = Header::parse(parts.header)?;
        parts.with(header)
    }

    /// The same where it is by a key; none where it is by a secret.
    pub fn by_key(self) -> Option<Compact<'t>> {
        Some(Compact {
            header: Header {
                algorithm: self.header.algorithm.asymmetric()?,
                kid: self.header.kid,
                typ: self.header.typ,
            },
            signing_input: self.signing_input,
            signature: self.signature,
            payload: self.payload,
        })
    }
}

impl<A> Compact<'_, A> {
    /// The payload's claims. Before the signature was verified they are only what somebody says.
    pub fn claims(&self) -> Result<Map<String, Value>, JwsError> {
        parse_object(&decode(self.payload)?).map_err(|_| JwsError::Payload)
    }
}

/// Canonical base64url without padding: `base64`'s engine refuses padding, other alphabets and bits that belong to no byte.
fn decode(part: &str) -> Result<Vec<u8>, JwsError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| JwsError::NotCompact)
}

fn take_string(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, JwsError> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(JwsError::Header),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, payload: &str) -> String {
        format!(
            "{}.{}.c2ln",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(payload)
        )
    }

    fn header_error(header: &str) -> Option<JwsError> {
        Compact::parse(&token(header, "{}")).err()
    }

    #[test]
    fn a_sound_token_is_taken_apart() {
        let token = token(
            r#"{"alg":"ES256","kid":"k","typ":"at+jwt","x5t":"ignored"}"#,
            r#"{"sub":"s"}"#,
        );
        let compact = Compact::parse(&token).unwrap();
        assert_eq!(compact.header.algorithm, SigningAlgorithm::Es256);
        assert_eq!(compact.header.kid.as_deref(), Some("k"));
        assert_eq!(compact.header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(compact.signature, b"sig");
        assert_eq!(format!("{}.c2ln", compact.signing_input), token);
        assert_eq!(compact.claims().unwrap()["sub"], "s");
    }

    #[test]
    fn anything_but_three_parts_of_canonical_base64url_is_refused() {
        let good = token(r#"{"alg":"ES256"}"#, "{}");
        assert!(Compact::parse(&good).is_ok());
        let (input, _) = good.rsplit_once('.').unwrap();
        let payload = input.split_once('.').unwrap().1;
        for wrong in [
            String::new(),
            ".".into(),
            "..".into(),
            input.to_owned(),
            format!("{input}."),
            format!(".{payload}.c2ln"),
            good.replace(payload, ""),
            format!("{good}.c2ln"),
            format!("{good}="),
            format!("{good}\n"),
            format!(" {good}"),
            format!("{input}.c2lu+w"),
            format!("{input}.é"),
            // `QQ` is canonical, the other three have bits that belong to no byte; `Q` is no byte at all.
            format!("{input}.QR"),
            format!("{input}.QS"),
            format!("{input}.QX"),
            format!("{input}.Q"),
            format!("{input}.QQ=="),
        ] {
            assert_eq!(
                Compact::parse(&wrong).err(),
                Some(JwsError::NotCompact),
                "{wrong}"
            );
        }
        assert!(Compact::parse(&format!("{input}.QQ")).is_ok());
        let padded = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256" }"#);
        assert!(Compact::parse(&format!("{padded}.e30.QQ")).is_ok());
        let crooked = format!("{}.e30.QQ", padded.replace("fQ", "fR"));
        assert_eq!(Compact::parse(&crooked).err(), Some(JwsError::NotCompact));
    }

    #[test]
    fn tokens_are_bounded() {
        let long = token(r#"{"alg":"ES256"}"#, &"x".repeat(MAX_TOKEN));
        assert_eq!(Compact::parse(&long).err(), Some(JwsError::TooLong));
        let kid = "k".repeat(MAX_KID + 1);
        assert_eq!(
            header_error(&format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#)),
            Some(JwsError::UnknownKey)
        );
    }

    #[test]
    fn algorithms_that_prove_nothing_do_not_exist() {
        for algorithm in [
            "none", "None", "NONE", "", "HS256", "HS512", "es256", "RS1", "dir", "ES256K",
        ] {
            let header = format!(r#"{{"alg":"{algorithm}"}}"#);
            assert_eq!(
                header_error(&header),
                Some(JwsError::Algorithm),
                "{algorithm}"
            );
        }
    }

    #[test]
    fn a_key_in_the_header_is_for_proofs_alone() {
        let with = |header: &str| {
            Compact::parse_with_key(&token(header, "{}"))
                .map(|(compact, key)| (compact.header, key))
        };
        let (header, key) = with(r#"{"alg":"ES256","typ":"dpop+jwt","jwk":{"kty":"EC"}}"#).unwrap();
        assert_eq!(
            (header.typ.as_deref(), &key["kty"]),
            (Some("dpop+jwt"), &"EC".into())
        );
        for (header, error) in [
            (r#"{"alg":"ES256"}"#, JwsError::Header),
            (r#"{"alg":"ES256","jwk":null}"#, JwsError::Header),
            (r#"{"alg":"ES256","jwk":"EC"}"#, JwsError::Header),
            (r#"{"alg":"ES256","jwk":{},"jwk":{}}"#, JwsError::Header),
            (
                r#"{"alg":"ES256","jwk":{"kty":"EC","kty":"EC"}}"#,
                JwsError::Header,
            ),
            (r#"{"alg":"none","jwk":{}}"#, JwsError::Algorithm),
            (r#"{"alg":"HS256","jwk":{}}"#, JwsError::Algorithm),
            (
                r#"{"alg":"ES256","jwk":{},"crit":["jwk"]}"#,
                JwsError::Critical,
            ),
            (
                r#"{"alg":"ES256","jwk":{},"jku":"x"}"#,
                JwsError::KeyInHeader,
            ),
            (
                r#"{"alg":"ES256","jwk":{},"x5c":["x"]}"#,
                JwsError::KeyInHeader,
            ),
        ] {
            assert_eq!(with(header).err(), Some(error), "{header}");
        }
    }

    #[test]
    fn an_assertion_is_by_a_key_or_by_a_secret() {
        let by_secret = token(r#"{"alg":"HS256"}"#, "{}");
        assert_eq!(Compact::parse(&by_secret).err(), Some(JwsError::Algorithm));
        let read = Compact::parse_assertion(&by_secret).unwrap();
        assert_eq!(read.header.algorithm, AssertionAlgorithm::Hs256);
        assert!(read.by_key().is_none());
        let by_key = token(r#"{"alg":"PS256","kid":"k","typ":"JWT"}"#, "{}");
        let read = Compact::parse_assertion(&by_key).unwrap().by_key().unwrap();
        assert_eq!(read.header, Compact::parse(&by_key).unwrap().header);
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS512"}"#,
            r#"{"alg":"hs256"}"#,
        ] {
            let refused = Compact::parse_assertion(&token(header, "{}")).err();
            assert_eq!(refused, Some(JwsError::Algorithm), "{header}");
        }
    }

    #[test]
    fn headers_of_other_shapes_are_refused() {
        for header in [
            "[]",
            "{}",
            r#"{"alg":null}"#,
            r#"{"alg":["ES256"]}"#,
            r#"{"alg":"ES256","kid":1}"#,
            r#"{"alg":"ES256","kid":null}"#,
            r#"{"alg":"ES256","typ":{}}"#,
            r#"{"alg":"ES256","alg":"ES256"}"#,
            r#"{"alg":"none","alg":"ES256"}"#,
            r#"{"alg":"ES256","x":{"y":1,"y":2}}"#,
        ] {
            assert_eq!(header_error(header), Some(JwsError::Header), "{header}");
        }
        for crit in [r#"["exp"]"#, r#"["b64"]"#, "[]", "null"] {
            let header = format!(r#"{{"alg":"ES256","crit":{crit}}}"#);
            assert_eq!(header_error(&header), Some(JwsError::Critical), "{header}");
        }
        for name in KEY_PARAMETERS {
            let header = format!(r#"{{"alg":"ES256","{name}":"https://evil.example"}}"#);
            assert_eq!(
                header_error(&header),
                Some(JwsError::KeyInHeader),
                "{header}"
            );
        }
    }

    #[test]
    fn payloads_are_objects_with_distinct_names() {
        for payload in [
            "[]",
            "\"\"",
            "x",
            r#"{"sub":"a","sub":"b"}"#,
            r#"{"a":{"b":1,"b":1}}"#,
        ] {
            let token = token(r#"{"alg":"ES256"}"#, payload);
            let compact = Compact::parse(&token).unwrap();
            assert_eq!(compact.claims().err(), Some(JwsError::Payload), "{payload}");
        }
    }

    #[test]
    fn types_are_compared_as_media_types() {
        let required = Type::Required(&["at+jwt"]);
        for typ in [
            "at+jwt",
            "AT+JWT",
            "application/at+jwt",
            "Application/At+Jwt",
        ] {
            assert_eq!(required.check(Some(typ)), Ok(()), "{typ}");
        }
        for typ in [
            "JWT",
            "",
            "at",
            "logout+jwt",
            "text/at+jwt",
            "application/application/at+jwt",
            "é+jwt",
        ] {
            assert_eq!(required.check(Some(typ)), Err(JwsError::Type), "{typ}");
        }
        assert_eq!(required.check(None), Err(JwsError::Type));
        let lenient = Type::IfPresent(&["JWT"]);
        assert_eq!(lenient.check(None), Ok(()));
        assert_eq!(lenient.check(Some("jwt")), Ok(()));
        assert_eq!(lenient.check(Some("at+jwt")), Err(JwsError::Type));
    }
}
