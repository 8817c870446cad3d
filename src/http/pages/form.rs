//! The form of one of our own pages. What no page of ours sends, a password of a mebibyte say, is a wrong request (400) that is told on
//! a page; it isn't read to its end, and nothing of it is looked at. One that didn't arrive in time (408) is told on a page as well.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::visit::Visit;
use crate::http::error::{ApiError, PageError};
use crate::http::extract::FormBody;
use crate::jose::passwords::MAX_PASSWORD;
use crate::protocol::{ErrorCode, OAuthError, Params};

/// The parameters, or why there are none.
pub struct PageForm(Result<Params, OAuthError>);

impl FromRequest for PageForm {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = FormBody::from_request(request, payload);
        Box::pin(async move {
            match body.await {
                Ok(FormBody(params)) => Ok(Self(Ok(params))),
                Err(error) if error.error().code == ErrorCode::RequestTooLarge => {
                    Ok(Self(Err(OAuthError::invalid_request(format!(
                        "the form is too large to be read; a password may have {MAX_PASSWORD} bytes"
                    )))))
                }
                Err(error) if error.error().code == ErrorCode::RequestTimeout => {
                    Ok(Self(Err(error.error().clone())))
                }
                Err(error) => Err(error),
            }
        })
    }
}

impl PageForm {
    /// The parameters; an error page where the form was too large or too slow.
    pub fn read(self, visit: &Visit) -> Result<Params, PageError> {
        self.0.map_err(|error| visit.refuse(error))
    }
}
