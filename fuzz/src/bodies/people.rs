//! What is said of people: addresses, claims, passwords; and of how a tenant looks.

use serde_json::Value;
use tessera::domain::branding::{Branding, Scheme};
use tessera::jose::passwords::prepare;
use tessera::protocol::claims::{StandardClaims, claims_for_scope};
use tessera::protocol::email::EmailAddress;

use super::text::text;

/// E-mail addresses: one key each, which is an address itself, and nothing that could end a header.
pub fn email(data: &[u8]) {
    let input = text(data);
    let Ok(address) = EmailAddress::parse(&input) else {
        return;
    };
    let own = address.as_str();
    assert!(own.len() <= 254 && input.contains(own));
    assert!(
        !own.chars()
            .any(|c| c.is_control() || c.is_whitespace() || "<>,;:\"\\()".contains(c)),
        "{own:?}"
    );
    let again = EmailAddress::parse(own).expect("its own text");
    assert_eq!(again, address);
    let by_key = EmailAddress::parse(address.key())
        .unwrap_or_else(|_| panic!("the key {:?} of {own:?} is no address", address.key()));
    assert_eq!(
        by_key.key(),
        address.key(),
        "the key of {own:?} isn't stable"
    );
}

/// A person's claims: what is accepted is written and accepted again, and a scope gives its claims and no others.
pub fn person(data: &[u8]) {
    let Ok(claims) = serde_json::from_slice::<StandardClaims>(data) else {
        return;
    };
    if let Err(error) = claims.validate() {
        assert!(!error.to_string().is_empty());
        return;
    }
    let written = serde_json::to_value(&claims).expect("JSON");
    let again: StandardClaims = serde_json::from_value(written.clone()).expect("its own text");
    assert_eq!(again, claims);
    assert!(again.validate().is_ok());
    let Value::Object(all) = written else {
        panic!("claims are an object")
    };
    for scope in ["profile", "email", "address", "phone", "openid", "other"] {
        let names = claims_for_scope(scope);
        for (name, value) in claims.select(names.iter().copied()) {
            assert!(names.contains(&name.as_str()));
            assert_eq!(all.get(&name), Some(&value));
        }
    }
}

/// The form in which passwords are compared: stable, and no longer than three times the text.
pub fn password(data: &[u8]) {
    let input = text(data);
    let prepared = prepare(&input);
    assert!(prepared.len() <= input.len() * 3);
    assert_eq!(*prepare(&prepared), *prepared, "prepared twice: {input:?}");
    assert!(!input.is_ascii() || *prepared == *input);
}

/// A tenant's colours and logo.
pub fn branding(data: &[u8]) {
    let Ok(branding) = serde_json::from_slice::<Branding>(data) else {
        return;
    };
    let written = serde_json::to_vec(&branding).expect("JSON");
    let again: Branding = serde_json::from_slice(&written).expect("its own text");
    assert_eq!(again, branding);
    if branding.logo_uri().is_some() {
        let origin = branding.logo_origin().expect("an origin");
        assert!(origin.starts_with("https://") || origin.starts_with("http://"));
        // It stands in a Content-Security-Policy.
        assert!(!origin.contains([' ', ';', ',', '\'', '"']), "{origin}");
    }
    for scheme in [Scheme::Light, Scheme::Dark] {
        let (page, palette) = (scheme.background(), branding.palette(scheme));
        for (one, other, least) in [
            (palette.on_accent, palette.accent, 4.5),
            (palette.on_accent, palette.accent_hover, 4.5),
            (palette.accent_edge, page, 3.0),
            (palette.accent_ink, page, 4.5),
        ] {
            assert!(one.contrast(other) >= least, "{one} on {other}");
        }
    }
}
