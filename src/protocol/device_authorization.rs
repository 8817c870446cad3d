//! Device authorization ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)): a device without a browser shows a code, and its person goes on
//! elsewhere. Here are the request and its answer (§3.1, §3.2), and the code (§6.1).

use std::fmt;

use serde::Serialize;

use super::authorization::{read_resources, read_scope};
use super::discovery::paths;
use super::errors::OAuthError;
use super::params::Params;
use super::resource::ResourceIndicator;
use super::scope::Scope;
use crate::clock::Clock;

/// How many seconds a device waits between two polls at first (RFC 8628 §3.2's default).
pub const INTERVAL: u32 = 5;

/// By how many seconds it waits longer after each poll that came too soon (RFC 8628 §3.5).
pub const INTERVAL_STEP: u32 = 5;

/// A device is never made to wait longer than this. A device that doesn't listen would only have the number written once more.
pub const INTERVAL_MAX: u32 = 60;

/// A device authorization request. Who sends it is [`super::client_authentication`]'s matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceAuthorizationRequest {
    /// What is asked for; none where the client leaves it to its registration.
    pub scope: Option<Scope>,
    /// The APIs that tokens are for (RFC 8707).
    pub resources: Vec<ResourceIndicator>,
}

impl DeviceAuthorizationRequest {
    /// Reads the body of a request.
    pub fn from_params(params: &Params) -> Result<Self, OAuthError> {
        Ok(Self {
            scope: read_scope(params)?,
            resources: read_resources(params)?,
        })
    }
}

/// The answer (RFC 8628 §3.2). It must be sent with `Cache-Control: no-store`.
#[derive(Clone, Serialize)]
pub struct DeviceAuthorizationResponse {
    /// What the device polls with.
    pub device_code: String,
    /// What it shows.
    pub user_code: UserCode,
    /// Where the person goes.
    pub verification_uri: String,
    /// The same with the code in it, for a picture that a phone reads.
    pub verification_uri_complete: String,
    /// For how many seconds both codes are good.
    pub expires_in: u32,
    /// How many seconds to wait between two polls.
    pub interval: u32,
}

impl DeviceAuthorizationResponse {
    /// For an issuer's device.
    pub fn new(issuer: &str, device_code: String, user_code: UserCode, expires_in: u32) -> Self {
        let verification_uri = format!("{issuer}{}", paths::DEVICE);
        Self {
            device_code,
            // Its alphabet needs no escaping.
            verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
            user_code,
            verification_uri,
            expires_in,
            interval: INTERVAL,
        }
    }
}

impl fmt::Debug for DeviceAuthorizationResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceAuthorizationResponse")
            .field("verification_uri", &self.verification_uri)
            .field("expires_in", &self.expires_in)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

/// The letters of a user code (RFC 8628 §6.1): no vowels, so that no words come of them, and none that is taken for a digit.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// How many letters a code has.
const LENGTH: usize = 8;

/// The longest text that is read as a code, in bytes. People may put in spaces and strokes as they like, within reason.
pub const MAX_USER_CODE: usize = 64;

/// The code that a device shows and its person types: eight letters out of twenty, shown as `WDJB-MJHT`.
///
/// There are 20⁸ = 25.6 thousand million of them, some 34 bits: few enough that guessing has to be limited, see `flows::device`.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode([u8; LENGTH]);

impl UserCode {
    /// Makes one, each as likely as any other.
    pub fn generate(clock: &Clock) -> Self {
        // Of 256 values the last 16 would make the first letters likelier.
        let usable = 256 - 256 % ALPHABET.len();
        let mut letters = [0; LENGTH];
        let mut missing = letters.iter_mut();
        loop {
            let bytes = clock.random_bytes::<16>();
            for byte in bytes
                .into_iter()
                .map(usize::from)
                .filter(|byte| *byte < usable)
            {
                match missing.next() {
                    Some(letter) => *letter = ALPHABET[byte % ALPHABET.len()],
                    None => return Self(letters),
                }
            }
        }
    }

