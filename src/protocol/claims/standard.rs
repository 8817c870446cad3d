//! The standard claims (§5.1) and the scopes that ask for them (§5.4).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::protocol::{email, scope, uri};

/// The longest text of one claim, in characters.
const MAX_TEXT: usize = 500;

/// The standard claims of §5.1 but `sub`, which belongs to the account and not to the person.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StandardClaims {
    /// Full name in displayable form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Given or first names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// Surnames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// Middle names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub middle_name: Option<String>,
    /// Casual name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// Shorthand name; not unique, and no key to anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<String>,
    /// URL of the profile page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// URL of the profile picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// URL of the person's web page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// Preferred e-mail address: filled in from the account when claims are released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether the provider has made sure that the person controls the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    /// `female`, `male`, or any other value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    /// `YYYY-MM-DD`, the year `0000` where it is withheld, or `YYYY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birthdate: Option<String>,
    /// Time zone of the IANA database, such as `Europe/Paris`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zoneinfo: Option<String>,
    /// Language tag of BCP 47, such as `de-CH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Telephone number, E.164 recommended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// Whether the provider has made sure that the person controls the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number_verified: Option<bool>,
    /// Postal address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// When any of these changed last, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<i64>,
}

/// A postal address (§5.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "AddressClaim")]
pub struct Address {
    /// The whole address, lines separated by `\n`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formatted: Option<String>,
    /// Street, house number and the like; may hold several lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street_address: Option<String>,
    /// City.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locality: Option<String>,
    /// State, province or prefecture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// Country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// A claim whose value is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{claim} {reason}")]
pub struct InvalidClaim {
    /// Which claim; of the address, which member: `address.locality`.
    pub claim: &'static str,
    /// What is wrong with it, as the rest of a sentence.
    pub reason: &'static str,
}

impl StandardClaims {
    /// Checks every value: length, control characters, and the syntax that §5.1 asks for.
    pub fn validate(&self) -> Result<(), InvalidClaim> {
        let texts = [
            ("name", &self.name),
            ("given_name", &self.given_name),
            ("family_name", &self.family_name),
            ("middle_name", &self.middle_name),
            ("nickname", &self.nickname),
            ("preferred_username", &self.preferred_username),
            ("gender", &self.gender),
            ("zoneinfo", &self.zoneinfo),
            ("locale", &self.locale),
        ];
        for (claim, value) in texts {
            check(
                claim,
                value.as_deref(),
                is_line,
                "must be 1 to 500 characters without control characters",
            )?;
        }
        for (claim, value) in [
            ("profile", &self.profile),
            ("picture", &self.picture),
            ("website", &self.website),
        ] {
            check(
                claim,
                value.as_deref(),
                is_http_url,
                "must be an http or https URL",
            )?;
        }
        check(
            "zoneinfo",
            self.zoneinfo.as_deref(),
            is_name_of_ascii,
            "must be a time zone name such as Europe/Paris",
        )?;
        check(
            "locale",
            self.locale.as_deref(),
            is_name_of_ascii,
            "must be a language tag such as de-CH",
        )?;
        check(
            "birthdate",
            self.birthdate.as_deref(),
            is_birthdate,
            "must be YYYY-MM-DD, 0000-MM-DD or YYYY",
        )?;
        check(
            "phone_number",
            self.phone_number.as_deref(),
            is_phone,
            "must be a telephone number such as +41 44 123 45 67",
        )?;
        check(
            "email",
            self.email.as_deref(),
            |text| email::EmailAddress::parse(text).is_ok(),
            "must be an e-mail address",
        )?;
        if let Some(address) = &self.address {
            let parts = [
                ("address.formatted", &address.formatted),
                ("address.street_address", &address.street_address),
                ("address.locality", &address.locality),
                ("address.region", &address.region),
                ("address.postal_code", &address.postal_code),
                ("address.country", &address.country),
            ];
            for (claim, part) in parts {
                check(
                    claim,
                    part.as_deref(),
                    is_lines,
                    "must be 1 to 500 characters without control characters but line ends",
                )?;
            }
        }
        Ok(())
    }

    /// All that have a value, as they stand in a token or an answer.
    pub fn to_map(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(all)) => all,
            _ => Map::new(),
        }
    }

    /// The claims of these names that have a value, as they stand in a token or an answer.
    pub fn select<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Map<String, Value> {
        let mut all = self.to_map();
        names
            .into_iter()
            .filter_map(|name| all.remove_entry(name))
            .collect()
    }
}

fn check(
    claim: &'static str,
    value: Option<&str>,
    sound: impl Fn(&str) -> bool,
    reason: &'static str,
) -> Result<(), InvalidClaim> {
    match value {
        Some(text) if !sound(text) => Err(InvalidClaim { claim, reason }),
        _ => Ok(()),
    }
}

fn is_line(text: &str) -> bool {
    is_lines(text) && !text.contains('\n')
}

fn is_lines(text: &str) -> bool {
    !text.is_empty()
        && text.chars().take(MAX_TEXT + 1).count() <= MAX_TEXT
        && text.chars().all(|c| c == '\n' || !c.is_control())
}

fn is_http_url(text: &str) -> bool {
    // A fragment is fine on a page's address; it follows the query's rules (RFC 3986 §3.5).
    let (page, fragment) = text.split_once('#').unwrap_or((text, ""));
    let parse = uri::parse_absolute;
    parse(page).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
        && parse(&format!("x:?{fragment}")).is_ok()
}

fn is_name_of_ascii(text: &str) -> bool {
    text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte))
}

