//! Request objects by reference (RFC 9101 §5.2, §6; OpenID Connect Core §6.2): fetched from an address that the client registered, where the tenant
//! takes such requests and the client needn't push its own. Nothing else is looked at before: what a request asks for and where its answer goes
//! is what the object says. Whoever knows the client's name and the address can thus have it fetched; how often is for the cache to count.

use std::sync::Arc;

use crate::domain::client::Client;
use crate::egress::{EgressError, Reference};
use crate::flows::Provider;
use crate::flows::tenancy::TenantAt;
use crate::jose::jwe;
use crate::protocol::request_uri::{InvalidRequestUri, RequestUri};
use crate::protocol::{ErrorCode, OAuthError};

/// Why nothing is fetched, or what was isn't taken.
#[derive(Debug, thiserror::Error)]
pub(in crate::flows) enum ReferenceRefusal {
    /// The tenant takes requests by value only.
    #[error("requests by reference aren't taken in this tenant")]
    NotTaken,
    /// It is no address of a request object.
    #[error("the request_uri {0}")]
    Malformed(#[from] InvalidRequestUri),
    /// The client didn't register it.
    #[error("the request_uri is none that the client registered")]
    NotRegistered,
    /// It can't be fetched.
    #[error("the request_uri can't be fetched: {0}")]
    NotFetched(#[from] EgressError),
}

impl From<ReferenceRefusal> for OAuthError {
    fn from(refusal: ReferenceRefusal) -> Self {
        let text = match &refusal {
            ReferenceRefusal::NotTaken => {
                return Self::new(
                    ErrorCode::RequestUriNotSupported,
                    "the request_uri parameter is not supported here but for pushed requests",
                );
            }
            ReferenceRefusal::NotFetched(error) if !error.was_asked() => {
                return Self::temporarily_unavailable(
                    "too many request objects are being fetched; try again shortly",
                );
            }
            ReferenceRefusal::Malformed(_) => refusal.to_string(),
            ReferenceRefusal::NotRegistered => {
                "the request_uri is none of the client's request_uris, to which it is compared exactly".to_owned()
            }
            // RFC 9101 §7: this code is for an address that "returns an error" as well, whether that passes or not. What came back from there is the
            // client's business; where it leads isn't the browser's.
            ReferenceRefusal::NotFetched(_) => {
                "the request_uri can't be fetched".to_owned()
            }
        };
        Self::new(ErrorCode::InvalidRequestUri, text)
    }
}

impl Provider {
    /// The request object of an address.
    pub(super) async fn fetch_object(
        &self,
        at: &TenantAt,
        client: &Client,
        uri: &str,
    ) -> Result<Arc<str>, ReferenceRefusal> {
        if !at.tenant.settings().request_uri_parameter {
            return Err(ReferenceRefusal::NotTaken);
        }
        let uri = RequestUri::parse(uri)?;
        if !uri.is_among(&client.metadata.request_uris) {
            return Err(ReferenceRefusal::NotRegistered);
        }
        let reference = Reference {
            tenant: at.tenant.id().uuid(),
            client: client.id.uuid(),
            address: uri.address().to_owned(),
        };
        let fetched = self
            .request_objects
            .load(reference, jwe::MAX_TOKEN, uri.meant())
            .await;
        Ok(fetched?)
    }
}
