//! The URI rules that several specifications share ([RFC 3986](https://www.rfc-editor.org/rfc/rfc3986)): absolute, in one reading only.
//!
//! A URI is accepted only where our parser and every other parser must agree on what it says: ASCII without the characters that RFC 3986
//! excludes, no userinfo, no dot segments, and a host that is written as it is meant.

use url::{Host, Url};

/// The longest URI that is accepted anywhere, in bytes.
pub const MAX_URI: usize = 2048;

/// Why a URI was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUri {
    /// More than [`MAX_URI`] bytes.
    #[error("is longer than 2048 characters")]
    TooLong,
    /// Characters that RFC 3986 does not allow: controls, spaces, backslashes, quotes, non-ASCII.
    #[error(
        "contains a character that a URI can't hold unencoded (RFC 3986); write international host names in their ASCII form"
    )]
    Character,
    /// No scheme, or otherwise not absolute.
    #[error("is not an absolute URI")]
    NotAbsolute,
    /// A fragment, even an empty one.
    #[error("must not contain a fragment")]
    Fragment,
    /// A user name or password.
    #[error("must not contain a user name or password")]
    UserInfo,
    /// Two parsers could read different things: dot segments, unusual hosts, missing slashes.
    #[error("is ambiguous: write the host in lower-case ASCII and the path without dot segments")]
    Ambiguous,
    /// A host name of the web with characters that none has.
    #[error("has a host with other characters than letters, digits, hyphens, dots and underscores")]
    Host,
    /// A scheme that may not be used here.
    #[error("must use https, or http with the host localhost, 127.0.0.1 or [::1]")]
    Scheme,
}

/// Parses an absolute URI without fragment that every parser reads alike. Any scheme passes.
pub fn parse_absolute(text: &str) -> Result<Url, InvalidUri> {
    if text.len() > MAX_URI {
        return Err(InvalidUri::TooLong);
    }
    let forbidden = |byte: u8| !(0x21..=0x7e).contains(&byte) || b"\"<>\\^`{|}".contains(&byte);
    if text.bytes().any(forbidden) {
        return Err(InvalidUri::Character);
    }
    if text.contains('#') {
        return Err(InvalidUri::Fragment);
    }
    if !percent_encoding_is_sound(text) {
        return Err(InvalidUri::Character);
    }
    let url = Url::parse(text).map_err(|_| InvalidUri::NotAbsolute)?;
    let Some((_, rest)) = text.split_once(':') else {
        return Err(InvalidUri::NotAbsolute);
    };
    let hierarchy = rest
        .split_once('?')
        .map_or(rest, |(hierarchy, _)| hierarchy);
    let path = match hierarchy.strip_prefix("//") {
        Some(after) => {
            let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
            check_authority(authority, &url)?;
            path
        }
        // `https:example.com` is repaired by browsers and refused by others.
        None if url.has_host() || url.is_special() => return Err(InvalidUri::Ambiguous),
        None => hierarchy,
    };
    // The parser resolves dot segments, encoded ones included; what it changes, others may read differently.
    if path != url.path() && !(path.is_empty() && url.path() == "/") {
        return Err(InvalidUri::Ambiguous);
    }
    Ok(url)
}

fn check_authority(authority: &str, url: &Url) -> Result<(), InvalidUri> {
    if authority.contains('@') || !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidUri::UserInfo);
    }
    let host = match authority.rfind(':') {
        Some(colon) if !authority.ends_with(']') => &authority[..colon],
        _ => authority,
    };
    // `http://127.1` and `http://0x7f000001` are 127.0.0.1 to some only.
    if url.host_str().unwrap_or_default() != host {
        return Err(InvalidUri::Ambiguous);
    }
    if url.is_special() && !has_plain_host(url) {
        return Err(InvalidUri::Host);
    }
    Ok(())
}

/// Whether each `%` begins an escape.
pub(super) fn percent_encoding_is_sound(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let mut digits = after.bytes();
        [digits.next(), digits.next()]
            .iter()
            .all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit()))
    })
}

/// Whether the host is an address, or a name of letters, digits, hyphens, dots and underscores.
///
/// RFC 3986 §3.2.2 and the parser let a name hold `;` and `,`, which end a directive and a policy where an origin stands in a
/// Content-Security-Policy. No host of the web has them.
pub fn has_plain_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    }
}

/// Whether the host is a loopback address as RFC 8252 §7.3 writes it: `127.0.0.1` or `[::1]`.
pub fn is_loopback_literal(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        _ => false,
    }
}

