//! A tenant's settings: lifetimes and policies, each with its bounds. Stored as one JSON document; unknown members are refused, so
//! that a misspelt setting can't be silently without effect.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

pub use self::issuers::{
    AssertionIssuer, MAX_ASSERTION_ISSUERS, MAX_ASSERTION_ISSUERS_BYTES, MAX_STATEMENT_ISSUERS,
    SoftwareStatementIssuer, SubjectMapping,
};

use crate::protocol::fapi::SecurityProfile;

mod issuers;

/// Lifetimes and policies of a tenant. All times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = |schema: &mut Schema| describe_bounds("", schema))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the document"
)]
pub struct TenantSettings {
    /// How long an access token is accepted by a service that verifies offline (60 to 86,400 s).
    pub access_token_lifetime: u32,
    /// How long an ID token may be used to learn of a sign-in (60 to 86,400 s).
    pub id_token_lifetime: u32,
    /// How long an authorization code may be redeemed (10 to 60 s).
    pub code_lifetime: u32,
    /// How long a refresh token lives without being used (300 s to 10 years).
    pub refresh_token_idle_lifetime: u32,
    /// How long a grant can be refreshed at all (300 s to 10 years).
    pub refresh_token_lifetime: u32,
    /// How long a session lives without being used (300 s to 1 year).
    pub session_idle_lifetime: u32,
    /// How long a session lives at all (300 s to 1 year).
    pub session_lifetime: u32,
    /// How long a one-time link is good (300 s to 30 days).
    pub one_time_link_lifetime: u32,
    /// What a new password must be.
    pub password: PasswordPolicy,
    /// When guessing is stopped.
    pub lockout: LockoutPolicy,
    /// Whether people are asked.
    pub consent: ConsentPolicy,
    /// Whether signing out ends offline grants (those with `offline_access`) too.
    pub sign_out_ends_offline_access: bool,
    /// Whether applications' pages may ask in a frame whether somebody is still signed in (OpenID Connect Session Management).
    pub session_management: bool,
    /// Whether a confidential client must use PKCE, whatever its own metadata says.
    pub require_pkce: bool,
    /// Whether client assertions must have the issuer as their audience (and not an endpoint's URL).
    pub require_issuer_audience: bool,
    /// Whether every application must push its authorization requests (RFC 9126), whatever its own metadata says.
    pub require_pushed_authorization_requests: bool,
    /// Whether a DPoP proof (RFC 9449) must carry a nonce of the server's, whatever its client's own metadata says.
    pub require_dpop_nonce: bool,
    /// How far a DPoP proof's `iat` may lie from the server's time, in either direction (10 to 300 s).
    pub dpop_proof_leeway: u32,
    /// What is demanded of every application beyond the specifications themselves (FAPI 2.0), whatever its own metadata says.
    pub security_profile: SecurityProfile,
    /// How long a signed request object may be good at the most, where a profile or a client that has one demands signed requests (60 to 3600 s).
    pub request_object_lifetime: u32,
    /// How many authorization requests one application may push in a minute; of a public one, from one address (10 to 1,000,000).
    pub pushed_request_rate: u32,
    /// The certificate authorities that issue certificates to applications (`tls_client_auth`), in PEM; at most 20. Empty: none is trusted.
    pub client_certificate_authorities: String,
    /// The lists of certificates that these authorities have revoked (CRLs), in PEM; at most 20. An authority with a list needs one that is in its
    /// time, or its certificates are refused.
    pub client_certificate_revocation_lists: String,
    /// Whether devices without a browser may be authorized (RFC 8628), for the applications that register that grant.
    pub device_authorization: bool,
    /// How long the code that a device shows is good (60 to 1800 s).
    pub device_code_lifetime: u32,
    /// How many devices of one application may wait for their people at a time (1 to 10,000).
    pub device_code_limit: u32,
    /// How many device codes of public applications are handed out to one address in an hour (1 to 10,000).
    pub device_code_rate: u32,
    /// Whether applications of one group on a device may share a person's session (OpenID Connect Native SSO). Each says in its metadata to which
    /// group it belongs (`native_sso_group`).
    pub native_sso: bool,
    /// Whether applications may ask for people who aren't at them (OpenID Connect CIBA), if they register that grant.
    pub backchannel_authentication: bool,
    /// How long such a request waits for its person at the most (30 to 1800 s).
    pub backchannel_request_lifetime: u32,
    /// How many requests of one application may wait for one person at a time (1 to 20); those of all applications together, five times that.
    pub backchannel_request_limit: u32,
    /// How often one application may ask one person in an hour (1 to 1000); all applications together, five times that.
    pub backchannel_request_rate: u32,
    /// Where a notice goes that a person is asked, signed by the tenant's key, so that something can tell them; https. Empty: nowhere, and people find
    /// the request in their account.
    pub backchannel_notice_uri: String,
    /// Whether applications that are registered for it get tokens through the browser: every response type but `code`.
    pub front_channel_tokens: bool,
    /// Whether a request is refused whose `acr_values` name nothing that a sign-in reaches (RFC 9470 §5). Otherwise it gets what is
    /// reached, as OpenID Connect has it.
    pub require_acr_values: bool,
    /// Whether people of this tenant must have signed in lately to change anything in the administration (RFC 9470).
    pub administration_reauthentication: bool,
    /// How long ago that may be (60 to 86,400 s).
    pub administration_max_age: u32,
    /// After how many days events of the audit are deleted; 0: never (0, or 30 to 3650). The first go a week after this was set, so that a mistake
    /// can be undone.
    pub audit_event_days: u32,
    /// Whether a key is published that applications may encrypt their authorization requests to (RFC 9101 §6.1).
    pub request_object_encryption: bool,
    /// Whether an application may send people with the address of its request instead of the request (OpenID Connect Core §6.2). The server then
    /// fetches it from an address that the application registered.
    pub request_uri_parameter: bool,
    /// Who may register clients without being an administrator.
    pub registration: RegistrationPolicy,
    /// How many clients there may be that registered themselves without an initial access token, and how many with one (1 to 100,000).
    pub registration_limit: u32,
    /// How many registrations without an initial access token are taken from one address in an hour (1 to 10,000).
    pub registration_rate: u32,
    /// After how many days without use a client that registered itself is deleted, with its grants and consents; 0: never (0 to 3650).
    pub unused_client_days: u32,
    /// Whose software statements are believed when a client registers itself (at most 20).
    pub software_statement_issuers: Vec<SoftwareStatementIssuer>,
    /// Whose assertions get tokens for people (RFC 7523 §2.1), which no client gets without (at most 20).
    pub assertion_issuers: Vec<AssertionIssuer>,
    /// Whether a client that registers itself must bring a software statement of one of them.
    pub require_software_statement: bool,
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self {
            access_token_lifetime: 300,
            id_token_lifetime: 300,
            code_lifetime: 60,
            refresh_token_idle_lifetime: 30 * DAY,
            refresh_token_lifetime: 365 * DAY,
            session_idle_lifetime: DAY,
            session_lifetime: 30 * DAY,
            one_time_link_lifetime: 3 * DAY,
            password: PasswordPolicy::default(),
            lockout: LockoutPolicy::default(),
            consent: ConsentPolicy::default(),
            sign_out_ends_offline_access: false,
            session_management: false,
            require_pkce: false,
            require_issuer_audience: false,
            require_pushed_authorization_requests: false,
            require_dpop_nonce: false,
            // Clients' clocks run 10 seconds off often enough, and never a minute.
            dpop_proof_leeway: 30,
            security_profile: SecurityProfile::None,
            request_object_lifetime: 3600,
            pushed_request_rate: 6000,
            client_certificate_authorities: String::new(),
            client_certificate_revocation_lists: String::new(),
            device_authorization: true,
            device_code_lifetime: 600,
            device_code_limit: 1000,
            device_code_rate: 100,
            native_sso: false,
            backchannel_authentication: false,
            backchannel_request_lifetime: 300,
            backchannel_request_limit: 3,
            backchannel_request_rate: 30,
            backchannel_notice_uri: String::new(),
            front_channel_tokens: true,
            require_acr_values: false,
            administration_reauthentication: false,
            administration_max_age: 900,
            // What happened isn't forgotten unless the tenant says so.
            audit_event_days: 0,
            request_object_encryption: false,
            request_uri_parameter: false,
            registration: RegistrationPolicy::default(),
            registration_limit: 1000,
            registration_rate: 100,
            // What others rely on isn't deleted unless the tenant says so.
            unused_client_days: 0,
            software_statement_issuers: Vec::new(),
            assertion_issuers: Vec::new(),
            require_software_statement: false,
        }
    }
}

