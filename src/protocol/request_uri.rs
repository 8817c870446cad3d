//! Request objects by reference ([RFC 9101 §5.2](https://www.rfc-editor.org/rfc/rfc9101#section-5.2),
//! [OpenID Connect Core §6.2](https://openid.net/specs/openid-connect-core-1_0.html#RequestUriParameter)): which addresses may be named, and what their
//! fragment says. The names of pushed requests are `pushed_request`'s.
//!
//! A fragment should be the hash of what is there (§6.2), so that a copy with that hash serves for long. It proves nothing that the object's own
//! signature doesn't, and clients have others, made before there was an object: such a one says no more than that copies from before it are old.

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
    /// Its fragment is none of a URI (RFC 3986 §3.5).
    #[error("has a fragment that is empty or holds what a URI's fragment can't")]
    Fragment,
}

/// The address of a request object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestUri<'t> {
    text: &'t str,
    address: &'t str,
    fragment: Option<&'t str>,
}

/// Which object an address stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    /// Whichever is there.
    Current,
    /// The one with this SHA-256 hash, if the fragment is what it should be.
    Hash([u8; 32]),
    /// One that isn't known by its hash.
    Marked,
}

impl<'t> RequestUri<'t> {
    /// Reads one.
    pub fn parse(text: &'t str) -> Result<Self, InvalidRequestUri> {
        if text.len() > MAX_REQUEST_URI {
            return Err(InvalidRequestUri::TooLong);
        }
        let (address, fragment) = match text.split_once('#') {
            Some((address, fragment)) => (address, Some(fragment)),
            None => (text, None),
        };
        parse_web(address)?;
        if fragment.is_some_and(|fragment| !is_fragment(fragment)) {
            return Err(InvalidRequestUri::Fragment);
        }
        Ok(Self {
            text,
            address,
            fragment,
        })
    }

    /// What is fetched.
    pub fn address(&self) -> &'t str {
        self.address
    }

    /// What its fragment says of the object.
    pub fn meant(&self) -> Meant {
        let Some(fragment) = self.fragment else {
            return Meant::Current;
        };
        let bytes = URL_SAFE_NO_PAD.decode(fragment).ok();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(Meant::Marked, Meant::Hash)
    }

    /// Whether a client registered it: exactly so, or without a fragment, which is never sent.
    pub fn is_among(&self, registered: &[String]) -> bool {
        registered
            .iter()
            .any(|own| own == self.text || own == self.address)
    }
}

/// RFC 3986 §3.5, and not empty: that would say nothing.
fn is_fragment(text: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
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
        let Meant::Hash(named) = fixed.meant() else {
            panic!("no hash")
        };
        assert_eq!(named[..4], [0x1a, 0x4b, 0xab, 0x2b]);
        assert_eq!(fixed.address(), "https://client.example.org/request.jwt");
        let plain = RequestUri::parse(fixed.address()).unwrap();
        assert_eq!(plain.meant(), Meant::Current);
        let hash: [u8; 32] = Sha256::digest(b"a.b.c").into();
        let own = URL_SAFE_NO_PAD.encode(hash);
        let own = format!("https://client.example.org/r?x=1#{own}");
        let own = RequestUri::parse(&own).unwrap();
        assert_eq!(own.meant(), Meant::Hash(hash));
        assert_eq!(own.address(), "https://client.example.org/r?x=1");
        // One that is no hash is a mark.
        for mark in ["section-1", "x/y?z", "GkurKxf5T0Y", "%41"] {
            let text = format!("https://client.example.org/r#{mark}");
            let marked = RequestUri::parse(&text).unwrap();
            assert_eq!(marked.meant(), Meant::Marked, "{mark}");
            assert_eq!(marked.address(), "https://client.example.org/r");
        }
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
    fn anything_but_an_address_of_the_web_is_refused() {
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
            "https://client.example/request#GkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM#x",
            "https://client.example/request#a b",
            "https://client.example/request#<script>",
            "https://client.example/request#\"",
            "https://client.example/request#é",
            &long,
        ] {
            assert!(RequestUri::parse(text).is_err(), "{text}");
        }
    }
}
