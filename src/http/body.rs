//! Reading a body: as it was sent, within the limits of size and time, by the same rules wherever one is taken. Each surface says in its own
//! form why one wasn't read.

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_ENCODING;
use actix_web::{HttpRequest, web};
use futures_util::StreamExt as _;

use crate::flows::Provider;
use crate::protocol::{ErrorCode, OAuthError};

/// Why a body isn't read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It is packed.
    #[error("the body must be sent as it is, without Content-Encoding")]
    Packed,
    /// It has more bytes than `request_body_limit`.
    #[error("the body is too large: it may have {0} bytes")]
    TooLarge(usize),
    /// It wasn't complete within `body_timeout`.
    #[error("the body took too long to arrive")]
    TooSlow,
    /// Whoever sent it broke off.
    #[error("the body ended early")]
    Broken,
    /// The server doesn't know its limits yet.
    #[error("the server isn't ready")]
    NotReady,
}

impl From<Unread> for OAuthError {
    fn from(unread: Unread) -> Self {
        let code = match unread {
            Unread::Packed => ErrorCode::UnsupportedMediaType,
            Unread::TooLarge(_) => ErrorCode::RequestTooLarge,
            Unread::TooSlow => ErrorCode::RequestTimeout,
            Unread::Broken => ErrorCode::InvalidRequest,
            Unread::NotReady => ErrorCode::ServerError,
        };
        Self::new(code, unread.to_string())
    }
}

/// Reads a body to its end.
pub async fn read(request: &HttpRequest, mut payload: Payload) -> Result<Vec<u8>, Unread> {
    if is_packed(request) {
        return Err(Unread::Packed);
    }
    let provider = request.app_data::<web::Data<Provider>>();
    let config = &provider.ok_or(Unread::NotReady)?.config;
    let most = config.request_body_limit.as_usize();
    let whole = async {
        let mut body = Vec::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Unread::Broken)?;
            if body.len() + chunk.len() > most {
                return Err(Unread::TooLarge(most));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    tokio::time::timeout(config.body_timeout, whole)
        .await
        .unwrap_or(Err(Unread::TooSlow))
}

/// Nothing is unpacked here: what a few bytes may become has no bound.
pub fn is_packed(request: &HttpRequest) -> bool {
    request
        .headers()
        .get_all(CONTENT_ENCODING)
        .any(|coding| !coding.is_empty() && !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}
