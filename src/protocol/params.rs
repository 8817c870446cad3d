//! Request parameters as `application/x-www-form-urlencoded`, in a query or a body ([RFC 6749 §3.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1),
//! [§3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2) and Appendix B), read strictly: what decodes in two ways is refused.

use std::fmt;

use super::errors::OAuthError;

/// The longest query or body, in bytes.
pub const MAX_BYTES: usize = 65_536;
/// The most parameters, unknown ones included.
pub const MAX_PARAMETERS: usize = 200;

/// The parameters of one request in their order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

/// Why a query or body was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidParams {
    /// More than [`MAX_BYTES`] or [`MAX_PARAMETERS`].
    #[error("the request is too large: at most 65536 bytes and 200 parameters are accepted")]
    TooLarge,
    /// Percent-encoding that is incomplete, or that yields a NUL or no UTF-8.
    #[error("the parameters are not sound application/x-www-form-urlencoded UTF-8 text")]
    Encoding,
}

impl From<InvalidParams> for OAuthError {
    fn from(error: InvalidParams) -> Self {
        Self::invalid_request(error.to_string())
    }
}

impl Params {
    /// Reads a query (without its `?`) or a body.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidParams> {
        if text.len() > MAX_BYTES {
            return Err(InvalidParams::TooLarge);
        }
        let text = std::str::from_utf8(text).map_err(|_| InvalidParams::Encoding)?;
        let mut pairs = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            if pairs.len() == MAX_PARAMETERS {
                return Err(InvalidParams::TooLarge);
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| decode_form(text.as_bytes()).ok_or(InvalidParams::Encoding);
            pairs.push((decode(name)?, decode(value)?));
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter that may be given once. One without a value counts as absent (RFC 6749 §3.1).
    pub fn get(&self, name: &str) -> Result<Option<&str>, OAuthError> {
        let mut values = self.0.iter().filter(|(own, _)| own == name);
        let first = values.next();
        if values.next().is_some() {
            // RFC 6749 §3.1: "Request and response parameters MUST NOT be included more than once."
            return Err(OAuthError::invalid_request(format!(
                "{name} is included more than once"
            )));
        }
        Ok(first
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty()))
    }

    /// Like [`Params::get`], with a limit on the value's length in bytes.
    pub fn get_bounded(&self, name: &str, most: usize) -> Result<Option<&str>, OAuthError> {
        match self.get(name)? {
            Some(value) if value.len() > most => Err(OAuthError::invalid_request(format!(
                "{name} is longer than {most} bytes"
            ))),
            value => Ok(value),
        }
    }

    /// Like [`Params::get_bounded`], for a parameter that must be there.
    pub fn require(&self, name: &str, most: usize) -> Result<&str, OAuthError> {
        self.get_bounded(name, most)?
            .ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing")))
    }

    /// Every value of a parameter that may be repeated, but for empty ones.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(own, value)| own == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// Whether the parameter is there, with or without a value.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| own == name)
    }

    /// Names and values in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The parameters as a query string.
    pub fn to_query(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(self.iter())
            .finish()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Params {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }
}

/// Names only: values may be passwords, secrets and codes.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

/// Decodes one name or value; none where the encoding is incomplete or the result holds a NUL or is no UTF-8.
pub fn decode_form(text: &[u8]) -> Option<String> {
    // What is long (tokens) has nothing to decode: that is looked for first, many bytes at a time.
    if memchr::memchr3(b'%', b'+', b'\0', text).is_none() {
        return String::from_utf8(text.to_vec()).ok();
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(decoded)
        .ok()
        .filter(|text| !text.contains('\0'))
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::ErrorCode;

    #[test]
    fn decodes_in_order() {
        let params = Params::parse(b"a=1&b=%C3%A9+x&&c&d=&a%62=%2B=").unwrap();
        let pairs: Vec<_> = params.iter().collect();
        assert_eq!(
            pairs,
            [("a", "1"), ("b", "é x"), ("c", ""), ("d", ""), ("ab", "+=")]
        );
        assert_eq!(params.get("d").unwrap(), None);
        assert!(params.contains("d") && !params.contains("e"));
    }

    #[test]
    fn duplicates_are_refused_only_where_they_are_read() {
        let params = Params::parse(b"state=1&state=&x=1&x=2&resource=a&resource=b").unwrap();
        assert_eq!(
            params.get("state").unwrap_err().code,
            ErrorCode::InvalidRequest
        );
        assert_eq!(params.get("nonce").unwrap(), None);
        assert_eq!(params.get_all("resource").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn strict_decoding() {
        for text in [
            "a=%", "a=%4", "a=%zz", "a=%+1", "a=%ff", "a=%00", "a=\0", "a=b+\0", "%C3=1",
        ] {
            assert_eq!(
                Params::parse(text.as_bytes()),
                Err(InvalidParams::Encoding),
                "{text}"
            );
        }
        // Half of a letter as it is and half of it encoded is none.
        for text in [&b"a=\xff"[..], b"a=\xc3%A9"] {
            assert_eq!(Params::parse(text), Err(InvalidParams::Encoding));
        }
    }

    #[test]
    fn bounds() {
        assert!(Params::parse("a=1&".repeat(MAX_PARAMETERS).as_bytes()).is_ok());
        assert_eq!(
            Params::parse("a=1&".repeat(MAX_PARAMETERS + 1).as_bytes()),
            Err(InvalidParams::TooLarge)
        );
        assert_eq!(
            Params::parse(&vec![b'a'; MAX_BYTES + 1]),
            Err(InvalidParams::TooLarge)
        );
        let params = Params::parse(b"state=abcd").unwrap();
        assert!(params.get_bounded("state", 3).is_err() && params.get_bounded("state", 4).is_ok());
    }

    #[test]
    fn values_are_not_printed() {
        let params = Params::parse(b"client_secret=hush").unwrap();
        assert_eq!(format!("{params:?}"), "[\"client_secret\"]");
    }

    proptest! {
        #[test]
        fn never_panics_and_round_trips(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(params) = Params::parse(&text) {
                let named: Params = params.iter().filter(|(name, value)| !name.is_empty() || !value.is_empty()).collect();
                prop_assert_eq!(Params::parse(named.to_query().as_bytes()).unwrap(), named);
            }
        }
    }
}
