//! Step-up ([RFC 9470](https://www.rfc-editor.org/rfc/rfc9470)): what a resource demands of the sign-in behind an access token, and how it says so
//! (§3). What the authorization endpoint does about it are `max_age` and `acr_values`, see `authorization`.
//!
//! Left out: demands of an `acr`, as there is but one, which every sign-in reaches.

use std::fmt;

use super::bearer::{BearerChallenge, Scheme};
use super::dpop::DpopChallenge;
use super::errors::{ErrorCode, OAuthError};

/// What is demanded of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// How many seconds it may lie back.
    pub max_age: u32,
}

impl Demand {
    /// Whether a sign-in at `auth_time` meets it at `now`, both in seconds. Where the time isn't known it isn't met.
    pub fn is_met(self, auth_time: Option<i64>, now: i64) -> bool {
        auth_time.is_some_and(|time| now.saturating_sub(time) <= i64::from(self.max_age))
    }

    /// The error of a request whose token doesn't meet it.
    pub fn error(self) -> OAuthError {
        OAuthError::new(
            ErrorCode::InsufficientUserAuthentication,
            "the sign-in lies back too far: send the person to the authorization endpoint with this max_age, and come again with the new token",
        )
    }
}

/// The `WWW-Authenticate` header of a refusal (§3), in the scheme by which the token was presented.
#[derive(Debug, Clone, Copy)]
pub struct StepUpChallenge<'a> {
    /// The scheme.
    pub scheme: Scheme,
    /// The realm.
    pub realm: &'a str,
    /// What isn't met.
    pub demand: Demand,
}

impl fmt::Display for StepUpChallenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.demand.error();
        match self.scheme {
            Scheme::Bearer => BearerChallenge {
                realm: self.realm,
                error: Some(&error),
                scope: None,
            }
            .fmt(f)?,
            Scheme::Dpop => DpopChallenge {
                realm: self.realm,
                error: Some(&error),
            }
            .fmt(f)?,
        }
        write!(f, ", max_age=\"{}\"", self.demand.max_age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_is_as_old_as_it_may_be() {
        let demand = Demand { max_age: 60 };
        for (auth_time, met) in [
            (Some(1000), true),
            (Some(940), true),
            (Some(939), false),
            // Clocks of two nodes differ.
            (Some(1001), true),
            (Some(i64::MIN), false),
            (None, false),
        ] {
            assert_eq!(demand.is_met(auth_time, 1000), met, "{auth_time:?}");
        }
    }

    /// §3: the example's form.
    #[test]
    fn the_challenge_says_what_to_ask_for() {
        for (scheme, name) in [(Scheme::Bearer, "Bearer"), (Scheme::Dpop, "DPoP")] {
            let challenge = StepUpChallenge {
                scheme,
                realm: "https://id.example.com",
                demand: Demand { max_age: 5 },
            };
            let text = challenge.to_string();
            assert!(
                text.starts_with(&format!("{name} realm=\"https://id.example.com\", error=\"insufficient_user_authentication\", error_description=\"")),
                "{text}"
            );
            assert!(text.ends_with(", max_age=\"5\""), "{text}");
        }
    }
}