/// Whether this is https, or http to this very machine, which serves development only.
pub fn is_https_or_local(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        // RFC 6761 §6.3: names below `localhost` are this machine's too; browsers never ask a name server for them.
        "http" => {
            is_loopback_literal(url)
                || url
                    .host_str()
                    .is_some_and(|host| host == "localhost" || host.ends_with(".localhost"))
        }
        _ => false,
    }
}

/// Parses the URL of a page or document: https, or http to this machine.
pub fn parse_web(text: &str) -> Result<Url, InvalidUri> {
    let url = parse_absolute(text)?;
    if is_https_or_local(&url) {
        Ok(url)
    } else {
        Err(InvalidUri::Scheme)
    }
}

/// Checks a web origin as browsers send it in `Origin`: scheme, host and non-default port, nothing else.
pub fn check_origin(text: &str) -> Result<(), InvalidUri> {
    let url = parse_web(text)?;
    if url.origin().ascii_serialization() == text {
        Ok(())
    } else {
        Err(InvalidUri::Ambiguous)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepts_plain_uris_of_any_scheme() {
        for text in [
            "https://example.com",
            "https://example.com/",
            "https://example.com:8443/a/b?c=d&e=%20f",
            "https://our_host.example.com/a;b,c",
            "https://xn--bcher-kva.example/x",
            "http://[::1]:80/cb",
            "com.example.app:/callback",
            "com.example.app://callback/x",
            "urn:example:api",
            "api://default",
        ] {
            assert!(
                parse_absolute(text).is_ok(),
                "{text}: {:?}",
                parse_absolute(text)
            );
        }
    }

    #[test]
    fn refuses_what_parsers_read_differently() {
        use InvalidUri::{Ambiguous, Character, Fragment, Host, NotAbsolute, UserInfo};
        for (text, reason) in [
            ("", NotAbsolute),
            ("/callback", NotAbsolute),
            ("//example.com/", NotAbsolute),
            ("https://", NotAbsolute),
            ("https:example.com/", Ambiguous),
            ("https:/example.com/", Ambiguous),
            ("https:///example.com/", Ambiguous),
            ("https://example.com/a/../b", Ambiguous),
            ("https://example.com/a/%2e%2E/b", Ambiguous),
            ("https://example.com/a/./b", Ambiguous),
            ("https://EXAMPLE.com/", Ambiguous),
            ("https://example%2ecom/", Ambiguous),
            ("https://example;sandbox/", Host),
            ("https://a,b.example/", Host),
            ("https://a.example'/", Host),
            ("https://*.example.com/", Host),
            ("http://127.1/", Ambiguous),
            ("http://0x7f000001/", Ambiguous),
            ("http://2130706433/", Ambiguous),
            ("https://a@example.com/", UserInfo),
            ("https://@example.com/", UserInfo),
            ("https://a:b@c@example.com/", UserInfo),
            ("https://example.com/#", Fragment),
            ("https://example.com/#x", Fragment),
            ("https://example.com\\@evil.example/", Character),
            ("https://example.com/a b", Character),
            ("https://example.com/\u{9}", Character),
            ("https://bücher.example/", Character),
            ("https://example.com/%", Character),
            ("https://example.com/%zz", Character),
        ] {
            assert_eq!(parse_absolute(text).unwrap_err(), reason, "{text}");
        }
        let long = format!("https://example.com/{}", "a".repeat(MAX_URI));
        assert_eq!(parse_absolute(&long).unwrap_err(), InvalidUri::TooLong);
    }

    #[test]
    fn web_addresses() {
        for text in [
            "https://example.com/x",
            "http://localhost:3000/",
            "http://127.0.0.1/",
            "http://[::1]/",
        ] {
            assert!(parse_web(text).is_ok(), "{text}");
        }
        for text in [
            "http://example.com/",
            "http://localhost.evil/",
            "http://127.0.0.2/",
            "ftp://localhost/",
            "javascript:alert(1)",
        ] {
            assert_eq!(parse_web(text), Err(InvalidUri::Scheme), "{text}");
        }
    }

    #[test]
    fn origins() {
        for text in [
            "https://app.example.com",
            "https://app.example.com:8443",
            "http://localhost:5173",
        ] {
            assert_eq!(check_origin(text), Ok(()), "{text}");
        }
        for text in [
            "https://app.example.com/",
            "https://app.example.com:443",
            "http://app.example.com",
            "null",
            "*",
            "https://*.example.com/x",
        ] {
            assert!(check_origin(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,80}") {
            let _ = parse_absolute(&text);
        }

        #[test]
        fn never_panics_on_nearly_sound_input(text in "(https?|com\\.x|data):(//)?[a-z@:\\[\\].%0-9/?&]{0,40}") {
            if let Ok(url) = parse_absolute(&text) {
                prop_assert!(url.username().is_empty() && url.fragment().is_none());
            }
        }
    }
}
