//! The kinds of clients that people speak of, and what each is in RFC 7591's terms.

use serde_json::{Map, Value, json};
use url::Url;

use super::layout::Shell;
use super::parts::Draft;
use crate::flows::scopes::only_api;
use crate::protocol::client_metadata::{ClientMetadata, GrantType, ResponseType};
use crate::protocol::redirect_uri::is_host_without_scheme;
use crate::protocol::scope::{ADDRESS, EMAIL, OFFLINE_ACCESS, OPENID, PHONE, PROFILE};
use crate::protocol::uri::is_loopback_literal;

/// A kind of client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It runs on a server and keeps a secret.
    Web,
    /// It runs in a browser or on a phone, and keeps none.
    Browser,
    /// A program that acts for itself.
    Service,
    /// A program that a person runs in a terminal; the browser comes back to it on the loopback interface (RFC 8252 §7.3).
    Terminal,
    /// A device without a browser, whose person goes on elsewhere (RFC 8628).
    Device,
}

impl Kind {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 5] = [
        Self::Web,
        Self::Browser,
        Self::Service,
        Self::Terminal,
        Self::Device,
    ];

    /// Its name in addresses and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Browser => "browser",
            Self::Service => "service",
            Self::Terminal => "terminal",
            Self::Device => "device",
        }
    }

    /// The kind of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What a client is, as far as its metadata tells.
    pub fn of(metadata: &ClientMetadata) -> Self {
        let loopback = |uri: &String| Url::parse(uri).is_ok_and(|url| is_loopback_literal(&url));
        match (metadata.has_people_sign_in(), metadata.is_public()) {
            (false, _) if metadata.allows_grant(GrantType::DeviceCode) => Self::Device,
            (false, _) => Self::Service,
            (true, false) => Self::Web,
            (true, true) if metadata.redirect_uris.iter().all(loopback) => Self::Terminal,
            (true, true) => Self::Browser,
        }
    }

    /// In words.
    pub fn name(self, page: &Shell<'_>) -> String {
        page.t(&format!("client-kind-{}", self.as_str()))
            .into_owned()
    }

    /// Whether people sign in with it.
    pub const fn signs_in(self) -> bool {
        !matches!(self, Self::Service)
    }

    /// What its form asks for.
    pub const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Web | Self::Browser => &[
                "client_name",
                "redirect_uris",
                "post_logout_redirect_uris",
                "scope",
                "api",
                "skip_consent",
                "logo_uri",
                "response_types",
            ],
            Self::Service => &["client_name", "api"],
            Self::Device => &["client_name", "scope", "api", "logo_uri"],
            Self::Terminal => &[
                "client_name",
                "redirect_uris",
                "scope",
                "api",
                "skip_consent",
            ],
        }
    }

    /// What its form holds at first.
    pub fn draft(self) -> Draft {
        let redirect = match self {
            Self::Terminal => "http://127.0.0.1/callback",
            _ => "",
        };
        let mut values = vec![("redirect_uris", redirect)];
        values.extend([PROFILE, EMAIL].map(|scope| ("scope", scope)));
        if matches!(self, Self::Web | Self::Browser) {
            values.push(("response_types", ResponseType::Code.as_str()));
        }
        if matches!(self, Self::Terminal | Self::Device) {
            values.push(("scope", OFFLINE_ACCESS));
        }
        Draft::new(
            values
                .into_iter()
                .map(|(name, value)| (name, value.to_owned())),
        )
    }

    /// The client that a form asks for. An API's scope is sent as its identifier and the scope, with a space between.
    pub fn metadata(self, draft: &Draft) -> Value {
        let mut document = Map::new();
        let mut set = |name: &str, value: Value| document.insert(name.to_owned(), value);
        let mut scopes: Vec<&str> = Vec::new();
        if self.signs_in() {
            scopes.push(OPENID);
            let known = [PROFILE, EMAIL, PHONE, ADDRESS, OFFLINE_ACCESS];
            scopes.extend(draft.values("scope").filter(|scope| known.contains(scope)));
        }
        let mut resources: Vec<&str> = Vec::new();
        for (resource, scope) in draft.values("api").filter_map(|api| api.split_once(' ')) {
            if !resources.contains(&resource) {
                resources.push(resource);
            }
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        set("client_name", draft.value("client_name").into());
        set("scope", scopes.join(" ").into());
        if let Some(only) = only_api(resources.iter().copied()) {
            set("default_audience", only.into());
        }
        set("resources", resources.into());
        let mut grants = vec![GrantType::ClientCredentials];
        let mut method = "client_secret_basic";
        if self.signs_in() {
            if self == Self::Device {
                grants = vec![GrantType::DeviceCode];
                if scopes.contains(&OFFLINE_ACCESS) {
                    grants.push(GrantType::RefreshToken);
                }
            } else {
                // What isn't ticked or isn't one is told by the rules.
                let types: Vec<ResponseType> = draft
                    .values("response_types")
                    .filter_map(|name| name.parse().ok())
                    .collect();
                let needed = |grant| types.iter().any(|own| own.grant_types().contains(&grant));
                let code = types.is_empty() || needed(GrantType::AuthorizationCode);
                grants.clear();
                grants.extend(code.then_some(GrantType::AuthorizationCode));
                grants.extend(
                    (code && scopes.contains(&OFFLINE_ACCESS)).then_some(GrantType::RefreshToken),
                );
                grants.extend(needed(GrantType::Implicit).then_some(GrantType::Implicit));
                set("response_types", json!(types));
                set("redirect_uris", draft.lines("redirect_uris").into());
                set(
                    "post_logout_redirect_uris",
                    draft.lines("post_logout_redirect_uris").into(),
                );
                set("skip_consent", draft.given("skip_consent").is_some().into());
            }
            if let Some(logo) = draft.given("logo_uri") {
                set("logo_uri", logo.into());
            }
        }
        if matches!(self, Self::Browser | Self::Terminal | Self::Device) {
            method = "none";
        }
        let on_device = |uri: &String| {
            !uri.starts_with("https:") && !uri.starts_with("http:") && !is_host_without_scheme(uri)
        };
        let native = matches!(self, Self::Terminal | Self::Device)
            || draft.lines("redirect_uris").iter().any(on_device);
        if native && self != Self::Web {
            set("application_type", "native".into());
        }
        set("grant_types", json!(grants));
        set("token_endpoint_auth_method", method.into());
        Value::Object(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_form_asks_for_is_a_client_of_its_kind() {
        for (kind, redirect) in [
            (Kind::Web, "https://shop.example/callback"),
            (Kind::Browser, "https://board.example/"),
            (Kind::Browser, "com.example.board:/callback"),
            (Kind::Service, ""),
            (Kind::Terminal, "http://127.0.0.1/callback"),
            (Kind::Device, ""),
        ] {
            let draft = Draft::new([
                ("client_name", "X".to_owned()),
                ("redirect_uris", redirect.to_owned()),
                ("scope", "email".to_owned()),
                ("scope", "tessera:admin".to_owned()),
                ("api", "urn:api read".to_owned()),
            ]);
            let metadata = ClientMetadata::from_json(kind.metadata(&draft)).unwrap();
            assert_eq!(Kind::of(&metadata), kind, "{redirect}");
            assert_eq!(metadata.default_audience.as_deref(), Some("urn:api"));
            let scope = metadata.scope.unwrap().to_string();
            let expected = if kind.signs_in() {
                "openid email read"
            } else {
                "read"
            };
            assert_eq!(scope, expected);
        }
    }

    #[test]
    fn grants_follow_from_the_response_types_that_are_ticked() {
        use GrantType::{AuthorizationCode, Implicit, RefreshToken};
        for (types, grants) in [
            (&[][..], &[AuthorizationCode, RefreshToken][..]),
            (&["code"], &[AuthorizationCode, RefreshToken]),
            (&["id_token"], &[Implicit]),
            (
                &["code", "code id_token"],
                &[AuthorizationCode, RefreshToken, Implicit],
            ),
        ] {
            let fields = [
                ("client_name", "X"),
                ("redirect_uris", "https://shop.example/callback"),
                ("scope", "offline_access"),
            ];
            let types = types.iter().map(|name| ("response_types", *name));
            let values = fields.into_iter().chain(types);
            let draft = Draft::new(values.map(|(name, value)| (name, value.to_owned())));
            let metadata = ClientMetadata::from_json(Kind::Web.metadata(&draft)).unwrap();
            assert_eq!(metadata.grant_types, grants);
        }
    }
}
