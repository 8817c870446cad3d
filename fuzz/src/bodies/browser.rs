//! What a browser carries back: handles, cookies, the request that waits, the token of a form.

use actix_web::http::header::{COOKIE, HeaderValue};
use actix_web::test::TestRequest;
use chrono::TimeDelta;
use tessera::flows::browser::{
    CheckedForm, Cookie, CookiePlace, CsrfSeed, DeviceCookie, FormOwner, FormPurpose,
    MOST_SESSIONS, Provenance, SessionCookie,
};
use tessera::flows::interaction::{Interaction, InvalidInteraction, LIFETIME};
use tessera::http::pages::cookies::{Jar, find};
use tessera::protocol::Params;
use tessera::secret::{Handle, Purpose};
use uuid::Uuid;

use super::text::{choice, lines, text};
use super::world::World;

/// Secrets that were handed out: one spelling each, and good for one purpose.
pub fn handle(data: &[u8]) {
    let (kind, rest) = choice(data);
    let input = text(rest);
    let purpose = Purpose::ALL[usize::from(kind) % Purpose::ALL.len()];
    if let Some(handle) = Handle::parse(purpose, &input) {
        assert_eq!(handle.to_text(purpose).expose(), input);
        for other in Purpose::ALL.into_iter().filter(|other| *other != purpose) {
            assert!(Handle::parse(other, &input).is_none(), "{other:?}: {input}");
        }
    }
    if let Some((bytes, _)) = rest.split_first_chunk::<48>() {
        let (id, proof) = bytes.split_first_chunk::<16>().expect("48 bytes");
        let proof = proof.try_into().expect("32 bytes");
        let handle = Handle::from_parts(Uuid::from_bytes(*id), proof);
        let printed = handle.to_text(purpose);
        let read = Handle::parse(purpose, printed.expose()).expect("its own text");
        assert_eq!(read.id(), handle.id());
        assert_eq!(read.to_text(purpose).expose(), printed.expose());
    }
}

/// The `Cookie` field: nothing in it is trusted, whatever is kept is written in the same form.
pub fn cookies(data: &[u8]) {
    let (kind, rest) = choice(data);
    let input = text(rest);
    let [issuer, field] = lines(&input);
    let issuer = match kind % 4 {
        0 => "https://id.example/t/acme",
        1 => "https://acme.id.example",
        2 => "http://localhost:8080/t/acme",
        _ => issuer,
    };
    let place = CookiePlace::of(issuer);
    let name = place.name(Cookie::Session);
    // RFC 6265bis §4.1.3: what the prefixes promise.
    assert!(!name.starts_with("__Host-") || (place.secure && place.path == "/"));
    assert!(!name.starts_with("__Secure-") || place.secure);
    // What is no header at all never comes so far.
    let Ok(sent) = HeaderValue::from_str(field) else {
        return;
    };
    let request = TestRequest::default()
        .insert_header((COOKIE, sent))
        .to_http_request();
    if let Some(value) = find(&request, &name) {
        assert!(field.contains(value) && !value.contains(';'));
    }
    let jar = Jar::read(&request, issuer);
    assert!(jar.sessions.handles().len() <= MOST_SESSIONS);
    let devices = jar.devices.to_value();
    for value in [jar.sessions.to_value(), devices.clone()] {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        assert!(value.chars().all(allowed), "{value}");
    }
    let again = SessionCookie::parse(Some(&jar.sessions.to_value()));
    assert_eq!(again.to_value(), jar.sessions.to_value());
    let again = DeviceCookie::parse(Some(&devices));
    assert_eq!(again.to_value(), devices);
    if let Some(seed) = &jar.csrf {
        assert!(CsrfSeed::parse(&seed.to_value()).as_ref() == Some(seed));
    }
    let world = World::get();
    assert!(
        jar.devices.find(&world.at.tenant, field).is_none(),
        "a device that nobody made is known"
    );
    let known = jar.devices.with(&world.at.tenant, field, &world.clock);
    assert!(known.find(&world.at.tenant, field).is_some());
    let other = &world.other.tenant;
    assert!(
        known.find(other, field).is_none(),
        "it is known to another tenant"
    );
}

