//! Client metadata ([RFC 7591 §2](https://www.rfc-editor.org/rfc/rfc7591#section-2), OpenID Connect Dynamic Client Registration §2, and this provider's
//! own fields), as an administrator writes it and as a client that registers itself sends it: the same rules for both.
//!
//! Where an administrator writes it, every field that this provider does not act upon is refused rather than ignored: whoever sets it would rely
//! on it. A client that registers itself is promised the opposite by RFC 7591 §2, and reads in the answer what became of its fields.

mod administered;
mod document;
mod exchange;
mod kinds;
mod localized;
mod registration;
mod rules;

pub use administered::{ACTING_FOR_ITSELF, Decided};
pub use document::ClientMetadata;
pub use kinds::{
    AccessTokenFormat, ApplicationType, GrantType, ResponseType, SubjectType,
    TokenEndpointAuthMethod, UnsupportedResponseType, same_values,
};
pub use localized::Localized;
pub use rules::MetadataError;
