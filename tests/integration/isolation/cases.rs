//! What is tried: each request of [`samples`](super::samples) with each kind of credential, for each way in which the tenant of the
//! address, the tenant of the identifiers and the owner of the credential can differ.

use actix_web::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::marks::{Letter, SYSTEM, TENANTS};
use super::samples::{Body, Key, Sample, Samples};
use super::world::{Side, Signed, World};
use crate::support::http::Request;

/// What is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Nothing,
    Session,
    Csrf,
    Console,
    /// Somebody's cookies with somebody else's form.
    MixedCsrf,
    Jwt,
    Opaque,
    IdToken,
    Refresh,
    Code,
    Basic,
    Post,
    Assertion,
    Administrator,
    UserManager,
    ClientManager,
    Auditor,
    Program,
    Link,
    InitialAccess,
    Registration,
    /// The program of the identifiers' tenant, with a key that another tenant's has used.
    Idempotency,
    Hint,
    Flow,
    /// One tenant's host with another's path, and the headers that proxies set.
    Host,
    OperatorToken,
    OperatorConsole,
}

/// All that a tenant's people and programs can present.
const TENANT_KINDS: [Kind; 25] = [
    Kind::Nothing,
    Kind::Session,
    Kind::Csrf,
    Kind::Console,
    Kind::MixedCsrf,
    Kind::Jwt,
    Kind::Opaque,
    Kind::IdToken,
    Kind::Refresh,
    Kind::Code,
    Kind::Basic,
    Kind::Post,
    Kind::Assertion,
    Kind::Administrator,
    Kind::UserManager,
    Kind::ClientManager,
    Kind::Auditor,
    Kind::Program,
    Kind::Link,
    Kind::InitialAccess,
    Kind::Registration,
    Kind::Idempotency,
    Kind::Hint,
    Kind::Flow,
    Kind::Host,
];

/// One request.
#[derive(Clone, Debug)]
pub struct Case {
    pub key: Key,
    pub kind: Kind,
    /// Whose address it is, or whose name stands in the path of the API and of the operators' console.
    pub at: Letter,
    /// Whose identifiers stand in path, query and body.
    pub ids: Letter,
    /// Whose the credential is.
    pub owner: Letter,
    /// At the tenant's own domain instead of its usual address.
    pub at_domain: bool,
}

/// A part of the surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    Protocol,
    Pages,
    Console,
    OperatorsConsole,
    Api,
    Root,
}

impl Key {
    pub fn area(&self) -> Area {
        let Some(path) = self.route.below_issuer() else {
            return if self.route.0.starts_with("/root/api/v1") {
                Area::Api
            } else {
                Area::Root
            };
        };
        let protocol = [
            "/par",
            "/device_authorization",
            "/backchannel_authentication",
            "/token",
            "/introspect",
            "/revoke",
            "/register",
            "/userinfo",
            "/jwks",
            "/.well-known",
            "/branding",
            "/favicon",
        ];
        if path.starts_with("/console/tenant") {
            Area::OperatorsConsole
        } else if path.starts_with("/console") {
            Area::Console
        } else if protocol.iter().any(|known| path.starts_with(known)) {
            Area::Protocol
        } else {
            Area::Pages
        }
    }

    fn names_tenant(&self) -> bool {
        self.route.0.contains("{tenant}") || self.route.0.contains("{slug}")
    }
}

/// What this part of the surface looks at: presented in every mix; everything else in some.
fn is_looked_at(area: Area, kind: Kind) -> bool {
    use Kind::*;
    match area {
        Area::Protocol => matches!(
            kind,
            Jwt | Opaque
                | IdToken
                | Refresh
                | Code
                | Basic
                | Post
                | Assertion
                | InitialAccess
                | Registration
        ),
        Area::Pages => matches!(kind, Session | Csrf | MixedCsrf | Hint | Flow | Link | Host),
        Area::Console => matches!(kind, Console | MixedCsrf),
        Area::OperatorsConsole => matches!(kind, Console),
        Area::Api => matches!(kind, Administrator | Auditor | Program | Idempotency),
        Area::Root => false,
    }
}