    /// Reads what a person typed: case doesn't matter, nor what stands between the letters (RFC 8628 §6.1). `None` for what can't be a code.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_USER_CODE {
            return None;
        }
        let mut letters = [0; LENGTH];
        let mut count = 0;
        for letter in text.chars().filter(|letter| letter.is_alphanumeric()) {
            let letter = u8::try_from(letter.to_ascii_uppercase()).ok()?;
            *letters.get_mut(count)? = letter;
            count += 1;
            if !ALPHABET.contains(&letter) {
                return None;
            }
        }
        (count == LENGTH).then_some(Self(letters))
    }

    /// The letters alone, which its hash is made of.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, letter) in self.0.iter().enumerate() {
            if position == LENGTH / 2 {
                f.write_str("-")?;
            }
            write!(f, "{}", char::from(*letter))?;
        }
        Ok(())
    }
}

/// Whoever reads it could take it for their own: it stays out of logs.
impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(…)")
    }
}

impl Serialize for UserCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_written() {
        // RFC 8628 §3.3.1's and §6.1's examples.
        for text in [
            "WDJB-MJHT",
            "WDJBMJHT",
            "wdjb-mjht",
            " w d j b – m j h t ",
            "WDJB_MJHT",
            "W.D.J.B.M.J.H.T",
        ] {
            let code = UserCode::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(code.to_string(), "WDJB-MJHT", "{text}");
        }
        for text in [
            "",
            "WDJB-MJH",
            "WDJB-MJHTT",
            "WDJB-MJHA",
            "WDJB-MJH1",
            "WDJB-MJHß",
            "ＷDJB-MJHT",
            "K\u{212a}DJBMJH",
            &format!("WDJB{}MJHT", "-".repeat(60)),
        ] {
            assert_eq!(UserCode::parse(text), None, "{text}");
        }
        assert!(!format!("{:?}", UserCode::parse("WDJB-MJHT")).contains("WDJB"));
    }

    #[test]
    fn every_letter_is_as_likely_as_any_other() {
        let clock = Clock::system();
        let mut counts = HashMap::new();
        for _ in 0..5_000 {
            for letter in UserCode::generate(&clock).0 {
                *counts.entry(letter).or_insert(0_u32) += 1;
            }
        }
        assert_eq!(counts.len(), ALPHABET.len());
        // 2,000 of each are to be expected, with a standard deviation of 44.
        for (letter, count) in counts {
            assert!((1_700..2_300).contains(&count), "{letter}: {count}");
        }
    }

    #[test]
    fn the_answer() {
        let code = UserCode::parse("WDJB-MJHT").unwrap();
        let answer = DeviceAuthorizationResponse::new(
            "https://id.example.com/t/acme",
            "tsd_x".into(),
            code,
            600,
        );
        assert!(
            !format!("{answer:?}").contains("tsd_x") && !format!("{answer:?}").contains("WDJB")
        );
        assert_eq!(
            serde_json::to_value(answer).unwrap(),
            serde_json::json!({
                "device_code": "tsd_x", "user_code": "WDJB-MJHT", "verification_uri": "https://id.example.com/t/acme/device",
                "verification_uri_complete": "https://id.example.com/t/acme/device?user_code=WDJB-MJHT", "expires_in": 600, "interval": 5,
            })
        );
    }

    proptest! {
        #[test]
        fn what_is_read_is_a_code_with_one_spelling(text in any::<String>()) {
            if let Some(code) = UserCode::parse(&text) {
                prop_assert!(code.as_bytes().iter().all(|letter| ALPHABET.contains(letter)));
                prop_assert_eq!(UserCode::parse(&code.to_string()), Some(code));
            }
        }

        #[test]
        fn what_is_made_is_read(_ in 0..50) {
            let code = UserCode::generate(&Clock::system());
            prop_assert_eq!(UserCode::parse(&code.to_string().to_lowercase()), Some(code));
        }
    }
}
