//! Whose forwarded address and scheme count: only those that a trusted proxy wrote.
//!
//! RFC 7239 (`Forwarded`) and its forerunners `X-Forwarded-For` and `X-Forwarded-Proto`. One setting names the header that the proxies write, as a
//! proxy that appends to the one hands on a forged other untouched.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses: `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether the range holds the address; an IPv4-mapped IPv6 address counts as the IPv4 one.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(self.prefix))
                    .unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.prefix))
                    .unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || {
            format!("`{text}` isn't an address range; write 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32")
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|prefix| *prefix <= longest)
                .ok_or_else(malformed)?,
        };
        if matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()) {
            return Err(format!(
                "`{text}` is an IPv4 address in IPv6 clothes; write it as IPv4"
            ));
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Which header the trusted proxies write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For` and `X-Forwarded-Proto`.
    #[default]
    XForwardedFor,
    /// RFC 7239's `Forwarded`.
    Forwarded,
}

/// How the browser reached the outermost trusted proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("https") {
            Some(Self::Https)
        } else if text.eq_ignore_ascii_case("http") {
            Some(Self::Http)
        } else {
            None
        }
    }
}

/// Who is at the other end, as far as it can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The rightmost address that isn't a trusted proxy's.
    pub address: IpAddr,
    /// What a trusted proxy says of the scheme; `None` where none says anything.
    pub scheme: Option<Scheme>,
    /// Whether the peer itself is a trusted proxy, so that its other headers (`X-Request-Id`) count too.
    pub through_proxy: bool,
}

/// The networks whose forwarding headers are believed. Empty: nobody's are.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// These networks.
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// The networks.
    pub fn networks(&self) -> &[Network] {
        &self.0
    }

    /// Whether headers written by this peer count.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(peer))
    }

    /// The client behind `peer`. `values(name)` yields the values of a request header in their order; only the configured header and, with
    /// `X-Forwarded-For`, `X-Forwarded-Proto` are looked at, and none of them where the peer isn't trusted.
    ///
    /// An entry that isn't an address ends the search: the client is then the last hop that is known.
    pub fn client<'h, I>(
        &self,
        peer: IpAddr,
        header: ForwardedHeader,
        values: impl Fn(&'static str) -> I,
    ) -> Client
    where
        I: Iterator<Item = &'h str>,
    {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return Client {
                address: peer,
                scheme: None,
                through_proxy: false,
            };
        }
        let (address, scheme) = match header {
            ForwardedHeader::XForwardedFor => {
                let hops: Vec<&str> = values("x-forwarded-for")
                    .flat_map(|value| value.split(','))
                    .map(str::trim)
                    .collect();
                let (address, index) = self.outermost(peer, hops.iter().map(|hop| parse_node(hop)));
                let schemes: Vec<&str> = values("x-forwarded-proto")
                    .flat_map(|value| value.split(','))
                    .map(str::trim)
                    .collect();
                // As many schemes as hops: each proxy appended its own. Otherwise the nearest proxy's word counts.
                let scheme = if schemes.len() == hops.len() {
                    index.and_then(|index| schemes.get(index))
                } else {
                    schemes.last()
                };
                (address, scheme.and_then(|scheme| Scheme::parse(scheme)))
            }
            ForwardedHeader::Forwarded => {
                let hops: Vec<Hop> = values("forwarded")
                    .flat_map(|value| split_unquoted(value, ','))
                    .map(|element| Hop::parse(&element))
                    .collect();
                let (address, index) = self.outermost(peer, hops.iter().map(|hop| hop.node));
                (
                    address,
                    index
                        .and_then(|index| hops.get(index))
                        .and_then(|hop| hop.scheme),
                )
            }
        };
        Client {
            address,
            scheme,
            through_proxy: true,
        }
    }

    /// Walks from the nearest hop outward while it is trusted. Returns the client and the index of the hop that names it.
    fn outermost(
        &self,
        peer: IpAddr,
        hops: impl DoubleEndedIterator<Item = Option<IpAddr>> + ExactSizeIterator,
    ) -> (IpAddr, Option<usize>) {
        let mut known = (peer, None);
        for (index, hop) in hops.enumerate().rev() {
            let Some(address) = hop else { break };
            known = (address, Some(index));
            if !self.trusts(address) {
                break;
            }
        }
        known
    }
}

/// One element of `Forwarded` (RFC 7239 §4).
struct Hop {
    node: Option<IpAddr>,
    scheme: Option<Scheme>,
}

impl Hop {
    fn parse(element: &str) -> Self {
        let mut hop = Self {
            node: None,
            scheme: None,
        };
        for pair in split_unquoted(element, ';') {
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => hop.node = parse_node(value),
                "proto" => hop.scheme = Scheme::parse(value),
                _ => {}
            }
        }
        hop
    }
}

/// An address with or without port: `192.0.2.7`, `192.0.2.7:80`, `2001:db8::1`, `[2001:db8::1]:80`. RFC 7239 §6's `unknown` and
/// `_obfuscated` are nobody.
fn parse_node(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']')?;
        let port_is_sound = rest.is_empty()
            || rest
                .strip_prefix(':')
                .is_some_and(|port| port.parse::<u16>().is_ok());
        return port_is_sound
            .then(|| address.parse::<Ipv6Addr>().ok())
            .flatten()
            .map(|address| IpAddr::V6(address).to_canonical());
    }
    let (address, port) = text.split_once(':')?;
    port.parse::<u16>().ok()?;
    address.parse().ok()
}

/// Splits at a separator outside quoted strings.
fn split_unquoted(text: &str, separator: char) -> Vec<String> {
    let (mut parts, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for c in text.chars() {
        if c == separator && !quoted {
            parts.push(String::new());
            continue;
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(networks: &[&str]) -> TrustedProxies {
        TrustedProxies::new(
            networks
                .iter()
                .map(|network| network.parse().unwrap())
                .collect(),
        )
    }

    fn client(
        proxies: &TrustedProxies,
        peer: &str,
        header: ForwardedHeader,
        headers: &[(&'static str, &'static str)],
    ) -> Client {
        let headers = headers.to_vec();
        proxies.client(peer.parse().unwrap(), header, |name| {
            headers
                .iter()
                .filter(|(key, _)| *key == name)
                .map(|(_, value)| *value)
                .collect::<Vec<_>>()
                .into_iter()
        })
    }

    #[track_caller]
    fn check(headers: &[(&'static str, &'static str)], address: &str, scheme: Option<Scheme>) {
        let header = if headers.iter().any(|(name, _)| *name == "forwarded") {
            ForwardedHeader::Forwarded
        } else {
            ForwardedHeader::XForwardedFor
        };
        let proxies = trusted(&["10.0.0.0/8", "fd00::/8"]);
        let found = client(&proxies, "10.0.0.1", header, headers);
        assert_eq!(
            (found.address, found.scheme),
            (address.parse().unwrap(), scheme)
        );
    }

    #[test]
    fn strangers_are_not_believed() {
        let headers = &[
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
        ];
        let found = client(
            &trusted(&["10.0.0.0/8"]),
            "192.0.2.99",
            ForwardedHeader::XForwardedFor,
            headers,
        );
        assert_eq!(
            found,
            Client {
                address: "192.0.2.99".parse().unwrap(),
                scheme: None,
                through_proxy: false
            }
        );
        let found = client(
            &TrustedProxies::default(),
            "10.0.0.1",
            ForwardedHeader::XForwardedFor,
            headers,
        );
        assert!(!found.through_proxy);
    }

    #[test]
    fn the_rightmost_untrusted_address_counts() {
        check(&[("x-forwarded-for", "192.0.2.1")], "192.0.2.1", None);
        check(
            &[("x-forwarded-for", "6.6.6.6, 192.0.2.1, 10.1.1.1")],
            "192.0.2.1",
            None,
        );
        check(
            &[
                ("x-forwarded-for", "6.6.6.6"),
                ("x-forwarded-for", "192.0.2.1"),
            ],
            "192.0.2.1",
            None,
        );
        check(
            &[("x-forwarded-for", "10.2.2.2, 10.1.1.1")],
            "10.2.2.2",
            None,
        );
        check(&[("x-forwarded-for", "192.0.2.1:4711")], "192.0.2.1", None);
        check(
            &[("x-forwarded-for", "[2001:db8::1]:4711")],
            "2001:db8::1",
            None,
        );
        check(
            &[("x-forwarded-for", "::ffff:192.0.2.1")],
            "192.0.2.1",
            None,
        );
        check(&[], "10.0.0.1", None);
    }

    #[test]
    fn nonsense_ends_the_search() {
        check(
            &[("x-forwarded-for", "192.0.2.1, nonsense")],
            "10.0.0.1",
            None,
        );
        check(
            &[("x-forwarded-for", "192.0.2.1, unknown, 10.1.1.1")],
            "10.1.1.1",
            None,
        );
        check(&[("x-forwarded-for", "")], "10.0.0.1", None);
        check(&[("x-forwarded-for", "[::1")], "10.0.0.1", None);
        check(&[("forwarded", "for=_hidden")], "10.0.0.1", None);
    }

    #[test]
    fn the_scheme_comes_from_the_hop_that_met_the_client() {
        let https = Some(Scheme::Https);
        check(
            &[
                ("x-forwarded-for", "192.0.2.1"),
                ("x-forwarded-proto", "https"),
            ],
            "192.0.2.1",
            https,
        );
        check(
            &[
                ("x-forwarded-for", "192.0.2.1, 10.1.1.1"),
                ("x-forwarded-proto", "HTTPS, http"),
            ],
            "192.0.2.1",
            https,
        );
        check(
            &[
                ("x-forwarded-for", "192.0.2.1, 10.1.1.1"),
                ("x-forwarded-proto", "https"),
            ],
            "192.0.2.1",
            https,
        );
        check(
            &[
                ("x-forwarded-for", "6.6.6.6, 192.0.2.1"),
                ("x-forwarded-proto", "https, http"),
            ],
            "192.0.2.1",
            Some(Scheme::Http),
        );
        check(
            &[
                ("x-forwarded-for", "192.0.2.1"),
                ("x-forwarded-proto", "gopher"),
            ],
            "192.0.2.1",
            None,
        );
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_writes_it() {
        check(
            &[(
                "forwarded",
                "for=6.6.6.6;proto=http, For=\"[2001:db8:cafe::17]:4711\";Proto=https;by=10.0.0.1",
            )],
            "2001:db8:cafe::17",
            Some(Scheme::Https),
        );
        check(
            &[("forwarded", "for=192.0.2.43, for=10.9.9.9")],
            "192.0.2.43",
            None,
        );
        check(
            &[("forwarded", "host=\"a,b;for=6.6.6.6\";for=192.0.2.43")],
            "192.0.2.43",
            None,
        );
        check(
            &[
                ("forwarded", "for=192.0.2.43"),
                ("x-forwarded-for", "6.6.6.6"),
            ],
            "192.0.2.43",
            None,
        );
    }

    #[test]
    fn the_other_header_is_ignored() {
        let found = client(
            &trusted(&["10.0.0.0/8"]),
            "10.0.0.1",
            ForwardedHeader::XForwardedFor,
            &[("forwarded", "for=6.6.6.6")],
        );
        assert_eq!(found.address, "10.0.0.1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn networks_hold_what_they_should() {
        let network: Network = "192.168.4.0/22".parse().unwrap();
        assert!(network.contains("192.168.7.255".parse().unwrap()));
        assert!(!network.contains("192.168.8.0".parse().unwrap()));
        assert!(network.contains("::ffff:192.168.4.1".parse().unwrap()));
        assert!(
            "0.0.0.0/0"
                .parse::<Network>()
                .unwrap()
                .contains("8.8.8.8".parse().unwrap())
        );
        assert!(
            !"0.0.0.0/0"
                .parse::<Network>()
                .unwrap()
                .contains("2001:db8::1".parse().unwrap())
        );
        assert!(
            "::/0"
                .parse::<Network>()
                .unwrap()
                .contains("2001:db8::1".parse().unwrap())
        );
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "x",
            "::/129",
            "10.0.0.0/",
            "::ffff:10.0.0.0/104",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
