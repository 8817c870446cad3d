//! Signed tokens and the keys that verify them.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use tessera::jose::bearer_assertion::{BearerAssertionRules, UnverifiedBearerAssertion};
use tessera::jose::client_assertion::{AssertionRules, UnverifiedAssertion};
use tessera::jose::jws::{Compact, JwsError, MAX_TOKEN, Type};
use tessera::jose::keys::{
    Expect, KeyChoice, SigningKey, VerificationKey, VerificationKeys, thumbprint,
};
use tessera::jose::login_hint::{LoginHintRules, UnverifiedLoginHint};
use tessera::jose::request_object::{RequestObjectRules, UnverifiedRequestObject};
use tessera::protocol::jwks::{MAX_KEYS, check_key, check_public};
use tessera::protocol::request_object::{Beside, parameters_of};
use tessera::protocol::strict_json::parse_object;
use tessera::protocol::token_exchange::MayAct;
use tessera::protocol::{ErrorCode, Params, SigningAlgorithm};

use super::text::{check_error, choice, lines, text};

/// The key of RFC 7515 Appendix A.3.
const KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
const KID: &str = "a3";
const ALGORITHMS: [SigningAlgorithm; 1] = [SigningAlgorithm::Es256];
/// The present of every body here: 14 November 2023.
const NOW: i64 = 1_700_000_000;
const CLIENT: &str = "orders";
const AUDIENCES: [&str; 2] = [
    "https://id.example/t/acme",
    "https://id.example/t/acme/token",
];
const HOUR: Duration = Duration::from_hours(1);

static SIGNER: LazyLock<SigningKey> = LazyLock::new(|| {
    SigningKey::from_private_jwk(SigningAlgorithm::Es256, KID, KEY.as_bytes()).expect("a key")
});
static KEYS: LazyLock<VerificationKeys> = LazyLock::new(|| {
    VerificationKeys::new(vec![SIGNER.verification_key().expect("its public part")])
});

const fn expect() -> Expect<'static> {
    Expect {
        typ: Type::IfPresent(&["JWT", "at+jwt"]),
        algorithms: &ALGORITHMS,
        choice: KeyChoice::ByKidOrOnly,
    }
}

/// Compact tokens: taken apart and put together again they are the same, and nobody but the key's owner makes one that verifies.
pub fn jws(data: &[u8]) {
    let (kind, rest) = choice(data);
    let input = text(rest);
    match kind % 3 {
        0 => foreign(&input),
        1 => {
            let [header, payload] = lines(&input);
            foreign(&format!(
                "{}.{}.{}",
                URL_SAFE_NO_PAD.encode(header),
                URL_SAFE_NO_PAD.encode(payload),
                URL_SAFE_NO_PAD.encode([1; 64])
            ));
        }
        _ => genuine(&input),
    }
}

/// A token that nobody signed.
fn foreign(token: &str) {
    let compact = match Compact::parse(token) {
        Ok(compact) => compact,
        Err(error) => {
            assert_eq!(error == JwsError::TooLong, token.len() > MAX_TOKEN);
            assert_eq!(KEYS.verify(token, expect()).err(), Some(error));
            return;
        }
    };
    let signature = URL_SAFE_NO_PAD.encode(&compact.signature);
    assert_eq!(format!("{}.{signature}", compact.signing_input), token);
    assert_eq!(token.split('.').count(), 3);
    assert!(!compact.signature.is_empty());
    if let Ok(claims) = compact.claims() {
        let printed = serde_json::to_vec(&claims).expect("JSON");
        assert_eq!(
            parse_object(&printed).expect("its own text").len(),
            claims.len()
        );
    }
    assert!(KEYS.verify(token, expect()).is_err(), "forged: {token}");
}

/// A token that was signed verifies, and doesn't with anything changed.
fn genuine(input: &str) {
    let [claims, edit] = lines(input);
    let claims = parse_object(claims.as_bytes()).unwrap_or_default();
    let token = SIGNER.sign_jwt("at+jwt", &claims).expect("signed");
    if token.len() > MAX_TOKEN {
        return;
    }
    let verified = KEYS.verify(&token, expect()).expect("just signed");
    assert_eq!(verified.header.kid.as_deref(), Some(KID));
    assert_eq!(verified.claims.len(), claims.len());
    for (refusal, expect) in [
        (
            JwsError::Type,
            Expect {
                typ: Type::Required(&["logout+jwt"]),
                ..expect()
            },
        ),
        (
            JwsError::Algorithm,
            Expect {
                algorithms: &[SigningAlgorithm::Rs256, SigningAlgorithm::EdDsa],
                ..expect()
            },
        ),
    ] {
        assert_eq!(KEYS.verify(&token, expect).err(), Some(refusal));
    }
    let mut changed = token.clone().into_bytes();
    for pair in edit.as_bytes().chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([pair[0], pair[1]])) % changed.len();
        changed[at] = pair[2];
    }
    let changed = String::from_utf8_lossy(&changed);
    assert!(
        changed == token || KEYS.verify(&changed, expect()).is_err(),
        "{changed} for {token}"
    );
}

