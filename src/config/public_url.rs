//! The public URL template: where tenants live, which address is whose.
//!
//! Pure: it parses the template once (see [`template`]) and then only compares. An issuer is built from the template and a slug, never from a request's
//! `Host` header; the header merely selects.

use std::borrow::Cow;
use std::fmt;

mod template;

pub use template::PublicUrlError;

const PLACEHOLDER: &str = "{tenant}";

/// First path segments that the root serves itself. No slug may have one of these names, nor may a template put tenants below one.
pub const ROOT_SEGMENTS: &[&str] = &[
    "api",
    "health",
    "metrics",
    "static",
    "console",
    "scim",
    "docs",
    ".well-known",
];

/// RFC 8414 §3.1: the documents whose path is inserted between host and issuer path.
const INSERTED: &[&str] = &[
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
];

/// How tenants are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By path: `https://id.example.com/t/{tenant}`. All tenants share one browser origin.
    Path,
    /// By subdomain: `https://{tenant}.id.example.com`. Each tenant is its own origin.
    Subdomain,
}

/// What an address belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// A tenant's issuer, if there is a tenant of that slug.
    Tenant {
        /// Well-formed and lower case.
        slug: Cow<'a, str>,
        /// The path below the issuer, empty or starting with `/`.
        rest: Cow<'a, str>,
    },
    /// The installation's root.
    Root {
        /// The path below the root, empty or starting with `/`.
        rest: &'a str,
    },
    /// Neither: perhaps a tenant's custom domain, perhaps nobody's.
    Elsewhere,
}

/// The parsed, normalised template: scheme and host in lower case, a default port left out.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicUrl {
    mode: Mode,
    https: bool,
    /// The root's host without port; IPv6 in brackets.
    host: String,
    /// Absent where it is the scheme's default.
    port: Option<u16>,
    /// Path of the root: empty, or `/…` without a trailing slash.
    base: String,
    /// Between the base and the slug, `/t/` say; empty in subdomain mode.
    separator: String,
    /// `https://id.example.com/base`.
    root: String,
}

impl PublicUrl {
    fn assemble(
        mode: Mode,
        https: bool,
        host: String,
        port: Option<u16>,
        base: String,
        separator: String,
    ) -> Self {
        let root = format!("{}://{host}{}{base}", scheme(https), port_suffix(port));
        Self {
            mode,
            https,
            host,
            port,
            base,
            separator,
            root,
        }
    }

    /// How tenants are told apart.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether browsers reach the installation by https.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The root: the template less `{tenant}` and its separator, without a trailing slash.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The root's path, for matching: empty, or `/…` without a trailing slash.
    pub fn root_path(&self) -> &str {
        &self.base
    }

    /// The root's host without port, in lower case.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The issuer of the tenant with this slug, without a trailing slash.
    pub fn issuer(&self, slug: &str) -> String {
        match self.mode {
            Mode::Path => format!("{}{}{slug}", self.root, self.separator),
            Mode::Subdomain => format!(
                "{}://{slug}.{}{}",
                scheme(self.https),
                self.host,
                port_suffix(self.port)
            ),
        }
    }

    /// The path of an issuer, for cookies and routes: `/t/acme`, or empty where the tenant has its own origin.
    pub fn issuer_path(&self, slug: &str) -> String {
        match self.mode {
            Mode::Path => format!("{}{}{slug}", self.base, self.separator),
            Mode::Subdomain => String::new(),
        }
    }

