//! What the standard claims say of a person (OpenID Connect Core §5.1): shown, filled in, and read from a form. The e-mail address is the
//! account's, and `updated_at` follows from it; every other claim has a field.

use super::layout::Shell;
use super::parts::{Draft, Field, FieldKind};
use super::sheets::{Fact, FactGroup, Fold, Group, Row};
use crate::domain::user::User;
use crate::protocol::claims::{Address, StandardClaims};

/// Whether the telephone number is known to be the person's: the one claim that isn't a text, but a box.
pub const PHONE_VERIFIED: &str = "phone_number_verified";

const PHONE: &str = "phone_number";

/// The texts, by the names of their claims; those of the postal address are its members (§5.1.1). First those that stand open, then those
/// that are folded away.
const USUAL: [&str; 10] = [
    "name",
    "given_name",
    "family_name",
    "nickname",
    "preferred_username",
    PHONE,
    "birthdate",
    "locale",
    "zoneinfo",
    "picture",
];

const ADDRESS: [&str; 6] = [
    "address.street_address",
    "address.postal_code",
    "address.locality",
    "address.region",
    "address.country",
    "address.formatted",
];

const RARE: [&str; 4] = ["middle_name", "gender", "profile", "website"];

/// The names of all texts.
pub fn texts() -> impl Iterator<Item = &'static str> {
    USUAL.into_iter().chain(ADDRESS).chain(RARE)
}

fn text_mut<'a>(claims: &'a mut StandardClaims, name: &str) -> Option<&'a mut Option<String>> {
    if let Some(member) = name.strip_prefix("address.") {
        let address = claims.address.get_or_insert_default();
        return Some(match member {
            "formatted" => &mut address.formatted,
            "street_address" => &mut address.street_address,
            "locality" => &mut address.locality,
            "region" => &mut address.region,
            "postal_code" => &mut address.postal_code,
            "country" => &mut address.country,
            _ => return None,
        });
    }
    Some(match name {
        "name" => &mut claims.name,
        "given_name" => &mut claims.given_name,
        "family_name" => &mut claims.family_name,
        "middle_name" => &mut claims.middle_name,
        "nickname" => &mut claims.nickname,
        "preferred_username" => &mut claims.preferred_username,
        "profile" => &mut claims.profile,
        "picture" => &mut claims.picture,
        "website" => &mut claims.website,
        "gender" => &mut claims.gender,
        "birthdate" => &mut claims.birthdate,
        "zoneinfo" => &mut claims.zoneinfo,
        "locale" => &mut claims.locale,
        PHONE => &mut claims.phone_number,
        _ => return None,
    })
}

fn text(claims: &mut StandardClaims, name: &str) -> Option<String> {
    text_mut(claims, name).and_then(Option::take)
}

/// What the fields hold.
pub fn values(claims: &StandardClaims) -> Vec<(&'static str, String)> {
    let mut known = claims.clone();
    let mut values: Vec<_> = texts()
        .map(|name| (name, text(&mut known, name).unwrap_or_default()))
        .collect();
    if known.phone_number_verified == Some(true) {
        values.push((PHONE_VERIFIED, "1".to_owned()));
    }
    values
}

/// The claims as they were filled in. What has no field stays.
pub fn read(draft: &Draft, stored: &StandardClaims) -> StandardClaims {
    let mut claims = stored.clone();
    for name in texts() {
        if let Some(claim) = text_mut(&mut claims, name) {
            // A browser ends lines by both characters; §5.1.1 lets either way stand.
            *claim = draft.given(name).map(|text| text.replace("\r\n", "\n"));
        }
    }
    claims.address = claims
        .address
        .filter(|address| *address != Address::default());
    claims.phone_number_verified = match draft.value(PHONE_VERIFIED) {
        // Nobody has said so, or that it isn't.
        "" => stored.phone_number_verified.map(|_| false),
        _ => Some(true),
    };
    claims
}

/// A claim's name as it stands in the names of messages.
pub fn word(name: &str) -> String {
    name.replace(['_', '.'], "-")
}

fn label(page: &Shell<'_>, name: &str) -> String {
    page.t(&format!("user-claim-{}", word(name))).into_owned()
}

