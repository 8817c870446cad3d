//! Why a page of the console isn't shown, as a page.

use actix_web::http::StatusCode;
use askama::Template;

use super::layout::Shell;
use crate::flows::admin::AdminError;

/// Kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// One may not.
    Forbidden,
    /// It isn't there.
    NotFound,
    /// A value isn't in order, and the form wasn't shown again.
    Invalid,
    /// Somebody else changed it first.
    Stale,
    /// It makes no sense now, or never.
    Refused,
    /// The form is another session's, or came from elsewhere.
    Form,
}

impl FaultKind {
    /// What an error of administration is.
    pub fn of(error: &AdminError) -> Self {
        match error {
            AdminError::Forbidden(_) => Self::Forbidden,
            AdminError::NotFound { .. } => Self::NotFound,
            AdminError::Stale(_) => Self::Stale,
            AdminError::Invalid { .. } | AdminError::Password(_) => Self::Invalid,
            _ => Self::Refused,
        }
    }

    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Forbidden | Self::Form => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Stale | Self::Refused => StatusCode::CONFLICT,
        }
    }

    /// `data-error` on `<body>`, and a part of the messages' names.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::Invalid => "invalid",
            Self::Stale => "stale",
            Self::Refused => "refused",
            Self::Form => "form",
        }
    }

    /// The page.
    pub fn view<'a>(self, page: Shell<'a>, detail: &'a str, request_id: &'a str) -> FaultPage<'a> {
        FaultPage {
            title: page.t(&format!("fault-{}", self.code())).into_owned(),
            advice: page.t(&format!("advice-{}", self.code())).into_owned(),
            code: self.code(),
            page,
            detail,
            request_id,
        }
    }
}

/// An error page of the console.
#[derive(Template)]
#[template(path = "console/fault.html")]
pub struct FaultPage<'a> {
    /// The page around it.
    pub page: Shell<'a>,
    /// What is wrong.
    pub title: String,
    /// What to do.
    pub advice: String,
    /// The kind.
    pub code: &'static str,
    /// What the flow said.
    pub detail: &'a str,
    /// For whoever looks into the log.
    pub request_id: &'a str,
}
