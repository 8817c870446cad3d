//! What a client that registered itself may change of what administrators decided on (RFC 7592 §2.2). Each change is the client's own word, so it may
//! narrow what somebody decided who can be asked, and never widen it.
//!
//! Two things are an administrator's: the members that one has set, each for itself, and, once one has given the client something that is theirs
//! to give, what that gift reaches. The first is kept as a list of names, the second is seen by the metadata alone.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value};

use super::document::ClientMetadata;
use super::kinds::GrantType;
use super::rules::MetadataError;

/// The grants by which a client acts without a person at it: for itself, with tokens that it was given, or by asking people elsewhere.
pub const ACTING_FOR_ITSELF: [GrantType; 4] = [
    GrantType::ClientCredentials,
    GrantType::TokenExchange,
    GrantType::JwtBearer,
    GrantType::Ciba,
];

/// What bounds the power of a client that was given anything at all.
const REACH: [&str; 5] = [
    "scope",
    "resources",
    "authorization_details_types",
    "grant_types",
    "response_types",
];

/// Where people, and what they bring, are sent: by a client that they aren't asked about.
const ADDRESSES: [&str; 4] = [
    "redirect_uris",
    "post_logout_redirect_uris",
    "initiate_login_uri",
    "allowed_origins",
];

/// The member that says how a client authenticates.
const METHOD: &str = "token_endpoint_auth_method";

/// The members that have rules of their own, by which a client may demand more of itself.
const DEMANDS: [&str; 7] = [
    "require_pkce",
    "require_pushed_authorization_requests",
    "require_signed_request_object",
    "require_dpop_nonce",
    "dpop_bound_access_tokens",
    "tls_client_certificate_bound_access_tokens",
    "security_profile",
];

/// What is said of a client by others than itself.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    /// The members that administrators set, by name.
    pub by_administrators: &'a BTreeSet<String>,
    /// The members that its software statement sets.
    pub by_statement: &'a HashSet<String>,
}

/// How a member is widened.
enum Order {
    /// By a further value; without any there is nothing.
    List,
    /// By a further value; without any there are no bounds.
    BoundedList,
    /// By a further scope-token.
    Tokens,
    /// By any other value.
    Same,
}

fn order_of(member: &str) -> Order {
    match member {
        "scope" => Order::Tokens,
        "resources" => Order::BoundedList,
        "redirect_uris"
        | "post_logout_redirect_uris"
        | "allowed_origins"
        | "authorization_details_types"
        | "grant_types"
        | "response_types"
        | "request_uris" => Order::List,
        _ => Order::Same,
    }
}

