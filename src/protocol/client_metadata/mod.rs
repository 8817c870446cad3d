//! Client metadata ([RFC 7591 §2](https://www.rfc-editor.org/rfc/rfc7591#section-2), OpenID Connect Dynamic Client Registration §2, and this provider's
//! own fields) as an administrator writes it.
//!
//! Every field that this provider does not act upon is refused rather than ignored: an administrator who sets it would rely on it. Left out: dynamic
//! registration by strangers.

mod document;
mod kinds;
mod localized;
mod rules;

pub use document::ClientMetadata;
pub use kinds::{
    AccessTokenFormat, ApplicationType, GrantType, ResponseType, SubjectType,
    TokenEndpointAuthMethod,
};
pub use localized::Localized;
pub use rules::MetadataError;