/// Numbers that are the same each time.
pub struct Dice(pub u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap_or(0)
    }
}

/// All cases.
pub fn all(samples: &Samples, seed: u64) -> Vec<Case> {
    let mut dice = Dice(seed);
    let mut cases = Vec::new();
    for key in samples.of[&'a'].keys() {
        let area = key.area();
        for kind in TENANT_KINDS {
            // Who else's identifiers, and whose credential, seen from the tenant of the address: at least one of them foreign.
            let mixes = (1..9).map(|mix| (mix / 3, mix % 3)).collect::<Vec<_>>();
            let chosen: Vec<_> = if is_looked_at(area, kind) {
                mixes
            } else {
                let first = dice.roll(8);
                let second = (first + 1 + dice.roll(7)) % 8;
                vec![mixes[first], mixes[second]]
            };
            for (ids, owner) in chosen {
                let at = dice.roll(3);
                let at_domain = key.route.below_issuer().is_some() && dice.roll(3) == 0;
                cases.push(Case {
                    key: key.clone(),
                    kind,
                    at: TENANTS[at],
                    ids: TENANTS[(at + ids) % 3],
                    owner: TENANTS[(at + owner) % 3],
                    at_domain,
                });
            }
        }
        let operator = match area {
            Area::Api if key.names_tenant() => Kind::OperatorToken,
            Area::OperatorsConsole if key.route.0.contains("{tenant}") => Kind::OperatorConsole,
            _ => continue,
        };
        for at in TENANTS {
            for ids in TENANTS.into_iter().filter(|ids| *ids != at) {
                cases.push(Case {
                    key: key.clone(),
                    kind: operator,
                    at,
                    ids,
                    owner: SYSTEM,
                    at_domain: false,
                });
            }
        }
    }
    cases.retain(|case| !is_own(samples, case));
    cases
}

/// Whether nothing in it is foreign after all: the request names nobody, and the credential is that of the address. Such a request does
/// what it says, and would take from the tenant what later cases need.
fn is_own(samples: &Samples, case: &Case) -> bool {
    let (path, is_get) = (case.key.route.0.as_str(), case.key.method == "GET");
    match case.kind {
        // The token is the tenant's own; only what is made looks at the key.
        Kind::Idempotency if case.ids == case.at => {
            let makes = [
                "/users",
                "/clients",
                "/resources",
                "/domains",
                "/initial-access-tokens",
                "/external-subjects",
            ];
            let is_made = case.key.method == "POST" && makes.iter().any(|end| path.ends_with(end));
            // What b's own requests make at the end (`judge::twins`) must not be there yet.
            return !(is_get || (is_made && case.at != 'b'));
        }
        Kind::Host if case.owner == case.at => return true,
        // A hint is enough to sign its own session out; a link or a password with its own form is, to whoever sends it.
        Kind::Hint if case.owner == case.at && path.ends_with("/logout") => return true,
        _ if case.ids == case.at && case.key.variant == "hint" => return true,
        Kind::MixedCsrf
            if case.ids == case.at && (path.contains("{token}") || path.ends_with("/login")) =>
        {
            return true;
        }
        _ => {}
    }
    let foreign_credential =
        case.owner != case.at && case.kind != Kind::Nothing && case.owner != SYSTEM;
    if foreign_credential || matches!(case.kind, Kind::Host | Kind::Nothing) {
        return false;
    }
    let (own, other) = (&samples.of[&case.at][&case.key], sample(samples, case));
    let fields = |sample: &Sample| match &sample.body {
        Body::Form(fields) => fields
            .iter()
            .filter(|(name, _)| name != "csrf")
            .cloned()
            .collect(),
        Body::Json(text) => vec![(String::new(), text.clone())],
        Body::Nothing => Vec::new(),
    };
    let same = own.path == other.path && fields(own) == fields(&other);
    same && case.kind != Kind::MixedCsrf
}