/// Assertions as grants (RFC 7523 §2.1): forged ones, and sound ones in which something else stands.
pub fn bearer_assertion(data: &[u8]) {
    let (kind, rest) = choice(data);
    let input = text(rest);
    let rules = BearerAssertionRules {
        algorithms: &SigningAlgorithm::ALL,
        audiences: &AUDIENCES,
        max_lifetime: HOUR,
        unix: NOW,
    };
    if kind & 1 == 0 {
        if let Ok(unverified) = UnverifiedBearerAssertion::parse(&input) {
            assert!(unverified.verify(&KEYS, rules).is_err(), "forged: {input}");
        }
        return;
    }
    let mut claims = json!({"iss": "https://idp.example", "sub": "mike", "aud": AUDIENCES[0], "exp": NOW + 60, "jti": "1"});
    if let (Value::Object(own), Ok(others)) = (&mut claims, parse_object(input.as_bytes())) {
        own.extend(others);
        own.retain(|_, value| !value.is_null());
    }
    let token = SIGNER.sign_jwt("JWT", &claims).expect("signed");
    let Ok(unverified) = UnverifiedBearerAssertion::parse(&token) else {
        return;
    };
    assert_eq!(Some(unverified.issuer()), claims["iss"].as_str());
    let Ok(assertion) = unverified.verify(&KEYS, rules) else {
        return;
    };
    assert_eq!(Some(assertion.subject.as_str()), claims["sub"].as_str());
    assert_eq!(Some(assertion.jti.as_str()), claims["jti"].as_str());
    assert!(AUDIENCES.contains(&claims["aud"].as_str().expect("one text")));
    assert!((1..=256).contains(&assertion.jti.len()) && !assertion.subject.is_empty());
    assert!((NOW..=NOW + 3_660).contains(&assertion.remember_until));
    // Whoever is named as the only one who may act is a text, and nobody where more is said of them than is known.
    if let Some(named) = assertion.may_act
        && let Ok(may_act) = serde_json::from_value::<MayAct>(named.clone())
    {
        assert!(
            named
                .as_object()
                .expect("an object")
                .keys()
                .all(|name| name == "sub" || name == "iss")
        );
        let other = format!("{}x", may_act.sub);
        assert!(!may_act.means(&other, AUDIENCES[0]));
        assert_eq!(
            may_act.means(&may_act.sub, AUDIENCES[0]),
            named
                .get("iss")
                .is_none_or(|iss| iss.is_null() || iss == AUDIENCES[0])
        );
    }
    if let Some(email) = assertion.verified_email {
        assert!(claims["email_verified"] == json!(true) && claims["email"] == json!(email));
    }
}

/// Hints that somebody else signed (OpenID Connect CIBA §7.1): forged ones, and sound ones in which something else stands. One person is named by each
/// that is taken, in one way.
pub fn login_hint(data: &[u8]) {
    let (kind, rest) = choice(data);
    let input = text(rest);
    let rules = LoginHintRules {
        algorithms: &SigningAlgorithm::ALL,
        audience: AUDIENCES[0],
        max_lifetime: HOUR,
        unix: NOW,
    };
    if kind & 1 == 0 {
        if let Ok(unverified) = UnverifiedLoginHint::parse(&input) {
            assert!(unverified.verify(&KEYS, rules).is_err(), "forged: {input}");
        }
        return;
    }
    let mut claims = json!({"iss": "https://idp.example", "sub": "mike", "aud": AUDIENCES[0], "exp": NOW + 60, "jti": "1"});
    if let (Value::Object(own), Ok(others)) = (&mut claims, parse_object(input.as_bytes())) {
        own.extend(others);
        own.retain(|_, value| !value.is_null());
    }
    let token = SIGNER.sign_jwt("JWT", &claims).expect("signed");
    let Ok(unverified) = UnverifiedLoginHint::parse(&token) else {
        return;
    };
    let Ok(hint) = unverified.verify(&KEYS, rules) else {
        return;
    };
    assert_eq!(Some(hint.jti.as_str()), claims["jti"].as_str());
    assert_eq!(claims["aud"], AUDIENCES[0]);
    assert!((NOW..=NOW + 3_660).contains(&hint.remember_until));
    let id = claims.get("sub_id");
    let format = id.and_then(|id| id["format"].as_str());
    if let Some((name, at)) = &hint.named.subject {
        let said = match format {
            Some("opaque") => &claims["sub_id"]["id"],
            Some(_) => &claims["sub_id"]["sub"],
            None => &claims["sub"],
        };
        assert!(said == name && !name.is_empty());
        let whose = at.as_deref().map(Value::from).unwrap_or_default();
        assert_eq!(whose, id.map_or(Value::Null, |id| id["iss"].clone()));
    }
    if let Some(email) = &hint.named.verified_email {
        let said = id.map_or(&claims["email"], |id| &id["email"]);
        assert!(claims["email_verified"] == json!(true) && said == email);
        assert_eq!(hint.named.subject.is_none(), format == Some("email"));
    }
}