fn values(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn tokens(value: Option<&Value>) -> HashSet<&str> {
    let text = value.and_then(Value::as_str).unwrap_or_default();
    text.split(' ').filter(|token| !token.is_empty()).collect()
}

/// Whether a member says more than it did.
fn is_wider(member: &str, before: Option<&Value>, after: Option<&Value>) -> bool {
    let (had, has) = (values(before), values(after));
    let is_beyond = || has.iter().any(|value| !had.contains(value));
    match order_of(member) {
        Order::List => is_beyond(),
        Order::BoundedList => !had.is_empty() && (has.is_empty() || is_beyond()),
        Order::Tokens => !tokens(after).is_subset(&tokens(before)),
        Order::Same => before != after,
    }
}

impl ClientMetadata {
    fn members(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        }
    }

    /// The names of the members in which this differs from `other`.
    pub fn members_unlike(&self, other: &Self) -> BTreeSet<String> {
        let (own, theirs) = (self.members(), other.members());
        let names = own.keys().chain(theirs.keys());
        names
            .filter(|name| own.get(*name) != theirs.get(*name))
            .cloned()
            .collect()
    }

    /// Whether people are sent to it without being asked about it, or by a way that was opened for it alone.
    pub fn is_trusted_with_people(&self) -> bool {
        self.skip_consent || self.popup_sign_in || self.native_sso_group.is_some()
    }

    /// Whether it has anything that nobody takes by their own word: what administrators alone set, or a grant by which it acts for itself.
    pub fn is_trusted(&self) -> bool {
        let nothing = Self::default();
        self.is_trusted_with_people()
            || self.default_audience.is_some()
            || self.access_token_lifetime.is_some()
            || self.refresh_token_lifetime.is_some()
            || self.refresh_token_leeway != nothing.refresh_token_leeway
            || !self.token_exchange_subjects.is_empty()
            || !self.token_exchange_targets.is_empty()
            || self.token_exchange_scope.is_some()
            || self.token_exchange_impersonation
            || !self.token_exchange_issuers.is_empty()
            || self.token_exchange_may_act.is_some()
            || ACTING_FOR_ITSELF
                .iter()
                .any(|grant| self.allows_grant(*grant))
    }

    /// Holds a change by the client itself, which was read already, to what others have decided: what it leaves out stays where taking it away would
    /// widen it, and what it says that is wider is refused. `sent` has the names of what it says.
    pub fn hold_to(
        self,
        present: &Self,
        decided: Decided<'_>,
        sent: &HashSet<String>,
    ) -> Result<Self, MetadataError> {
        let (before, mut after) = (present.members(), self.members());
        // In every language: a name beside the one that an administrator chose would be what people read who speak it.
        let is_set = |name: &str| {
            let base = name.split_once('#').map_or(name, |(base, _)| base);
            [name, base]
                .iter()
                .any(|name| decided.by_administrators.contains(*name))
        };
        let said: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
        let said = said.iter().map(String::as_str);
        let mut guarded: BTreeSet<&str> = said
            .filter(|name| is_set(name) && !DEMANDS.contains(name))
            .collect();
        if present.is_trusted() {
            guarded.extend(REACH);
        }
        if present.is_trusted_with_people() {
            guarded.extend(ADDRESSES);
        }
        let mut is_kept = false;
        for member in guarded {
            if !is_wider(member, before.get(member), after.get(member)) {
                continue;
            }
            // To take an address away isn't to change it.
            let is_taken_away = member == "initiate_login_uri"
                && !decided.by_administrators.contains(member)
                && !after.contains_key(member);
            if is_taken_away {
                continue;
            }
            if sent.contains(member) && !decided.by_statement.contains(member) {
                return Err(MetadataError::new(
                    member,
                    "goes beyond what an administrator decided on; ask the tenant's administrators to change it, or say no more than is there",
                ));
            }
            match before.get(member) {
                Some(value) => after.insert(member.to_owned(), value.clone()),
                None => after.remove(member),
            };
            is_kept = true;
        }
        let becomes_public = self.is_public() && !present.is_public();
        if becomes_public && present.is_trusted() {
            return Err(MetadataError::new(
                METHOD,
                "can't become none of a client that an administrator trusts with more than others have; ask the tenant's administrators to change it",
            ));
        }
        if !is_kept {
            return Ok(self);
        }
        Self::from_json(Value::Object(after))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(members: &Value) -> ClientMetadata {
        let mut document =
            json!({ "redirect_uris": ["https://app.example.com/cb"], "require_pkce": false });
        for (name, value) in members.as_object().unwrap() {
            document[name] = value.clone();
        }
        ClientMetadata::from_json(document).unwrap()
    }

    /// What a change comes to, or which member is refused; `owned` are administrators' members.
    fn change(present: &Value, owned: &[&str], sent: &Value) -> Result<ClientMetadata, String> {
        let owned = owned.iter().map(|name| (*name).to_owned()).collect();
        let decided = Decided {
            by_administrators: &owned,
            by_statement: &HashSet::new(),
        };
        let names = sent.as_object().unwrap().keys().cloned().collect();
        metadata(sent)
            .hold_to(&metadata(present), decided, &names)
            .map_err(|error| error.field)
    }

    #[test]
    fn every_guarded_member_is_one() {
        let schema = schemars::schema_for!(ClientMetadata).to_value();
        let known = schema["properties"].as_object().unwrap();
        for member in REACH.iter().chain(&ADDRESSES).chain(&DEMANDS) {
            assert!(known.contains_key(*member), "{member}");
        }
        assert!(known.contains_key(METHOD));
    }

    const PLAIN_GRANTS: [&str; 2] = ["authorization_code", "refresh_token"];

    /// A client with something in each guarded member, and more.
    fn with(given: &Value) -> Value {
        let mut present = json!({
            "grant_types": PLAIN_GRANTS, "scope": "openid read", "resources": ["https://a.example"], "authorization_details_types": ["a"],
            "post_logout_redirect_uris": ["https://app.example.com/out"], "allowed_origins": ["https://app.example.com"],
            "initiate_login_uri": "https://app.example.com/login",
        });
        for (name, value) in given.as_object().unwrap() {
            present[name] = value.clone();
        }
        present
    }

    /// A wider value of each member that a trusted client can't widen, and of those that one can't widen that people are sent to unasked.
    fn wider() -> [Vec<Value>; 2] {
        let reach = json!([
            { "scope": "openid read write" }, { "resources": ["https://a.example", "https://b.example"] }, { "resources": ["https://b.example"] },
            { "resources": [] }, { "authorization_details_types": ["a", "b"] },
            { "grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"] },
            { "grant_types": ["authorization_code", "implicit"], "response_types": ["code", "code id_token"] },
        ]);
        let addresses = json!([
            { "redirect_uris": ["https://app.example.com/cb", "https://evil.example/"] }, { "allowed_origins": ["https://evil.example"] },
            { "post_logout_redirect_uris": ["https://evil.example/"] }, { "initiate_login_uri": "https://evil.example/" },
        ]);
        [reach, addresses].map(|list| list.as_array().unwrap().clone())
    }

    /// The matrix: for each thing that is given, each member that it reaches, wider, narrower and left out.
    #[test]
    fn what_is_trusted_narrows_and_never_widens() {
        let [reach, addresses] = wider();
        let given = json!([
            { "skip_consent": true }, { "popup_sign_in": true }, { "native_sso_group": "acme" }, { "default_audience": "https://a.example" },
            { "access_token_lifetime": 60 }, { "refresh_token_lifetime": 600 }, { "refresh_token_leeway": 5 },
            { "grant_types": ["authorization_code", "refresh_token", "client_credentials"] },
        ]);
        for (position, given) in given.as_array().unwrap().iter().enumerate() {
            let present = with(given);
            let is_refused = |more: &Value| {
                let mut changed = present.clone();
                for (name, value) in more.as_object().unwrap() {
                    changed[name] = value.clone();
                }
                let refused = change(&present, &[], &changed).err();
                refused.is_some_and(|member| more.get(&member).is_some())
            };
            assert!(reach.iter().all(is_refused), "{given}");
            assert!(
                addresses
                    .iter()
                    .all(|more| is_refused(more) == (position < 3)),
                "{given}"
            );
            // The same again, less, and left out.
            let same = change(&present, &[], &present);
            assert_eq!(same.as_ref(), Ok(&metadata(&present)), "{given}");
            let mut less = present.clone();
            less["scope"] = json!("read");
            less["grant_types"] = json!(["authorization_code"]);
            let less = change(&present, &[], &less).unwrap();
            assert_eq!(less.scope.unwrap().to_string(), "read");
            assert_eq!(less.grant_types, [GrantType::AuthorizationCode]);
            let out = change(&present, &[], &json!({})).unwrap();
            assert_eq!(out.scope.unwrap().to_string(), "openid read");
            assert_eq!(out.resources, ["https://a.example"]);
        }
    }

    #[test]
    fn what_nobody_trusts_is_what_it_says() {
        let present = with(&json!({}));
        for more in wider().concat() {
            let changed = with(&more);
            assert_eq!(
                change(&present, &[], &changed),
                Ok(metadata(&changed)),
                "{more}"
            );
        }
        let out = change(&present, &[], &json!({})).unwrap();
        assert!(out.resources.is_empty());
    }

    #[test]
    fn a_trusted_client_goes_on_authenticating() {
        let public = json!({ "token_endpoint_auth_method": "none" });
        let trusted = json!({ "skip_consent": true });
        assert_eq!(change(&trusted, &[], &public), Err(METHOD.to_owned()));
        assert!(change(&json!({}), &[], &public).is_ok());
        let both = json!({ "skip_consent": true, "token_endpoint_auth_method": "none" });
        assert!(change(&both, &[], &public).is_ok());
    }

    #[test]
    fn what_an_administrator_set_stays() {
        let present = json!({ "client_name": "Acme", "scope": "openid", "redirect_uris": ["https://a.example/"], "jwks_uri": "https://a.example/jwks", "require_auth_time": true });
        for (member, value) in [
            ("client_name", json!("Your Bank")),
            ("scope", json!("openid email")),
            ("redirect_uris", json!(["https://b.example/"])),
            ("jwks_uri", json!("https://b.example/jwks")),
        ] {
            let mut sent = present.clone();
            sent[member] = value.clone();
            assert_eq!(change(&present, &[member], &sent), Err(member.to_owned()));
            assert!(change(&present, &[], &sent).is_ok(), "{member} is its own");
            sent.as_object_mut().unwrap().remove(member);
            let left_out = change(&present, &[member], &sent).unwrap();
            assert_eq!(
                left_out.members()[member],
                metadata(&present).members()[member],
                "{member} was left out"
            );
        }
        // What one took away isn't put there again.
        assert_eq!(
            change(
                &json!({}),
                &["logo_uri"],
                &json!({ "logo_uri": "https://a.example/" })
            ),
            Err("logo_uri".to_owned())
        );
        // A statement isn't refused for what it says; an administrator goes before it.
        let named = ["client_name".to_owned()].into();
        let stated = ["client_name".to_owned()].into();
        let decided = Decided {
            by_administrators: &named,
            by_statement: &stated,
        };
        let document = json!({ "client_name": "Board" });
        let sent_names = ["client_name".to_owned()].into();
        let held = metadata(&document)
            .hold_to(&metadata(&present), decided, &sent_names)
            .unwrap();
        assert_eq!(held.client_name.as_deref(), Some("Acme"));
        assert_eq!(
            metadata(&document).members_unlike(&metadata(&json!({}))),
            named
        );
    }
}
