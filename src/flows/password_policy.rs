//! What a new password must be (NIST SP 800-63B §5.1.1.2): long enough, and none of those that are tried first.
//!
//! No rules on kinds of characters, no expiry. Left out: a list of leaked passwords, which would have to be fetched.

use crate::domain::settings::PasswordPolicy;
use crate::jose::passwords::{MAX_PASSWORD, prepare};
use crate::protocol::email::EmailAddress;

/// Why a new password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordProblem {
    /// Fewer characters than the tenant asks for.
    #[error("the password is too short: at least {minimum} characters are needed")]
    TooShort {
        /// The least number of characters.
        minimum: u32,
    },
    /// More than is hashed.
    #[error("the password is too long: at most {MAX_PASSWORD} bytes are accepted")]
    TooLong,
    /// The person's address, a part of it, or the tenant's name.
    #[error(
        "the password must not be the e-mail address, a part of it, or the organisation's name"
    )]
    OwnName,
    /// One of those that everybody tries first.
    #[error("this password is too common or too regular to withstand guessing; choose another")]
    Common,
}

/// What passwords are made of that everybody tries first. A password counts as common if it is one of these, whatever its case, with
/// digits and signs before and behind it, or one of these repeated.
const COMMON: &[&str] = &[
    "111111",
    "123123",
    "123321",
    "123456",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1q2w3e4r5t6y",
    "1qaz2wsx",
    "1qaz2wsx3edc",
    "654321",
    "666666",
    "abc",
    "abcabc",
    "abcd",
    "abcdef",
    "access",
    "admin",
    "administrator",
    "aaaaaa",
    "asdf",
    "asdfgh",
    "asdfghjkl",
    "azerty",
    "baseball",
    "batman",
    "changeme",
    "changeit",
    "charlie",
    "chocolate",
    "computer",
    "default",
    "demo",
    "donald",
    "dragon",
    "example",
    "flower",
    "football",
    "freedom",
    "guest",
    "hello",
    "helloworld",
    "hunter",
    "iloveyou",
    "internet",
    "jennifer",
    "jordan",
    "letmein",
    "liverpool",
    "login",
    "loveme",
    "lovely",
    "master",
    "maverick",
    "michael",
    "michelle",
    "monkey",
    "motdepasse",
    "mustang",
    "mypassword",
    "myspace",
    "newpassword",
    "nothing",
    "passwd",
    "password",
    "passwort",
    "passphrase",
    "pokemon",
    "princess",
    "qazwsx",
    "qazwsxedc",
    "qwer",
    "qwert",
    "qwerty",
    "qwertyuiop",
    "qwertz",
    "qwertzuiop",
    "qweasd",
    "qweasdzxc",
    "root",
    "samsung",
    "secret",
    "shadow",
    "soccer",
    "spring",
    "starwars",
    "summer",
    "sunshine",
    "superman",
    "superuser",
    "system",
    "temp",
    "temporary",
    "test",
    "tester",
    "testing",
    "testpassword",
    "trustno",
    "trustnoone",
    "user",
    "welcome",
    "whatever",
    "winter",
    "autumn",
    "yourpassword",
    "zaq1zaq1",
    "zxcvbn",
    "zxcvbnm",
    "zxcvbnmasdfghjkl",
    "qwertyuiopasdfghjklzxcvbnm",
];

/// Checks a password that a person (`email`) of a tenant (by its name) is about to get.
pub fn check_new_password(
    policy: &PasswordPolicy,
    email: &EmailAddress,
    tenant_name: &str,
    password: &str,
) -> Result<(), PasswordProblem> {
    if password.len() > MAX_PASSWORD {
        return Err(PasswordProblem::TooLong);
    }
    // What is judged is what is hashed.
    let password = &*prepare(password);
    let minimum = usize::try_from(policy.minimum_length).unwrap_or(usize::MAX);
    if password.chars().take(minimum).count() < minimum {
        return Err(PasswordProblem::TooShort {
            minimum: policy.minimum_length,
        });
    }
    let lower = password.trim().to_lowercase();
    if policy.refuse_own_name && is_own_name(&lower, email, tenant_name) {
        return Err(PasswordProblem::OwnName);
    }
    if is_common(&lower) {
        Err(PasswordProblem::Common)
    } else {
        Ok(())
    }
}

fn is_own_name(lower: &str, email: &EmailAddress, tenant_name: &str) -> bool {
    let address = email.as_str().to_lowercase();
    let (local, domain) = address.rsplit_once('@').unwrap_or((&address, ""));
    let bare = |text: &str| {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .collect::<String>()
            .to_lowercase()
    };
    let (password, core) = (bare(lower), core(lower));
    let names = [bare(&address), bare(local), bare(domain), bare(tenant_name)];
    let is_name = |name: &String| !name.is_empty() && (password == *name || bare(core) == *name);
    lower == address || names.iter().any(is_name)
}

