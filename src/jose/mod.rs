//! Keys and their life cycle, signing and verification through josekit with explicit algorithm lists, sealing at rest.
//!
//! | module | specification |
//! | --- | --- |
//! | [`jws`] | RFC 7515 compact serialization, RFC 8725 |
//! | [`jwe`] | RFC 7516 compact serialization |
//! | [`keys`] | RFC 7517, RFC 7518 §3 and §6, RFC 8037, RFC 7638 |
//! | [`claims`] | RFC 7519 §4.1 |
//! | [`bearer_assertion`] | RFC 7523 §2.1, §3 |
//! | [`client_assertion`] | RFC 7523 §2.2, §3; OpenID Connect Core §9 |
//! | [`certificate`] | RFC 8705 §2, §3.1 |
//! | [`revocation_lists`] | RFC 5280 §5 |
//! | [`dpop`] | RFC 9449 §4.2, §4.3 |
//! | [`request_object`] | RFC 9101 §4, §6; OpenID Connect Core §6.1 |
//! | [`login_hint`] | OpenID Connect CIBA §7.1; RFC 9493 §3, §4.1 |
//! | [`software_statement`] | RFC 7591 §2.3 |
//! | [`half_hash`] | OpenID Connect Core §3.1.3.6, §3.3.2.11 |
//! | [`seal`] | AES-256-GCM |
//! | [`passwords`] | RFC 9106 |

pub mod bearer_assertion;
pub mod certificate;
pub mod claims;
pub mod client_assertion;
pub mod dpop;
pub mod from_issuer;
pub mod half_hash;
pub mod jwe;
pub mod jws;
pub mod keys;
pub mod login_hint;
pub mod passwords;
pub mod request_object;
pub mod revocation_lists;
pub mod seal;
pub mod software_statement;