fn field(page: &Shell<'_>, draft: &Draft, name: &'static str) -> Row {
    let kind = match name {
        "picture" | "profile" | "website" => FieldKind::Line("url"),
        "address.street_address" | "address.formatted" => FieldKind::Lines(3),
        // A line would lose what another program wrote.
        _ if draft.value(name).contains('\n') => FieldKind::Lines(2),
        _ => FieldKind::Line("text"),
    };
    Row::Field(Field::new(name, label(page, name), kind).of(draft))
}

fn folded(page: &Shell<'_>, draft: &Draft, id: &'static str, names: &[&'static str]) -> Group {
    let rows: Vec<_> = names.iter().map(|name| field(page, draft, name)).collect();
    Group {
        title: page.t(id).into_owned(),
        fold: Some(Fold {
            id,
            about: page.t(&format!("{id}-about")).into_owned(),
            open: rows.iter().any(|row| row.field().problem.is_some()),
        }),
        rows,
    }
}

/// The fields.
pub fn groups(page: &Shell<'_>, draft: &Draft) -> Vec<Group> {
    let mut rows = Vec::new();
    for name in USUAL {
        rows.push(field(page, draft, name));
        if name == PHONE {
            let verified = page.t("user-phone-verified");
            let verified = Field::new(PHONE_VERIFIED, verified, FieldKind::Box);
            rows.push(Row::Field(verified.of(draft)));
        }
    }
    vec![
        Group {
            title: page.t("user-claims").into_owned(),
            fold: None,
            rows,
        },
        folded(page, draft, "user-claims-address", &ADDRESS),
        folded(page, draft, "user-claims-rare", &RARE),
    ]
}

/// What is known of a person; none where nothing is.
pub fn facts(page: &Shell<'_>, user: &User) -> Option<FactGroup> {
    let mut known = user.claims.clone();
    let mut facts = Vec::new();
    for name in texts() {
        if let Some(value) = text(&mut known, name) {
            let mut fact = Fact::said(label(page, name), String::new());
            fact.values = value.lines().map(ToOwned::to_owned).collect();
            facts.push(fact);
        }
        if let (PHONE, Some(verified)) = (name, known.phone_number_verified) {
            let said = if verified {
                "user-phone-verified"
            } else {
                "user-phone-unverified"
            };
            facts.push(Fact::said(page.t("user-phone-proof"), page.t(said)));
        }
    }
    (!facts.is_empty()).then(|| FactGroup {
        title: page.t("user-claims").into_owned(),
        text: page.t("user-claims-text").into_owned(),
        facts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> StandardClaims {
        serde_json::from_value(serde_json::json!({
            "name": "Ada Lovelace", "given_name": "Ada", "family_name": "Lovelace", "middle_name": "King", "nickname": "A", "preferred_username": "ada",
            "profile": "https://ada.example/#about", "picture": "https://ada.example/p.png", "website": "http://ada.example", "gender": "female",
            "birthdate": "0000-12-10", "zoneinfo": "Europe/London", "locale": "en-GB", "phone_number": "+44 20 7946 0000", "phone_number_verified": true,
            "address": {
                "formatted": "1 Street\nTown", "street_address": "1 Street\n2nd floor", "locality": "Town", "region": "R", "postal_code": "1", "country": "UK",
            },
        }))
        .unwrap()
    }

    #[test]
    fn every_standard_claim_but_the_accounts_own_has_a_field() {
        let claims = everything();
        let mut named: Vec<_> = texts()
            .map(|name| name.split('.').next().unwrap())
            .collect();
        named.push(PHONE_VERIFIED);
        named.sort_unstable();
        named.dedup();
        let mut all: Vec<_> = claims.to_map().into_iter().map(|(name, _)| name).collect();
        all.sort_unstable();
        assert_eq!(named, all);
        // As it is read, so it was filled in, whichever way the browser ends its lines.
        assert_eq!(
            read(&Draft::new(values(&claims)), &StandardClaims::default()),
            claims
        );
        let sent = Draft::new([("address.formatted", "1 Street\r\nTown".to_owned())]);
        let address = read(&sent, &StandardClaims::default()).address.unwrap();
        assert_eq!(address.formatted.as_deref(), Some("1 Street\nTown"));
    }

    #[test]
    fn what_is_emptied_is_gone_and_nothing_is_said_of_a_number_of_which_nobody_did() {
        let empty = Draft::default();
        let mut left = StandardClaims::default();
        assert_eq!(read(&empty, &left), left);
        left.phone_number_verified = Some(false);
        assert_eq!(read(&empty, &everything()), left);
    }
}