const DAY: u32 = 86_400;
const YEAR: u32 = 365 * DAY;

/// What a new password must be. No rules on kinds of characters: length is what counts (NIST SP 800-63B §5.1.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = |schema: &mut Schema| describe_bounds("password.", schema))]
pub struct PasswordPolicy {
    /// The least number of characters (8 to 64).
    pub minimum_length: u32,
    /// Whether the person's own e-mail address, its local part or the tenant's name are refused as a password.
    pub refuse_own_name: bool,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            minimum_length: 10,
            refuse_own_name: true,
        }
    }
}

/// When guessing is stopped. Counted for strangers and for each known device apart, so that a stranger can't lock a person out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = |schema: &mut Schema| describe_bounds("lockout.", schema))]
pub struct LockoutPolicy {
    /// Failed attempts within the window before further ones are refused unseen (3 to 100).
    pub attempts: u32,
    /// The window, and the time that further attempts are refused (60 to 86,400 s).
    pub window: u32,
}

impl Default for LockoutPolicy {
    fn default() -> Self {
        Self {
            attempts: 10,
            window: 900,
        }
    }
}

/// Whether people are asked before a client gets tokens for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentPolicy {
    /// Asked once per client and scope; clients of the tenant's own (`skip_consent`) aren't asked for.
    #[default]
    Remembered,
    /// Asked at each sign-in.
    Always,
}

