//! The token endpoint: one pipeline, and one file for each grant (RFC 6749 §4.1.3, §4.4.2, §6, RFC 7523 §2.1, RFC 8628 §3.4, RFC 8693, OpenID
//! Connect CIBA §10.1).
//!
//! The pipeline authenticates the client, checks that it registered the grant, and mints; a grant only decides what is granted and for
//! whom, so that none can forget the rest. Tokens are minted after the grant's commit.

mod authorization_code;
mod backchannel;
mod client_credentials;
mod device_code;
mod issued;
mod jwt_bearer;
mod pipeline;
mod refresh_token;
mod refusal;
mod token_exchange;

pub use backchannel::PushRefusal;
pub use jwt_bearer::BearerRefusal;
pub use pipeline::TokenAnswer;
pub(in crate::flows) use pipeline::refuse_proof;
pub use refusal::{GrantRefusal, TokenRefusal};
pub use token_exchange::{ExchangeRefusal, Side};