/// The request that waits for its person: it comes back as it went, to the tenant and the address where it began, or not at all.
pub fn interaction(data: &[u8]) {
    let (kind, rest) = choice(data);
    let world = World::get();
    let now = world.clock.now();
    let input = text(rest);
    let foreign = Interaction::parse(&world.at, &input, now);
    assert_eq!(foreign.err(), Some(InvalidInteraction::Foreign));
    let (query, edit) = rest.split_at(rest.len() - rest.len().min(8));
    let Ok(params) = Params::parse(query) else {
        return;
    };
    let waiting = Interaction {
        params,
        started_at: now - TimeDelta::minutes(i64::from(kind) / 4),
        selected: None,
        begun: None,
        expected_sub: (kind & 1 == 1).then(|| input.clone().into_owned()),
    };
    let Ok(printed) = waiting.to_text(&world.at, &world.clock) else {
        assert!(rest.len() > 5000, "a short request can't wait");
        return;
    };
    let read = Interaction::parse(&world.at, &printed, now);
    if waiting.started_at + LIFETIME < now {
        assert_eq!(read, Err(InvalidInteraction::Expired));
    } else {
        let read = read.expect("its own text");
        let times = (
            read.started_at.timestamp_micros(),
            waiting.started_at.timestamp_micros(),
        );
        assert_eq!(times.0, times.1);
        assert!(read.params == waiting.params && read.expected_sub == waiting.expected_sub);
    }
    let elsewhere = Interaction::parse(&world.other, &printed, now);
    assert_eq!(elsewhere, Err(InvalidInteraction::Foreign));
    let changed = edited(&printed, edit);
    if changed != printed {
        let read = Interaction::parse(&world.at, &changed, now);
        assert_eq!(read, Err(InvalidInteraction::Foreign), "{changed}");
    }
}

/// The text with some of its bytes replaced.
fn edited(text: &str, edit: &[u8]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for pair in edit.chunks_exact(4) {
        let at = usize::from(u16::from_be_bytes([pair[0], pair[1]])) % bytes.len();
        bytes[at] = pair[2] & 0x7f;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The token of a form, and where the form was sent from.
pub fn form_token(data: &[u8]) {
    let (kind, rest) = choice(data);
    let input = text(rest);
    let [origin, referer, site, token] = lines(&input);
    let world = World::get();
    let owner = FormOwner {
        session: Uuid::from_bytes([kind; 16]),
        person: Uuid::from_bytes([kind ^ 1; 16]),
    };
    let purposes = [
        FormPurpose::SignIn,
        FormPurpose::SelectAccount,
        FormPurpose::Consent,
        FormPurpose::SignOut,
        FormPurpose::Link,
        FormPurpose::Password,
        FormPurpose::Sessions,
        FormPurpose::Applications,
        FormPurpose::Console(owner),
    ];
    let purpose = purposes[usize::from(kind) % purposes.len()];
    let seed = CsrfSeed::generate(&world.clock);
    let given = |text: &'static str| (kind & 64 != 0).then_some(text);
    let check = |at, provenance, purpose, token: &str| {
        let params = [("csrf", token)].into_iter().collect();
        CheckedForm::check(at, provenance, Some(&seed), purpose, params).is_ok()
    };
    let owner_of = |at, provenance, token: &str| {
        let params = [("csrf", token)].into_iter().collect();
        CheckedForm::find_owner(at, provenance, Some(&seed), &params)
    };
    let own = seed.token(&world.at.tenant, purpose);
    let here = Provenance {
        origin: given("http://localhost"),
        ..Provenance::default()
    };
    assert!(check(&world.at, here, purpose, &own), "our own form");
    assert!(!check(&world.at, here, purpose, token), "forged: {token}");
    assert!(
        !check(&world.other, here, purpose, &own),
        "another tenant's"
    );
    for other in purposes.into_iter().filter(|other| *other != purpose) {
        assert!(!check(&world.at, here, other, &own), "{other:?}");
    }
    let changed = edited(&own, rest);
    assert!(changed == own || !check(&world.at, here, purpose, &changed));
    let of_console = purpose == FormPurpose::Console(owner);
    assert_eq!(owner_of(&world.at, here, &own), of_console.then_some(owner));
    assert_eq!(owner_of(&world.other, here, &own), None);
    assert_eq!(owner_of(&world.at, here, token), None, "forged: {token}");
    assert!(changed == own || owner_of(&world.at, here, &changed).is_none());
    // Any word about another origin is enough to refuse.
    let from = Provenance {
        origin: (!origin.is_empty()).then_some(origin),
        fetch_site: (!site.is_empty()).then_some(site),
        referer: (!referer.is_empty()).then_some(referer),
    };
    let is_taken = check(&world.at, from, purpose, &own);
    assert_eq!(
        owner_of(&world.at, from, &own).is_some(),
        of_console && is_taken
    );
    if is_taken {
        let telling = from.origin.or(from.fetch_site).or(from.referer);
        match telling {
            None | Some("http://localhost" | "same-origin") => {}
            Some(address) => {
                let url = url::Url::parse(address).expect("the address of our own page");
                assert_eq!(url.origin().ascii_serialization(), "http://localhost");
            }
        }
    }
}