/// Who may register clients without being an administrator (RFC 7591 §3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationPolicy {
    /// Nobody: the endpoints answer nothing but that.
    #[default]
    Closed,
    /// Whoever holds an initial access token.
    Token,
    /// Everybody.
    Open,
}

impl RegistrationPolicy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Token, Self::Open];

    /// The name in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Token => "token",
            Self::Open => "open",
        }
    }
}

/// Writes the bounds of the numbers whose paths begin so into the schema of what holds them: the widest, where one depends on another.
fn describe_bounds(prefix: &str, schema: &mut Schema) {
    let widest = TenantSettings {
        refresh_token_lifetime: 10 * YEAR,
        session_lifetime: YEAR,
        ..TenantSettings::default()
    };
    for bound in widest.bounds() {
        let Some(name) = bound.name.strip_prefix(prefix) else {
            continue;
        };
        if let Some(property) = schema.pointer_mut(&format!("/properties/{name}")) {
            property["minimum"] = bound.least.into();
            property["maximum"] = bound.most.into();
        }
    }
}

/// A number among the settings, and what it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The setting's path, `password.minimum_length` say.
    pub name: &'static str,
    /// What it is.
    pub value: u32,
    /// The least allowed value.
    pub least: u32,
    /// The largest allowed value.
    pub most: u32,
}

/// A setting that is out of its bounds.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("setting `{name}` must be between {least} and {most}, not {value}")]
pub struct OutOfBounds {
    /// The setting's path, `password.minimum_length` say.
    pub name: &'static str,
    /// The least allowed value.
    pub least: u32,
    /// The largest allowed value.
    pub most: u32,
    /// What was given.
    pub value: u32,
}