/// Client assertions (RFC 7523): what is accepted says what it must, and was signed.
pub fn client_assertion(data: &[u8]) {
    let (kind, rest) = choice(data);
    let input = text(rest);
    let rules = AssertionRules {
        audiences: &AUDIENCES,
        algorithms: &ALGORITHMS,
        max_lifetime: HOUR,
        unix: NOW,
    };
    if kind & 1 == 0 {
        if let Ok(unverified) = UnverifiedAssertion::parse(&input) {
            let _ = (unverified.claimed_client(), unverified.kid().is_some());
            assert!(unverified.verify(&KEYS, rules).is_err(), "forged: {input}");
        }
        return;
    }
    // A sound assertion, with what the input says instead.
    let mut claims =
        json!({"iss": CLIENT, "sub": CLIENT, "aud": AUDIENCES[0], "exp": NOW + 60, "jti": "1"});
    let mut sound = true;
    if let (Value::Object(own), Ok(others)) = (&mut claims, parse_object(input.as_bytes())) {
        for (name, value) in others {
            sound &= !["iss", "sub", "aud", "exp", "jti", "nbf", "iat"].contains(&name.as_str());
            if value.is_null() {
                own.remove(&name);
            } else {
                own.insert(name, value);
            }
        }
    }
    let token = SIGNER.sign_jwt("JWT", &claims).expect("signed");
    let Ok(unverified) = UnverifiedAssertion::parse(&token) else {
        assert!(token.len() > MAX_TOKEN);
        return;
    };
    let claimed = unverified.claimed_client();
    assert_eq!(claimed.as_deref(), claims["sub"].as_str());
    let Ok(assertion) = unverified.verify(&KEYS, rules) else {
        assert!(!sound, "refused: {claims}");
        return;
    };
    assert_eq!(claims["iss"], claims["sub"]);
    assert_eq!(Some(assertion.client_id.as_str()), claims["sub"].as_str());
    assert!(AUDIENCES.contains(&claims["aud"].as_str().expect("one text")));
    assert_eq!(claims["jti"], assertion.jti.as_str());
    assert!((1..=256).contains(&assertion.jti.len()));
    let ends = claims["exp"].as_f64().expect("a number");
    let now = f64::from(u32::try_from(NOW).expect("small"));
    assert!(ends > now - 11.0 && ends < now + 3632.0, "{claims}");
    assert!(assertion.remember_until >= NOW);
    for name in ["nbf", "iat"] {
        let starts = claims.get(name).map(|at| at.as_f64().expect("a number"));
        assert!(starts.is_none_or(|starts| starts < now + 31.0), "{claims}");
    }
}

