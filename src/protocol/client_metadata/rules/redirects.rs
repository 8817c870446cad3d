//! Where a client's people come back to.

use super::{MetadataError, bounded};
use crate::protocol::client_metadata::document::ClientMetadata;
use crate::protocol::client_metadata::kinds::{ApplicationType, GrantType, SubjectType};
use crate::protocol::redirect_uri::{PostLogoutRedirectUri, RedirectUri, RedirectUriError};
use crate::protocol::uri;

impl ClientMetadata {
    pub(super) fn check_redirects(&self) -> Result<(), MetadataError> {
        bounded("redirect_uris", &self.redirect_uris, 100)?;
        bounded(
            "post_logout_redirect_uris",
            &self.post_logout_redirect_uris,
            100,
        )?;
        bounded("allowed_origins", &self.allowed_origins, 100)?;
        if self.has_people_sign_in() && self.redirect_uris.is_empty() {
            return Err(MetadataError::new(
                "redirect_uris",
                "authorization_code and implicit need at least one redirect URI",
            ));
        }
        let redirects = named(
            "redirect_uris",
            &self.redirect_uris,
            self.application_type,
            RedirectUri::parse,
        )?;
        // OpenID Connect Dynamic Client Registration §2, application_type: "Web Clients using the OAuth Implicit Grant Type MUST only register URLs
        // using the https scheme as redirect_uris; they MUST NOT use localhost as the hostname."
        let bound =
            self.allows_grant(GrantType::Implicit) && self.application_type == ApplicationType::Web;
        if bound && !redirects.iter().all(RedirectUri::is_https_elsewhere) {
            return Err(MetadataError::new(
                "redirect_uris",
                "must use https and another host than localhost or the loopback where implicit is among grant_types; http on the loopback is for application_type native",
            ));
        }
        named(
            "post_logout_redirect_uris",
            &self.post_logout_redirect_uris,
            self.application_type,
            PostLogoutRedirectUri::parse,
        )?;
        for origin in &self.allowed_origins {
            uri::check_origin(origin).map_err(|_| {
                MetadataError::new(
                    "allowed_origins",
                    "must be origins such as https://app.example.com, without a path",
                )
            })?;
        }
        if self.subject_type == SubjectType::Pairwise && self.sector().is_none() {
            return Err(MetadataError::new(
                "subject_type",
                "pairwise needs redirect URIs that all have the same host, or a sector_identifier_uri",
            ));
        }
        Ok(())
    }
}

/// How much of a URI is repeated where it can't be accepted.
const NAMED_MAX: usize = 100;

/// The URIs of one field, checked. Where there are several, the one that can't be accepted is named.
fn named<T>(
    field: &str,
    uris: &[String],
    application: ApplicationType,
    parse: impl Fn(&str, ApplicationType) -> Result<T, RedirectUriError>,
) -> Result<Vec<T>, MetadataError> {
    let parsed = uris.iter().map(|uri| {
        parse(uri, application).map_err(|error| {
            let reason = match uris {
                [_] => error.to_string(),
                _ => format!("`{}`: {error}", shortened(uri)),
            };
            MetadataError::new(field, reason)
        })
    });
    parsed.collect()
}

/// A URI as far as it is repeated.
fn shortened(uri: &str) -> String {
    let mut shown: String = uri.chars().take(NAMED_MAX).collect();
    if shown.len() < uri.len() {
        shown.push_str("...");
    }
    shown
}
