//! Whose an address is, and who is at the other end.

use std::net::{IpAddr, Ipv4Addr};

use tessera::config::{ForwardedHeader, Network, Place, PublicUrl, TrustedProxies};
use tessera::flows::browser::{CookiePlace, issuer_origin, issuer_path};
use tessera::protocol::slug::Slug;

use super::text::{choice, lines, text};

const TEMPLATES: [&str; 4] = [
    "http://localhost:8080/t/{tenant}",
    "https://{tenant}.id.example.com",
    "https://example.com/auth/t/{tenant}",
    "http://[::1]/{tenant}",
];

/// A template, and what a host and a path belong to by it.
pub fn address(data: &[u8]) {
    let (kind, rest) = choice(data);
    let input = text(rest);
    let [template, host, path] = lines(&input);
    if let Ok(url) = PublicUrl::parse(template) {
        let printed = url.to_string();
        assert_eq!(PublicUrl::parse(&printed).as_ref(), Ok(&url), "{printed}");
        resolve(&url, host, path);
        let moved = url.with_port(u16::from(kind) + 1);
        assert_eq!(PublicUrl::parse(&moved.to_string()), Ok(moved));
    }
    let fixed = TEMPLATES[usize::from(kind) % TEMPLATES.len()];
    let url = PublicUrl::parse(fixed).expect("a template");
    resolve(&url, host, path);
    resolve(&url, url.host(), path);
    if let Some(slug) = url.slug_of_issuer(host) {
        assert_eq!(url.issuer(slug), host);
    }
}

fn resolve(url: &PublicUrl, host: &str, path: &str) {
    match url.resolve(host, path) {
        Place::Tenant { slug, rest } => {
            assert!(Slug::parse(&slug).is_ok(), "{slug:?}");
            assert!(rest.is_empty() || rest.starts_with('/') || rest == path);
            // What was found is the tenant's by its issuer, too: one address, one tenant.
            let issuer = url.issuer(&slug);
            assert_eq!(url.slug_of_issuer(&issuer), Some(&*slug));
            let place = CookiePlace::of(&issuer);
            assert!(place.path.starts_with('/'));
            assert_eq!(
                format!("{}{}", issuer_origin(&issuer), issuer_path(&issuer)),
                issuer
            );
            assert_eq!(issuer_path(&issuer), url.issuer_path(&slug));
            if !path.starts_with("/.well-known/") {
                assert_eq!(format!("{}{rest}", url.issuer_path(&slug)), path);
            }
            let own = url::Url::parse(&issuer).expect("an issuer is an address");
            let authority = match own.port() {
                Some(port) => format!("{}:{port}", own.host_str().unwrap_or_default()),
                None => own.host_str().unwrap_or_default().to_owned(),
            };
            let again = url.resolve(&authority, path);
            assert_eq!(again, Place::Tenant { slug, rest }, "at {authority}");
        }
        Place::Root { rest } => assert!(path.ends_with(rest)),
        Place::Elsewhere => {}
    }
}

/// `X-Forwarded-For` and `Forwarded`: a stranger is believed nothing, and a proxy only what it wrote itself.
pub fn forwarded(data: &[u8]) {
    let (kind, rest) = choice(data);
    let input = text(rest);
    let [first, second, network] = lines(&input);
    if let Ok(network) = network.parse::<Network>() {
        assert_eq!(network.to_string().parse::<Network>(), Ok(network));
    }
    let header = if kind & 1 == 0 {
        ForwardedHeader::XForwardedFor
    } else {
        ForwardedHeader::Forwarded
    };
    let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().expect("a network")]);
    let values = |name: &'static str| {
        let value = if name == "x-forwarded-proto" {
            second
        } else {
            first
        };
        [value].into_iter()
    };
    let stranger = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
    let seen = proxies.client(stranger, header, values);
    assert_eq!(
        (seen.address, seen.scheme, seen.through_proxy),
        (stranger, None, false)
    );
    let proxy = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    assert!(proxies.client(proxy, header, values).through_proxy);
    // The proxy appends whom it saw, in a field of its own; nothing that came before makes that somebody else.
    let (appended, scheme) = match header {
        ForwardedHeader::XForwardedFor => ("198.51.100.9", second),
        ForwardedHeader::Forwarded => ("for=198.51.100.9;proto=https", ""),
    };
    let seen = proxies.client(proxy, header, |name: &'static str| {
        let values = if name == "x-forwarded-proto" {
            [scheme, "https"]
        } else {
            [first, appended]
        };
        values.into_iter()
    });
    assert_eq!(seen.address, IpAddr::V4(Ipv4Addr::new(198, 51, 100, 9)));
}