/// Request objects (RFC 9101): what is accepted was signed by the client and for us, and beside it nothing counts that may not.
pub fn request_object(data: &[u8]) {
    let (kind, rest) = choice(data);
    let input = text(rest);
    let rules = RequestObjectRules {
        client_id: CLIENT,
        issuer: AUDIENCES[0],
        algorithms: &ALGORITHMS,
        max_lifetime: None,
        unix: NOW,
    };
    if kind & 1 == 0 {
        if let Ok(unverified) = UnverifiedRequestObject::parse(&input, &ALGORITHMS) {
            let _ = unverified.kid().is_some();
            assert!(unverified.verify(&KEYS, rules).is_err(), "forged: {input}");
        }
        return;
    }
    // A sound object, with what the input says instead, and what stands beside it.
    let [inside, beside] = lines(&input);
    let mut claims = json!({"iss": CLIENT, "aud": AUDIENCES[0]});
    let mut sound = true;
    if let (Value::Object(own), Ok(others)) = (&mut claims, parse_object(inside.as_bytes())) {
        for (name, value) in others {
            sound &= !["iss", "sub", "aud", "exp", "nbf", "iat"].contains(&name.as_str());
            own.insert(name, value);
        }
    }
    let token = SIGNER.sign_jwt("JWT", &claims).expect("signed");
    let Ok(unverified) = UnverifiedRequestObject::parse(&token, &ALGORITHMS) else {
        assert!(token.len() > MAX_TOKEN);
        return;
    };
    let Ok(signed) = unverified.verify(&KEYS, rules) else {
        assert!(!sound, "refused: {claims}");
        return;
    };
    assert!(signed["iss"] == CLIENT && signed.get("sub").is_none_or(|sub| sub != CLIENT));
    let own = json!(AUDIENCES[0]);
    assert!(
        signed["aud"] == own
            || signed["aud"]
                .as_array()
                .is_some_and(|aud| aud.contains(&own))
    );
    let Ok(outer) = Params::parse(beside.as_bytes()) else {
        return;
    };
    for how in [Beside::Ignored, Beside::FillIn] {
        match parameters_of(&signed, &outer, how) {
            Ok(params) => counts(&params, &signed, how),
            Err(error) => check_error(
                &error,
                &[ErrorCode::InvalidRequestObject, ErrorCode::InvalidRequest],
            ),
        }
    }
}

/// What an object's parameters are: its own, and beside them only what may fill in.
fn counts(params: &Params, signed: &Map<String, Value>, how: Beside) {
    for (name, value) in params.iter() {
        assert!(!["request", "request_uri"].contains(&name) && !value.contains('\0'));
        match signed.get(name) {
            Some(Value::String(text)) => assert_eq!(text, value, "{name}"),
            Some(_) => assert!(["max_age", "claims", "registration", "resource"].contains(&name)),
            None => assert!(how == Beside::FillIn || name == "client_id", "{name}"),
        }
    }
}

/// Key sets: what may be registered can be used, and none holds a private part.
pub fn jwks(data: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    let used = VerificationKeys::from_jwks(&document);
    if check_public(&document).is_ok() {
        let keys = document["keys"].as_array().expect("a list");
        assert!((1..=MAX_KEYS).contains(&keys.len()));
        let named: Vec<_> = keys.iter().filter_map(|key| key["kid"].as_str()).collect();
        assert_eq!(named.len(), named.iter().collect::<BTreeSet<_>>().len());
        assert!(used.is_ok());
        for key in keys {
            for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
                assert!(key.get(private).is_none(), "{key}");
            }
            check_thumbprint(key.as_object().expect("an object"));
        }
    }
    if let Ok(keys) = used {
        assert!(keys.verify("e30.e30.AA", expect()).is_err());
    }
    // One key by itself, too.
    if let Ok(key) = VerificationKey::from_jwk(&document) {
        let members = document.as_object().expect("an object");
        assert!(check_key(members).is_ok());
        assert_eq!(key.kid(), document["kid"].as_str());
        check_thumbprint(members);
    }
}

/// A thumbprint is made of the required members alone (RFC 7638 §3.2).
fn check_thumbprint(key: &Map<String, Value>) {
    let print = thumbprint(key).expect("every member is there");
    assert_eq!(URL_SAFE_NO_PAD.decode(&print).expect("base64url").len(), 32);
    let mut more = key.clone();
    for name in ["kid", "use", "alg", "x5c", "a"] {
        more.insert(name.to_owned(), "other".into());
    }
    assert_eq!(thumbprint(&more), Some(print));
}

/// JSON that can't be read in two ways: what is read strictly, an ordinary parser reads as the same.
pub fn strict_json(data: &[u8]) {
    let ordinary = serde_json::from_slice::<Value>(data);
    match parse_object(data) {
        Ok(object) => {
            let Ok(Value::Object(other)) = ordinary else {
                panic!("an ordinary parser refuses it");
            };
            assert_eq!(object, other);
            let printed = serde_json::to_vec(&object).expect("JSON");
            let again = parse_object(&printed).expect("its own text");
            assert_eq!(serde_json::to_vec(&again).expect("JSON"), printed);
        }
        Err(_) => {
            // Refused because of a name that is there twice: then an ordinary parser has lost a member.
            if let Ok(Value::Object(other)) = ordinary {
                assert!(
                    names(&Value::Object(other)) < data.split(|byte| *byte == b':').count() - 1,
                    "refused without a reason"
                );
            }
        }
    }
}

/// How many members there are at all depths.
fn names(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.values().map(|value| 1 + names(value)).sum(),
        Value::Array(values) => values.iter().map(names).sum(),
        _ => 0,
    }
}