/// Whether it is one of those that everybody tries first; in lower case.
pub(super) fn is_common(lower: &str) -> bool {
    is_known(lower) || is_known(core(lower)) || is_repeated(lower) || is_run(lower)
}

/// The password without the digits and signs that people put around a word.
fn core(lower: &str) -> &str {
    lower.trim_matches(|c: char| !c.is_alphabetic())
}

fn is_known(text: &str) -> bool {
    let plain = text
        .chars()
        .map(|c| match c {
            '0' => 'o',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            '1' | '!' => 'i',
            other => other,
        })
        .collect::<String>();
    COMMON.iter().any(|known| *known == text || *known == plain)
}

/// One to eight characters over and over (`abcabcabcabc`), or a common word over and over (`passwordpassword`).
fn is_repeated(lower: &str) -> bool {
    let chars = lower.chars().collect::<Vec<_>>();
    let repeats = |length: usize| {
        chars.len() >= 2 * length
            && chars
                .iter()
                .zip(chars.iter().skip(length))
                .all(|(one, other)| one == other)
    };
    let short = (1..=4).any(repeats);
    short
        || (5..=16).any(|length| {
            repeats(length)
                && chars
                    .get(..length)
                    .is_some_and(|word| is_known(&word.iter().collect::<String>()))
        })
}

/// Characters that follow each other by one, up or down: `1234567890`, `abcdefghijkl`.
fn is_run(lower: &str) -> bool {
    let codes = lower
        .chars()
        .map(|c| i64::from(u32::from(c)))
        .collect::<Vec<_>>();
    let step = |by: i64| {
        codes
            .windows(2)
            .all(|pair| matches!(pair, [one, next] if next - one == by || (next - one).abs() == 9))
    };
    codes.len() > 2 && (step(1) || step(-1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str) -> Result<(), PasswordProblem> {
        let email = EmailAddress::parse("jo.miller@example-works.com").unwrap();
        check_new_password(&PasswordPolicy::default(), &email, "Acme Rockets", password)
    }

    #[test]
    fn length_is_what_counts() {
        for good in [
            "correct horse battery",
            "tr4ckerjacket",
            "ünïcödé pässwörd",
            "nine more words",
            // Long, and no repetition of a short piece.
            &(0..200)
                .map(|number| number.to_string())
                .collect::<Vec<_>>()
                .join(" "),
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(
            check("ninechars"),
            Err(PasswordProblem::TooShort { minimum: 10 })
        );
        // Characters, not bytes, and an accent of its own is none.
        assert_eq!(
            check(&"e\u{301}".repeat(9)),
            Err(PasswordProblem::TooShort { minimum: 10 })
        );
        assert_eq!(
            check("éééééééé"),
            Err(PasswordProblem::TooShort { minimum: 10 })
        );
        assert_eq!(
            check(&"x".repeat(MAX_PASSWORD + 1)),
            Err(PasswordProblem::TooLong)
        );
        assert_eq!(check(&"é".repeat(1 << 20)), Err(PasswordProblem::TooLong));
    }

    #[test]
    fn names_that_everybody_knows_are_refused() {
        for name in [
            "jo.miller@example-works.com",
            "JO.Miller@Example-Works.com",
            "acme rockets",
            "AcmeRockets2026!",
            "jomiller2026",
            "example-works.com",
        ] {
            assert_eq!(check(name), Err(PasswordProblem::OwnName), "{name}");
        }
        assert_eq!(
            check("jo.miller likes rockets"),
            Ok(()),
            "a phrase that holds the name is fine"
        );
        let lenient = PasswordPolicy {
            refuse_own_name: false,
            ..PasswordPolicy::default()
        };
        let email = EmailAddress::parse("jo.miller@example-works.com").unwrap();
        assert_eq!(
            check_new_password(&lenient, &email, "Acme Rockets", "acme rockets"),
            Ok(())
        );
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        let tried = [
            "Password2026",
            "p@ssw0rd123",
            "password!!",
            "passwordpassword",
            "1234567890",
            "0987654321",
            "abcdefghijkl",
            "aaaaaaaaaaaa",
            "qwertyuiop",
            "Welcome12345",
            "abcabcabcabc",
            "iloveyou!!!!",
            "12341234123412",
            "Administrator1",
            "qwertyuiop1234567890",
            " changeme123 ",
        ];
        for password in tried {
            assert_eq!(check(password), Err(PasswordProblem::Common), "{password}");
        }
    }
}
