//! Request objects by reference ([RFC 9101 §5.2](https://www.rfc-editor.org/rfc/rfc9101#section-5.2),
//! [OpenID Connect Core §6.2](https://openid.net/specs/openid-connect-core-1_0.html#RequestUriParameter)): which addresses may be named, and what their
//! fragment says. The names of pushed requests are `pushed_request`'s.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::uri::{InvalidUri, parse_web};

/// OpenID Connect Core §6.2: "The entire Request URI SHOULD NOT exceed 512 ASCII characters"; RFC 9101 §5.2 has it as a must.
pub const MAX_REQUEST_URI: usize = 512;

/// Why an address can't be one of a request object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequestUri {
    /// It is no address of the web.
    #[error(transparent)]
    Uri(#[from] InvalidUri),
    /// It is too long.
    #[error("is longer than 512 characters")]
    TooLong,
    /// Its fragment isn't a hash.
    #[error("has a fragment that isn't the SHA-256 hash of the request object in base64url")]
    Fragment,
}

/// The address of a request object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestUri<'t> {
    text: &'t str,
    address: &'t str,
    hash: Option<[u8; 32]>,
}

impl<'t> RequestUri<'t> {
    /// Reads one. A fragment, if there is one, is the hash of what the address leads to.
    pub fn parse(text: &'t str) -> Result<Self, InvalidRequestUri> {
        if text.len() > MAX_REQUEST_URI {
            return Err(InvalidRequestUri::TooLong);
        }
        let (address, fragment) = match text.split_once('#') {
            Some((address, fragment)) => (address, Some(fragment)),
            None => (text, None),
        };
        parse_web(address)?;
        let hash = fragment.map(hash_of).transpose()?;
        Ok(Self {
            text,
            address,
            hash,
        })
    }

    /// What is fetched.
    pub fn address(&self) -> &'t str {
        self.address
    }

    /// The SHA-256 hash of its object, where it says by which it is known.
    pub fn hash(&self) -> Option<[u8; 32]> {
        self.hash
    }

    /// Whether a client registered it: exactly so, or without a fragment, which is never sent and only narrows what may come.
    pub fn is_among(&self, registered: &[String]) -> bool {
        registered
            .iter()
            .any(|own| own == self.text || own == self.address)
    }
}

fn hash_of(fragment: &str) -> Result<[u8; 32], InvalidRequestUri> {
    let bytes = URL_SAFE_NO_PAD.decode(fragment);
    bytes
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(InvalidRequestUri::Fragment)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    /// What OpenID Connect Core §6.2.1 has for an example.
    const FIXED: &str =
        "https://client.example.org/request.jwt#GkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM";

    #[test]
    fn a_fragment_is_the_hash_of_the_object() {
        let fixed = RequestUri::parse(FIXED).unwrap();
        assert_eq!(fixed.hash().unwrap()[..4], [0x1a, 0x4b, 0xab, 0x2b]);
        assert_eq!(fixed.address(), "https://client.example.org/request.jwt");
        let plain = RequestUri::parse(fixed.address()).unwrap();
        assert_eq!(plain.hash(), None);
        let hash: [u8; 32] = Sha256::digest(b"a.b.c").into();
        let own = URL_SAFE_NO_PAD.encode(hash);
        let own = format!("https://client.example.org/r?x=1#{own}");
        let own = RequestUri::parse(&own).unwrap();
        assert_eq!(own.hash(), Some(hash));
        assert_eq!(own.address(), "https://client.example.org/r?x=1");
    }

    #[test]
    fn what_was_registered_is_compared_exactly() {
        let registered = |list: &[&str], text: &str| {
            let list: Vec<_> = list.iter().map(ToString::to_string).collect();
            RequestUri::parse(text).unwrap().is_among(&list)
        };
        let plain = "https://client.example.org/request.jwt";
        assert!(registered(&[FIXED], FIXED) && registered(&[plain], FIXED));
        assert!(registered(&["https://a.example/", plain], plain));
        // A client that registered the hash named the object.
        assert!(!registered(&[FIXED], plain));
        for other in [
            "https://client.example.org/request.jwt?",
            "https://client.example.org/request.jwt/",
            "https://client.example.org/Request.jwt",
            "https://client.example.org:443/request.jwt",
            "https://client.example.org.evil.example/request.jwt",
        ] {
            assert!(
                RequestUri::parse(other).map_or(true, |uri| !uri.is_among(&[plain.to_owned()])),
                "{other}"
            );
        }
    }

    #[test]
    fn anything_but_an_address_and_a_hash_is_refused() {
        let long = format!("https://a.example/{}", "x".repeat(MAX_REQUEST_URI));
        for text in [
            "",
            "/request",
            "http://client.example/request",
            "ftp://client.example/request",
            "urn:ietf:params:oauth:request_uri:x",
            "data:,x",
            "https://user@client.example/request",
            "https://client.example/a/../request",
            "https://client.example/request#",
            "https://client.example/request#section",
            "https://client.example/request#GkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM=",
            "https://client.example/request#GkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM#x",
            "https://client.example/request#GkurKxf5T0Y",
            &long,
        ] {
            assert!(RequestUri::parse(text).is_err(), "{text}");
        }
    }
}
