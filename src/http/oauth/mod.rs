//! The endpoints that clients and services call: JSON, never cached, each below the issuer.
//!
//! | module | endpoint | specification |
//! | --- | --- | --- |
//! | [`par`] | `POST /par` | RFC 9126 |
//! | [`device_authorization`] | `POST /device_authorization` | RFC 8628 §3.1 |
//! | [`backchannel_authentication`] | `POST /backchannel_authentication` | `OpenID` Connect CIBA §7 |
//! | [`token`] | `POST /token` | RFC 6749 §3.2 |
//! | [`introspect`] | `POST /introspect` | RFC 7662 |
//! | [`revoke`] | `POST /revoke` | RFC 7009 |
//! | [`register`] | `POST /register`; `GET`, `PUT`, `DELETE /register/{client_id}` | RFC 7591 §3, RFC 7592 §2 |
//! | [`userinfo`] | `GET`, `POST /userinfo` | `OpenID` Connect Core §5.3, RFC 6750 |

pub mod backchannel_authentication;
pub mod device_authorization;
pub mod introspect;
pub mod par;
pub mod register;
pub mod revoke;
pub mod token;
pub mod userinfo;

mod answer;
mod routes;

pub use routes::routes;
