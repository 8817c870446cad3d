//! Every setting of a tenant, under its heading, and where it stands.

use crate::domain::settings::TenantSettings;

/// Where a setting stands: read and written by this alone, so that no other is taken for it.
pub(super) struct Slot<T: 'static> {
    pub(super) get: fn(&TenantSettings) -> T,
    pub(super) set: fn(&mut TenantSettings, T),
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slot<T> {}

/// How a setting is filled in.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A number of seconds.
    Span(Slot<u32>),
    /// A number.
    Number(Slot<u32>),
    /// Yes or no.
    Switch(Slot<bool>),
    /// Whether people are asked.
    Consent,
    /// Who may register applications.
    Registration,
    /// What is demanded of applications.
    Profile,
    /// Whose certificates are believed: PEM.
    Authorities,
    /// What they have revoked: PEM.
    Revoked,
    /// Whose software statements are believed: a line each, the issuer and the address of its keys.
    Issuers,
    /// Whose assertions get tokens: as JSON.
    Assertions,
    /// An address, or nothing.
    Address,
}

/// A setting's path, and how it is filled in.
pub(super) type Entry = (&'static str, Kind);

/// An entry for the setting that stands at this path.
macro_rules! entry {
    ($kind:ident($($part:ident).+)) => {
        (
            stringify!($($part).+),
            Kind::$kind(Slot {
                get: |settings| settings.$($part).+,
                set: |settings, value| settings.$($part).+ = value,
            }),
        )
    };
    ($kind:ident: $name:ident) => {
        (stringify!($name), Kind::$kind)
    };
}

/// Every setting, under its heading.
pub(super) const GROUPS: [(&str, &[Entry]); 10] = [
    (
        "settings-tokens",
        &[
            entry!(Span(access_token_lifetime)),
            entry!(Span(id_token_lifetime)),
            entry!(Span(refresh_token_idle_lifetime)),
            entry!(Span(refresh_token_lifetime)),
            entry!(Span(code_lifetime)),
        ],
    ),
    (
        "settings-sessions",
        &[
            entry!(Span(session_idle_lifetime)),
            entry!(Span(session_lifetime)),
            entry!(Switch(sign_out_ends_offline_access)),
            entry!(Switch(session_management)),
        ],
    ),
    (
        "settings-passwords",
        &[
            entry!(Number(password.minimum_length)),
            entry!(Switch(password.refuse_own_name)),
            entry!(Number(lockout.attempts)),
            entry!(Span(lockout.window)),
            entry!(Span(one_time_link_lifetime)),
        ],
    ),
    (
        "settings-applications",
        &[
            entry!(Consent: consent),
            entry!(Profile: security_profile),
            entry!(Switch(require_pkce)),
            entry!(Switch(front_channel_tokens)),
            entry!(Switch(native_sso)),
            entry!(Switch(require_acr_values)),
        ],
    ),
    (
        "settings-requests",
        &[
            entry!(Switch(require_pushed_authorization_requests)),
            entry!(Number(pushed_request_rate)),
            entry!(Span(request_object_lifetime)),
            entry!(Switch(request_object_encryption)),
            entry!(Switch(request_uri_parameter)),
        ],
    ),
    (
        "settings-proofs",
        &[
            entry!(Switch(require_dpop_nonce)),
            entry!(Span(dpop_proof_leeway)),
            entry!(Authorities: client_certificate_authorities),
            entry!(Revoked: client_certificate_revocation_lists),
            entry!(Switch(require_issuer_audience)),
            entry!(Assertions: assertion_issuers),
        ],
    ),
    (
        "settings-administration",
        &[
            entry!(Switch(administration_reauthentication)),
            entry!(Span(administration_max_age)),
            entry!(Number(audit_event_days)),
        ],
    ),
    (
        "settings-devices",
        &[
            entry!(Switch(device_authorization)),
            entry!(Span(device_code_lifetime)),
            entry!(Number(device_code_limit)),
            entry!(Number(device_code_rate)),
        ],
    ),
    (
        "settings-backchannel",
        &[
            entry!(Switch(backchannel_authentication)),
            entry!(Span(backchannel_request_lifetime)),
            entry!(Number(backchannel_request_limit)),
            entry!(Number(backchannel_request_rate)),
            entry!(Address: backchannel_notice_uri),
        ],
    ),
    (
        "settings-registration",
        &[
            entry!(Registration: registration),
            entry!(Number(registration_limit)),
            entry!(Number(registration_rate)),
            entry!(Number(unused_client_days)),
            entry!(Issuers: software_statement_issuers),
            entry!(Switch(require_software_statement)),
        ],
    ),
];

/// All of them.
pub(super) fn entries() -> impl Iterator<Item = Entry> {
    GROUPS
        .into_iter()
        .flat_map(|(_, entries)| entries.iter().copied())
}