impl TenantSettings {
    /// Every number with the least and the most that it may be, as the other settings are.
    pub fn bounds(&self) -> [Bound; 25] {
        [
            ("access_token_lifetime", self.access_token_lifetime, 60, DAY),
            ("id_token_lifetime", self.id_token_lifetime, 60, DAY),
            ("code_lifetime", self.code_lifetime, 10, 60),
            (
                "refresh_token_lifetime",
                self.refresh_token_lifetime,
                300,
                10 * YEAR,
            ),
            (
                "refresh_token_idle_lifetime",
                self.refresh_token_idle_lifetime,
                300,
                self.refresh_token_lifetime,
            ),
            ("session_lifetime", self.session_lifetime, 300, YEAR),
            (
                "session_idle_lifetime",
                self.session_idle_lifetime,
                300,
                self.session_lifetime,
            ),
            (
                "one_time_link_lifetime",
                self.one_time_link_lifetime,
                300,
                30 * DAY,
            ),
            (
                "password.minimum_length",
                self.password.minimum_length,
                8,
                64,
            ),
            ("lockout.attempts", self.lockout.attempts, 3, 100),
            ("lockout.window", self.lockout.window, 60, DAY),
            ("dpop_proof_leeway", self.dpop_proof_leeway, 10, 300),
            (
                "request_object_lifetime",
                self.request_object_lifetime,
                60,
                3600,
            ),
            (
                "pushed_request_rate",
                self.pushed_request_rate,
                10,
                1_000_000,
            ),
            ("device_code_lifetime", self.device_code_lifetime, 60, 1800),
            ("device_code_limit", self.device_code_limit, 1, 10_000),
            ("device_code_rate", self.device_code_rate, 1, 10_000),
            (
                "backchannel_request_lifetime",
                self.backchannel_request_lifetime,
                30,
                1800,
            ),
            (
                "backchannel_request_limit",
                self.backchannel_request_limit,
                1,
                20,
            ),
            (
                "backchannel_request_rate",
                self.backchannel_request_rate,
                1,
                1000,
            ),
            (
                "administration_max_age",
                self.administration_max_age,
                60,
                DAY,
            ),
            (
                "audit_event_days",
                self.audit_event_days,
                // For ever, or so long that whoever looks once a month sees all.
                if self.audit_event_days == 0 { 0 } else { 30 },
                3650,
            ),
            ("registration_limit", self.registration_limit, 1, 100_000),
            ("registration_rate", self.registration_rate, 1, 10_000),
            ("unused_client_days", self.unused_client_days, 0, 3650),
        ]
        .map(|(name, value, least, most)| Bound {
            name,
            value,
            least,
            most,
        })
    }

    /// Every address that requests are sent to on behalf of the tenant itself, with the setting that names it.
    pub fn outward_uris(&self) -> Vec<(&'static str, &str)> {
        let statements = self.software_statement_issuers.iter();
        let statements = statements.map(|one| ("software_statement_issuers", &*one.jwks_uri));
        let assertions = self.assertion_issuers.iter();
        let assertions = assertions.filter_map(|one| one.jwks_uri.as_deref());
        let notices = Some(&*self.backchannel_notice_uri).filter(|uri| !uri.is_empty());
        statements
            .chain(assertions.map(|uri| ("assertion_issuers", uri)))
            .chain(notices.map(|uri| ("backchannel_notice_uri", uri)))
            .collect()
    }

    /// Checks each value against its bounds, and those that depend on each other.
    pub fn check(&self) -> Result<(), OutOfBounds> {
        for Bound {
            name,
            value,
            least,
            most,
        } in self.bounds()
        {
            if !(least..=most).contains(&value) {
                return Err(OutOfBounds {
                    name,
                    least,
                    most,
                    value,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_within_their_bounds() {
        assert_eq!(TenantSettings::default().check(), Ok(()));
    }

    #[test]
    fn a_code_never_lives_longer_than_a_minute() {
        let settings = TenantSettings {
            code_lifetime: 61,
            ..TenantSettings::default()
        };
        assert_eq!(
            settings.check().expect_err("out of bounds").name,
            "code_lifetime"
        );
    }

    #[test]
    fn events_stay_for_ever_or_for_a_month_at_the_least() {
        for (days, is_good) in [
            (0, true),
            (1, false),
            (29, false),
            (30, true),
            (3650, true),
            (3651, false),
        ] {
            let settings = TenantSettings {
                audit_event_days: days,
                ..TenantSettings::default()
            };
            assert_eq!(settings.check().is_ok(), is_good, "{days}");
        }
    }

    #[test]
    fn the_schema_tells_every_bound() {
        let schema = schemars::schema_for!(TenantSettings).to_value();
        for bound in TenantSettings::default().bounds() {
            let pointer = match bound.name.split_once('.') {
                None => format!("/properties/{}", bound.name),
                Some(("password", name)) => format!("/$defs/PasswordPolicy/properties/{name}"),
                Some((_, name)) => format!("/$defs/LockoutPolicy/properties/{name}"),
            };
            let property = schema.pointer(&pointer).expect("a property");
            assert_eq!(property["minimum"], bound.least, "{}", bound.name);
            assert!(property["maximum"].as_u64() >= Some(bound.most.into()));
        }
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        assert!(serde_json::from_str::<TenantSettings>(r#"{"acess_token_lifetime":300}"#).is_err());
        assert!(serde_json::from_str::<TenantSettings>(r#"{"password":{"min":8}}"#).is_err());
    }
}