fn is_birthdate(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match text.len() {
        4 => digits(text),
        10 => {
            // The year 0000, which withholds it, is a leap year in this calendar, so that 29 February stays possible.
            digits(&text.replace('-', ""))
                && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
        }
        _ => false,
    }
}

fn is_phone(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (3..=20).contains(&digits)
        && text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+ -().;=".contains(&byte))
}

/// The claims that a scope token asks for (§5.4); none for any other token.
pub fn claims_for_scope(token: &str) -> &'static [&'static str] {
    match token {
        scope::PROFILE => &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
        scope::EMAIL => &["email", "email_verified"],
        scope::ADDRESS => &["address"],
        scope::PHONE => &["phone_number", "phone_number_verified"],
        _ => &[],
    }
}

/// The scope token whose claims this one is among (§5.4); none for what says nothing of a person's.
pub fn scope_of_claim(name: &str) -> Option<&'static str> {
    [scope::PROFILE, scope::EMAIL, scope::ADDRESS, scope::PHONE]
        .into_iter()
        .find(|token| claims_for_scope(token).contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_claim_about_a_person_is_some_scopes() {
        let everything = StandardClaims {
            email: Some("ada@example.com".to_owned()),
            email_verified: Some(true),
            updated_at: Some(1),
            ..claims(serde_json::json!({
                "name": "A", "given_name": "A", "family_name": "A", "middle_name": "A", "nickname": "A", "preferred_username": "a",
                "profile": "https://a.example", "picture": "https://a.example", "website": "https://a.example", "gender": "f",
                "birthdate": "0000-12-10", "zoneinfo": "Europe/London", "locale": "en", "phone_number": "+1", "phone_number_verified": false,
                "address": {"country": "UK"},
            }))
        };
        let names = serde_json::to_value(&everything).unwrap();
        for name in names.as_object().unwrap().keys() {
            assert!(scope_of_claim(name).is_some(), "{name}");
        }
        assert_eq!(names.as_object().unwrap().len(), 19);
        assert_eq!(scope_of_claim("phone_number"), Some("phone"));
        assert_eq!(scope_of_claim("acr"), None);
    }

    fn claims(json: serde_json::Value) -> StandardClaims {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn sound_claims() {
        let ada = claims(serde_json::json!({
            "name": "Ada Lovelace", "given_name": "Ada", "family_name": "Lovelace", "preferred_username": "ada",
            "profile": "https://example.com/ada#about", "picture": "https://example.com/ada.png", "website": "http://ada.example",
            "gender": "female", "birthdate": "0000-12-10", "zoneinfo": "Europe/London", "locale": "en-GB",
            "phone_number": "+1 (555) 123-4567;ext=5678", "phone_number_verified": false, "email": "ada@example.com",
            "address": {"formatted": "1 Street\nTown", "country": "UK"}, "updated_at": 1_311_280_970,
        }));
        assert_eq!(ada.validate(), Ok(()));
        let selected = ada.select(
            claims_for_scope(scope::PHONE)
                .iter()
                .copied()
                .chain(["nickname", "address", "no_such"]),
        );
        assert_eq!(
            serde_json::Value::Object(selected),
            serde_json::json!({
                "phone_number": "+1 (555) 123-4567;ext=5678", "phone_number_verified": false,
                "address": {"formatted": "1 Street\nTown", "country": "UK"},
            })
        );
        let again: StandardClaims =
            serde_json::from_str(&serde_json::to_string(&ada).unwrap()).unwrap();
        assert_eq!(again, ada);
    }

    #[test]
    fn faulty_claims_are_named() {
        let long = "x".repeat(501);
        for (claim, value) in [
            ("name", ""),
            ("name", "a\u{0}b"),
            ("name", "a\nb"),
            ("nickname", &long),
            ("profile", "javascript:alert(1)"),
            ("picture", "ada.png"),
            ("website", "https://a.example/#a#b"),
            ("birthdate", "1815-02-30"),
            ("birthdate", "10.12.1815"),
            ("birthdate", "+815-12-10"),
            ("zoneinfo", "Europe/Lon don"),
            ("locale", "en<GB"),
            ("phone_number", "call me"),
            ("email", "nobody"),
        ] {
            let faulty = claims(serde_json::json!({ claim: value }));
            assert_eq!(faulty.validate().unwrap_err().claim, claim, "{value}");
        }
        let faulty = claims(serde_json::json!({"address": {"locality": "\u{1b}[2J"}}));
        assert_eq!(faulty.validate().unwrap_err().claim, "address.locality");
        assert!(serde_json::from_str::<StandardClaims>(r#"{"sub": "x"}"#).is_err());
    }

    #[test]
    fn every_claim_belongs_to_exactly_one_scope() {
        let scopes = [scope::PROFILE, scope::EMAIL, scope::ADDRESS, scope::PHONE];
        let mut asked: Vec<_> = scopes
            .into_iter()
            .flat_map(claims_for_scope)
            .copied()
            .collect();
        let all = serde_json::json!({
            "name": "a", "given_name": "a", "family_name": "a", "middle_name": "a", "nickname": "a", "preferred_username": "a", "profile": "a",
            "picture": "a", "website": "a", "email": "a", "email_verified": true, "gender": "a", "birthdate": "a", "zoneinfo": "a", "locale": "a",
            "phone_number": "a", "phone_number_verified": true, "address": {}, "updated_at": 1,
        });
        let mut known: Vec<_> = claims(all.clone())
            .select(all.as_object().unwrap().keys().map(String::as_str))
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        asked.sort_unstable();
        known.sort_unstable();
        assert_eq!(asked, known);
        assert!(claims_for_scope(scope::OPENID).is_empty());
    }
}
