//! The token endpoint: one pipeline, and one file for each grant (RFC 6749 §4.1.3, §4.4.2, §6, RFC 7523 §2.1, RFC 8628 §3.4, RFC 8693, OpenID
//! Connect CIBA §10.1, Native SSO §4).
//!
//! The pipeline authenticates the client, checks that it registered the grant, and mints; a grant only decides what is granted and for
//! whom, so that none can forget the rest. Tokens are minted after the grant's commit.

mod authorization_code;
mod awaited;
mod backchannel;
mod client_credentials;
mod device_code;
mod device_secret;
mod exchange_refusal;
mod issued;
mod jwt_bearer;
mod native_sso;
mod pipeline;
mod refresh_token;
mod refusal;
mod token_exchange;
mod vouched;

pub use backchannel::PushRefusal;
pub use exchange_refusal::{ExchangeRefusal, Side};
pub(in crate::flows) use issued::may_refresh;
pub use jwt_bearer::BearerRefusal;
pub use native_sso::NativeSsoRefusal;
pub use pipeline::TokenAnswer;
pub(in crate::flows) use pipeline::refuse_proof;
pub use refusal::{GrantRefusal, TokenRefusal};
