//! Which cookies there are, what they are called and where they live (RFC 6265bis §4.1.3).

/// Where a tenant's cookies live: its origin's whole, or the issuer's path where tenants share an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookiePlace {
    /// `Path`.
    pub path: String,
    /// Whether the cookies go over https only.
    pub secure: bool,
    prefix: &'static str,
}

impl CookiePlace {
    /// The place of an issuer's cookies.
    pub fn of(issuer: &str) -> Self {
        let secure = issuer.starts_with("https://");
        let path = issuer_path(issuer);
        // RFC 6265bis §4.1.3: `__Host-` demands the path `/`, `__Secure-` only https.
        let prefix = match (secure, path.is_empty()) {
            (true, true) => "__Host-",
            (true, false) => "__Secure-",
            (false, _) => "",
        };
        Self {
            path: if path.is_empty() {
                "/".to_owned()
            } else {
                path.to_owned()
            },
            secure,
            prefix,
        }
    }

    /// A cookie's whole name.
    pub fn name(&self, cookie: Cookie) -> String {
        format!("{}{}", self.prefix, cookie.bare_name())
    }
}

/// The path of an issuer: empty where the tenant has an origin of its own.
pub fn issuer_path(issuer: &str) -> &str {
    &issuer[issuer_origin(issuer).len()..]
}

/// Scheme, host and port of an issuer.
pub fn issuer_origin(issuer: &str) -> &str {
    let authority = issuer.find("://").map_or(0, |at| at + 3);
    let end = issuer[authority..]
        .find('/')
        .map_or(issuer.len(), |at| authority + at);
    &issuer[..end]
}

/// The cookies that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// The sessions of this browser.
    Session,
    /// What CSRF tokens are made of.
    Csrf,
    /// Who signed in here before.
    Device,
    /// Which sessions there are, as a hash: the one cookie that our script reads, in a frame of others.
    BrowserState,
    /// The session at the console.
    Console,
    /// A sign-in at the console that is on its way.
    ConsoleSignIn,
    /// What the console's next page says of what was just done.
    ConsoleNotice,
    /// A client's secret that was just made, for the console's next page.
    ConsoleSecret,
}

impl Cookie {
    const fn bare_name(self) -> &'static str {
        match self {
            Self::Session => "tessera_session",
            Self::Csrf => "tessera_csrf",
            Self::Device => "tessera_device",
            Self::BrowserState => "tessera_state",
            Self::Console => "tessera_console",
            Self::ConsoleSignIn => "tessera_console_signin",
            Self::ConsoleNotice => "tessera_console_notice",
            Self::ConsoleSecret => "tessera_console_secret",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_live_where_their_issuer_does() {
        for (issuer, name, path) in [
            ("https://login.acme.com", "__Host-tessera_session", "/"),
            (
                "https://id.example.com/t/acme",
                "__Secure-tessera_session",
                "/t/acme",
            ),
            ("http://localhost:8080/t/acme", "tessera_session", "/t/acme"),
            ("http://acme.localhost:8080", "tessera_session", "/"),
        ] {
            let place = CookiePlace::of(issuer);
            assert_eq!(
                (place.name(Cookie::Session).as_str(), place.path.as_str()),
                (name, path),
                "{issuer}"
            );
        }
    }
}