    /// The same template on another port, for whoever listens on port 0.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        let port = (port != default_port(self.https)).then_some(port);
        Self::assemble(
            self.mode,
            self.https,
            self.host.clone(),
            port,
            self.base.clone(),
            self.separator.clone(),
        )
    }

    /// What the address `host` (a `Host` header) and `path` (of the request, undecoded, without query) belong to. RFC 8414's path-inserted
    /// form counts as the tenant's: `/.well-known/oauth-authorization-server/t/acme` is `acme` with that document as the rest.
    pub fn resolve<'a>(&self, host: &'a str, path: &'a str) -> Place<'a> {
        let Some(name) = self.host_without_port(host) else {
            return Place::Elsewhere;
        };
        match self.mode {
            Mode::Path if name.eq_ignore_ascii_case(&self.host) => self.resolve_path(path),
            Mode::Path => Place::Elsewhere,
            Mode::Subdomain if name.eq_ignore_ascii_case(&self.host) => Place::Root { rest: path },
            Mode::Subdomain => match self.slug_of_host(name) {
                Some(slug) => Place::Tenant {
                    slug,
                    rest: Cow::Borrowed(path),
                },
                None => Place::Elsewhere,
            },
        }
    }

    /// The slug whose issuer is exactly `issuer`, if it is one of this template.
    pub fn slug_of_issuer<'a>(&self, issuer: &'a str) -> Option<&'a str> {
        let slug = match self.mode {
            Mode::Path => issuer
                .strip_prefix(&self.root)?
                .strip_prefix(&self.separator)?,
            Mode::Subdomain => {
                let authority = issuer
                    .strip_prefix(scheme(self.https))?
                    .strip_prefix("://")?;
                authority
                    .strip_suffix(&port_suffix(self.port))?
                    .strip_suffix(&self.host)?
                    .strip_suffix('.')?
            }
        };
        is_slug(slug).then_some(slug)
    }

    fn resolve_path<'a>(&self, path: &'a str) -> Place<'a> {
        for document in INSERTED {
            if let Some(issuer_path) = path.strip_prefix(document)
                && let Some((slug, "")) = self.slug_of_path(issuer_path)
            {
                return Place::Tenant {
                    slug: Cow::Borrowed(slug),
                    rest: Cow::Borrowed(document),
                };
            }
        }
        if let Some((slug, rest)) = self.slug_of_path(path)
            && (self.separator != "/" || !ROOT_SEGMENTS.contains(&slug))
        {
            return Place::Tenant {
                slug: Cow::Borrowed(slug),
                rest: Cow::Borrowed(rest),
            };
        }
        match path.strip_prefix(self.base.as_str()) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => Place::Root { rest },
            _ => Place::Elsewhere,
        }
    }

    fn slug_of_path<'a>(&self, path: &'a str) -> Option<(&'a str, &'a str)> {
        let after = path
            .strip_prefix(self.base.as_str())?
            .strip_prefix(self.separator.as_str())?;
        let (slug, rest) = after.find('/').map_or((after, ""), |at| after.split_at(at));
        is_slug(slug).then_some((slug, rest))
    }

    fn slug_of_host<'a>(&self, name: &'a str) -> Option<Cow<'a, str>> {
        let at = name.len().checked_sub(self.host.len())?.checked_sub(1)?;
        let (label, parent) = (name.get(..at)?, name.get(at..)?.strip_prefix('.')?);
        if !parent.eq_ignore_ascii_case(&self.host) {
            return None;
        }
        let slug = if label.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(label.to_ascii_lowercase())
        } else {
            Cow::Borrowed(label)
        };
        is_slug(&slug).then_some(slug)
    }

    /// The header's host name, provided that its port is ours.
    fn host_without_port<'a>(&self, host: &'a str) -> Option<&'a str> {
        let (name, port) = match host.rfind(':') {
            Some(at) if !host[at..].contains(']') => (&host[..at], Some(&host[at + 1..])),
            _ => (host, None),
        };
        let own = self.port.unwrap_or(default_port(self.https));
        let given = match port {
            None => default_port(self.https),
            Some(digits)
                if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                digits.parse().ok()?
            }
            Some(_) => return None,
        };
        (own == given).then_some(name)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.issuer(PLACEHOLDER))
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicUrl({self})")
    }
}

fn scheme(https: bool) -> &'static str {
    if https { "https" } else { "http" }
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

fn port_suffix(port: Option<u16>) -> String {
    port.map(|port| format!(":{port}")).unwrap_or_default()
}

