//! The code that a person has themselves asked with by the back channel (OpenID Connect CIBA §7.1, `user_code`; §13). What a device shows, which
//! RFC 8628 calls so too, is [`super::device_authorization`]'s.

use std::fmt;

use super::errors::{ErrorCode, OAuthError};
use crate::secret::PlainSecret;

/// How long a code is that a person has themselves asked with.
pub const CODE_LENGTH: std::ops::RangeInclusive<usize> = 6..=32;

/// The code that a person has themselves asked with (§7.1, `user_code`): "known only to the user but verifiable by the OP".
#[derive(Clone)]
pub struct PersonCode(PlainSecret);

impl PersonCode {
    /// Reads what can be one: visible ASCII, which every keyboard has, and as long as guessing is worth nothing at the rate that it is allowed.
    pub fn parse(text: &str) -> Option<Self> {
        let length = CODE_LENGTH.contains(&text.len());
        let sound = length && text.bytes().all(|byte| byte.is_ascii_graphic());
        sound.then(|| Self(PlainSecret::new(text.to_owned())))
    }

    /// Whether it is among those that are guessed first: one character over and over, or a row of them, as `123456`.
    pub fn is_guessable(&self) -> bool {
        let bytes = self.as_bytes();
        let steps = || {
            bytes
                .windows(2)
                .map(|pair| i16::from(pair[1]) - i16::from(pair[0]))
        };
        let first = steps().next().unwrap_or_default();
        (-1..=1).contains(&first) && steps().all(|step| step == first)
    }

    /// What is hashed.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

impl fmt::Debug for PersonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonCode(…)")
    }
}

/// A code that isn't the person's.
pub fn wrong_user_code() -> OAuthError {
    OAuthError::new(
        ErrorCode::InvalidUserCode,
        "user_code is not the code that this person has set for requests to them",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_people() {
        for (text, guessable) in [
            ("194826", false),
            ("112233", false),
            ("tr4m-Linie", false),
            ("135790", false),
            ("000000", true),
            ("123456", true),
            ("987654", true),
            ("abcdefgh", true),
        ] {
            let code = PersonCode::parse(text).unwrap();
            assert_eq!(code.is_guessable(), guessable, "{text}");
            assert!(!format!("{code:?}").contains(text));
        }
        for text in ["", "12345", "a b c d", "sch\u{f6}ner", &"x".repeat(33)] {
            assert!(PersonCode::parse(text).is_none(), "{text}");
        }
    }
}
