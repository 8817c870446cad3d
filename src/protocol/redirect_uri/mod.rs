//! Redirect URIs: what may be registered, what matches, and the only way to build a redirect
//! ([RFC 6749 §3.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.1.2), [RFC 9700 §4.1](https://www.rfc-editor.org/rfc/rfc9700#section-4.1),
//! [RFC 8252 §7](https://www.rfc-editor.org/rfc/rfc8252#section-7), [RFC 9207](https://www.rfc-editor.org/rfc/rfc9207)).
//!
//! A presented URI is compared as a string. Nothing is normalised, decoded or resolved, since every such step has been somebody's open redirect.

mod post_logout;
mod registered;
mod validated;

pub use post_logout::PostLogoutRedirectUri;
pub use registered::{RedirectUri, RedirectUriError, is_host_without_scheme};
pub(super) use validated::append_query;
pub use validated::{
    RedirectMismatch, RedirectResponse, Response, UnsignedResponse, ValidatedRedirect,
};