/// The syntax of a slug: `[a-z0-9](-?[a-z0-9])*`, 1 to 63 characters.
fn is_slug(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(template: &str) -> PublicUrl {
        PublicUrl::parse(template).unwrap()
    }

    fn tenant<'a>(slug: &'a str, rest: &'a str) -> Place<'a> {
        Place::Tenant {
            slug: slug.into(),
            rest: rest.into(),
        }
    }

    #[test]
    fn the_default_lives_by_path() {
        let url = url("http://localhost:8080/t/{tenant}");
        assert_eq!(url.mode(), Mode::Path);
        assert_eq!(url.root(), "http://localhost:8080");
        assert_eq!(url.issuer("acme"), "http://localhost:8080/t/acme");
        assert_eq!(url.issuer_path("acme"), "/t/acme");
        assert_eq!(url.to_string(), "http://localhost:8080/t/{tenant}");
        assert_eq!(
            url.resolve("localhost:8080", "/t/acme/authorize"),
            tenant("acme", "/authorize")
        );
        assert_eq!(url.resolve("LOCALHOST:8080", "/t/acme"), tenant("acme", ""));
        assert_eq!(
            url.resolve("localhost:8080", "/t/acme/"),
            tenant("acme", "/")
        );
        assert_eq!(
            url.resolve("localhost:8080", "/api/v1/tenants"),
            Place::Root {
                rest: "/api/v1/tenants"
            }
        );
        assert_eq!(
            url.resolve("localhost:8080", "/t"),
            Place::Root { rest: "/t" }
        );
        assert_eq!(
            url.resolve("localhost:8080", "/t/ACME"),
            Place::Root { rest: "/t/ACME" }
        );
        assert_eq!(
            url.resolve("localhost:8080", "/t/a%63me"),
            Place::Root { rest: "/t/a%63me" }
        );
        for host in [
            "localhost",
            "localhost:80",
            "127.0.0.1:8080",
            "evil.example",
            "localhost:8080.evil.example",
            "localhost.:8080",
            "",
            ":8080",
        ] {
            assert_eq!(url.resolve(host, "/t/acme"), Place::Elsewhere, "{host}");
        }
    }

    #[test]
    fn metadata_answers_at_the_inserted_path() {
        let plain = url("http://localhost:8080/t/{tenant}");
        let document = "/.well-known/oauth-authorization-server";
        assert_eq!(
            plain.resolve(
                "localhost:8080",
                "/.well-known/oauth-authorization-server/t/acme"
            ),
            tenant("acme", document)
        );
        assert_eq!(
            plain.resolve("localhost:8080", "/.well-known/openid-configuration/t/acme"),
            tenant("acme", "/.well-known/openid-configuration")
        );
        assert_eq!(
            plain.resolve("localhost:8080", document),
            Place::Root { rest: document }
        );
        let below = "/.well-known/oauth-authorization-server/t/acme/more";
        assert_eq!(
            plain.resolve("localhost:8080", below),
            Place::Root { rest: below }
        );
        let based = url("https://example.com/auth/t/{tenant}");
        assert_eq!(
            based.resolve(
                "example.com",
                "/.well-known/oauth-authorization-server/auth/t/acme"
            ),
            tenant("acme", document)
        );
    }

    #[test]
    fn subdomains_are_origins_of_their_own() {
        let url = url("https://{tenant}.ID.example.com:443");
        assert_eq!(url.mode(), Mode::Subdomain);
        assert_eq!(url.root(), "https://id.example.com");
        assert_eq!(url.issuer("acme"), "https://acme.id.example.com");
        assert_eq!(url.issuer_path("acme"), "");
        assert_eq!(
            url.resolve("acme.id.example.com", "/token"),
            tenant("acme", "/token")
        );
        assert_eq!(
            url.resolve("Acme.Id.Example.COM:443", "/token"),
            tenant("acme", "/token")
        );
        assert_eq!(
            url.resolve("id.example.com", "/api"),
            Place::Root { rest: "/api" }
        );
        for host in [
            "a.b.id.example.com",
            ".id.example.com",
            "acme-id.example.com",
            "acme.id.example.com:8443",
            "acme.id.example.com.evil.com",
            "a_b.id.example.com",
            "é.id.example.com",
            "-a.id.example.com",
            "acme.id.example.com:",
            "acme.id.example.com:x",
        ] {
            assert_eq!(url.resolve(host, "/token"), Place::Elsewhere, "{host}");
        }
        assert_eq!(
            self::url("http://{tenant}.localhost:8080").issuer("acme"),
            "http://acme.localhost:8080"
        );
    }

    #[test]
    fn the_root_keeps_the_path_before_the_separator() {
        let based = url("https://example.com/auth/t/{tenant}");
        assert_eq!(based.root(), "https://example.com/auth");
        assert_eq!(
            based.resolve("example.com", "/auth/t/acme/jwks"),
            tenant("acme", "/jwks")
        );
        assert_eq!(
            based.resolve("example.com", "/auth/api"),
            Place::Root { rest: "/api" }
        );
        assert_eq!(based.resolve("example.com", "/authx"), Place::Elsewhere);
        assert_eq!(based.resolve("example.com", "/t/acme"), Place::Elsewhere);
        let bare = url("https://example.com/{tenant}");
        assert_eq!(bare.root(), "https://example.com");
        assert_eq!(
            bare.resolve("example.com", "/acme/jwks"),
            tenant("acme", "/jwks")
        );
        assert_eq!(
            bare.resolve("example.com", "/api/v1"),
            Place::Root { rest: "/api/v1" }
        );
    }

    #[test]
    fn ipv6_hosts_keep_their_brackets() {
        let url = url("http://[::1]:8080/t/{tenant}");
        assert_eq!(url.issuer("acme"), "http://[::1]:8080/t/acme");
        assert_eq!(url.resolve("[::1]:8080", "/t/acme"), tenant("acme", ""));
        assert_eq!(url.resolve("[::1]", "/t/acme"), Place::Elsewhere);
    }

    #[test]
    fn the_port_can_be_replaced() {
        let url = url("http://localhost:0/t/{tenant}");
        assert_eq!(
            url.with_port(4711).issuer("acme"),
            "http://localhost:4711/t/acme"
        );
        assert_eq!(url.with_port(80).issuer("acme"), "http://localhost/t/acme");
    }

    #[test]
    fn an_issuer_names_its_slug() {
        for template in [
            "http://localhost:8080/t/{tenant}",
            "https://{tenant}.id.example.com",
            "https://x.com/{tenant}",
        ] {
            let url = url(template);
            assert_eq!(url.slug_of_issuer(&url.issuer("acme")), Some("acme"));
            assert_eq!(url.slug_of_issuer("https://evil.com/t/acme"), None);
            assert_eq!(
                url.slug_of_issuer(&format!("{}/", url.issuer("acme"))),
                None
            );
        }
    }

    proptest! {
        #[test]
        fn resolving_never_panics(host in ".{0,40}", path in ".{0,60}") {
            for template in ["http://localhost:8080/t/{tenant}", "https://{tenant}.id.example.com", "http://[::1]/a/{tenant}"] {
                url(template).resolve(&host, &path);
            }
        }

        #[test]
        fn an_issuer_resolves_to_its_own_slug(slug in "[a-z0-9](-?[a-z0-9]){0,20}", rest in "(/[a-z]{1,5}){0,3}") {
            let by_path = url("https://id.example.com/base/t/{tenant}");
            let path = format!("/base/t/{slug}{rest}");
            prop_assert_eq!(by_path.resolve("id.example.com", &path), tenant(&slug, &rest));
            let by_host = url("https://{tenant}.id.example.com");
            let host = format!("{slug}.id.example.com");
            prop_assert_eq!(by_host.resolve(&host, &rest), tenant(&slug, &rest));
        }
    }
}