/// The request with the identifiers that the case names, at the tenant that it names.
pub fn sample(samples: &Samples, case: &Case) -> Sample {
    let (own, other) = (
        &samples.of[&case.at][&case.key],
        &samples.of[&case.ids][&case.key],
    );
    let mut mixed = other.clone();
    let slug = |letter: Letter| format!("mark-{letter}-slug");
    let area = case.key.area();
    if area == Area::Api || case.kind == Kind::OperatorConsole {
        mixed.path = mixed.path.replace(&slug(case.ids), &slug(case.at));
    }
    // Whoever may change things here changes them to what is their own, or the marks would lie.
    let administers = matches!(area, Area::Api | Area::Console | Area::OperatorsConsole)
        || case.key.route.0.starts_with("/tenant/register");
    if administers
        && (case.owner == case.at || case.owner == SYSTEM || case.kind == Kind::Idempotency)
    {
        mixed.body = own.body.clone();
        mixed.if_match.clone_from(&own.if_match);
    }
    mixed
}

/// Makes the request.
pub fn request(world: &World, samples: &Samples, case: &Case) -> Request {
    let (at, owner) = (world.side(case.at), world.side(case.owner));
    let mut sample = sample(samples, case);
    let issuer = if case.kind == Kind::OperatorConsole {
        &world.side(SYSTEM).tenant.issuer
    } else if case.at_domain {
        &at.domain
    } else {
        &at.tenant.issuer
    };
    let base = if case.key.route.below_issuer().is_none() {
        world.app.root()
    } else {
        issuer
    };
    let mut address = format!("{base}{}", sample.path);
    let mut headers = vec![("accept".to_owned(), "text/html,*/*;q=0.5".to_owned())];
    if case.key.area() == Area::Api {
        headers.clear();
    }
    let forms_owner = if case.kind == Kind::MixedCsrf {
        world.side(case.ids)
    } else {
        owner
    };
    let signed = |side: &Side| -> Signed {
        if case.at_domain {
            side.signed_at_domain.clone()
        } else {
            side.signed.clone()
        }
    };
    if let Body::Form(fields) = &mut sample.body {
        let own = samples
            .of
            .get(&forms_owner.letter)
            .map(|own| &own[&case.key]);
        for (name, value) in fields.iter_mut().filter(|(name, _)| name == "csrf") {
            let _ = name;
            match case.key.area() {
                Area::Console | Area::OperatorsConsole => {
                    value.clone_from(&signed(forms_owner).console_csrf);
                }
                _ => {
                    if let Some(Body::Form(own)) = own.map(|own| &own.body) {
                        let token = own.iter().find(|(name, _)| name == "csrf");
                        value.clone_from(&token.expect("a token").1);
                    }
                }
            }
        }
    }
    let cookies: &[&str] = match case.kind {
        Kind::Session => &["tessera_session", "tessera_device", "tessera_csrf"],
        Kind::Csrf => &["tessera_csrf"],
        Kind::Console | Kind::MixedCsrf | Kind::OperatorConsole | Kind::Host => {
            &super::world::COOKIES
        }
        _ => &[],
    };
    let secure = base.starts_with("https://") && !base["https://".len()..].contains('/');
    let prefix = if secure { "__Host-" } else { "" };
    let mut jar = Vec::new();
    for name in cookies {
        let whose = if *name == "tessera_csrf" {
            forms_owner
        } else {
            owner
        };
        jar.push(format!("{prefix}{name}={}", signed(whose).cookies[name]));
    }
    if !jar.is_empty() {
        headers.push(("cookie".into(), jar.join("; ")));
    }
    let bearer = match case.kind {
        Kind::Jwt => Some("jwt"),
        Kind::Opaque => Some("opaque"),
        Kind::IdToken => Some("id"),
        Kind::Refresh => Some("refresh"),
        Kind::Code => Some("code"),
        Kind::Link => Some("link"),
        Kind::InitialAccess => Some("initial"),
        Kind::Registration => Some("registration"),
        Kind::Administrator => Some("administrator"),
        Kind::UserManager => Some("user-manager"),
        Kind::ClientManager => Some("client-manager"),
        Kind::Auditor => Some("auditor"),
        Kind::Program | Kind::OperatorToken => Some("program"),
        _ => None,
    };
    if let Some(name) = bearer {
        headers.push((
            "authorization".into(),
            format!("Bearer {}", owner.held(name)),
        ));
    }
    let mut more: Vec<(&str, String)> = Vec::new();
    match case.kind {
        Kind::Idempotency => {
            let token = world.side(case.ids).held("program");
            headers.push(("authorization".into(), format!("Bearer {token}")));
            headers.push((
                "idempotency-key".into(),
                owner.held("idempotency").to_owned(),
            ));
        }
        Kind::Basic => {
            let client = &owner.web.client;
            let pair = format!("{}:{}", client.client_id(), client.secret());
            headers.push((
                "authorization".into(),
                format!("Basic {}", STANDARD.encode(pair)),
            ));
        }
        Kind::Post => more.extend([
            ("client_id", owner.posting.client_id()),
            ("client_secret", owner.posting.secret().to_owned()),
        ]),
        Kind::Assertion => more.extend([
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned(),
            ),
            ("client_assertion", assertion(world, owner, issuer)),
        ]),
        Kind::Hint => more.push(("id_token_hint", owner.held("id").to_owned())),
        Kind::Flow => more.push(("flow", owner.held("flow").to_owned())),
        Kind::Host => {
            let theirs = owner.domain.trim_start_matches("https://").to_owned();
            for name in ["x-forwarded-host", "x-host", "x-original-host"] {
                headers.push((name.into(), theirs.clone()));
            }
            headers.push(("forwarded".into(), format!("host={theirs}")));
            if case.ids == case.owner && !case.at_domain {
                // Their host, with the whole path of the other tenant.
                let url = url::Url::parse(&address).expect("a URL");
                address = format!("https://{theirs}{}", &url[url::Position::BeforePath..]);
            }
        }
        _ => {}
    }
    if !more.is_empty() {
        let replaced = |name: &str| more.iter().any(|(known, _)| *known == name);
        if let Body::Form(fields) = &mut sample.body {
            fields.retain(|(name, _)| !replaced(name));
            fields.extend(
                more.iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone())),
            );
        } else if case.key.area() != Area::Api {
            let mut url = url::Url::parse(&address).expect("a URL");
            let kept: Vec<_> = url
                .query_pairs()
                .into_owned()
                .filter(|(name, _)| !replaced(name))
                .collect();
            url.query_pairs_mut()
                .clear()
                .extend_pairs(kept)
                .extend_pairs(&more);
            address = url.into();
        }
    }
    send(world, case, sample, &address, headers)
}

fn send(
    world: &World,
    case: &Case,
    sample: Sample,
    address: &str,
    headers: Vec<(String, String)>,
) -> Request {
    let method: Method = case.key.method.parse().expect("a method");
    let mut request = world.app.http.request(method, address);
    for (name, value) in headers {
        request = request.header(&name, &value);
    }
    if let Some(tag) = &sample.if_match {
        request = request.header("if-match", tag);
    }
    match sample.body {
        Body::Nothing => request,
        Body::Json(text) => request.body("application/json", text),
        Body::Form(fields) => {
            let url = url::Url::parse(address).expect("a URL");
            let borrowed: Vec<_> = fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            request
                .header("origin", &url.origin().ascii_serialization())
                .form(&borrowed)
        }
    }
}

/// A client assertion for this issuer.
fn assertion(world: &World, owner: &Side, issuer: &str) -> String {
    let clock = &world.app.provider.clock;
    let (id, now) = (owner.asserting.client_id(), clock.unix());
    let claims = json!({ "iss": id, "sub": id, "aud": issuer, "exp": now + 60, "iat": now, "jti": clock.uuid_v7() });
    match &owner.assertion_key {
        Some(key) => key.sign_jwt("JWT", &claims).expect("signed"),
        None => String::new(),
    }
}
