//! What can go wrong, as a page that says so.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, ResponseError};
use askama::Template as _;

use super::verify::TokenProblem;
use super::views;

#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("There is no such page here.")]
    NotFound,
    #[error("Your session here has ended. Sign in again.")]
    NoSession,
    #[error("This form was made for another session. Go back, reload the page and try again.")]
    ForeignForm,
    #[error(
        "This answer belongs to no sign-in that this browser began here, or to one that is already done."
    )]
    UnknownState,
    #[error("The answer names another issuer than the one that was asked.")]
    WrongIssuer,
    #[error("The sign-in was refused: {}", refusal(.error, .description))]
    Refused { error: String, description: String },
    #[error("The issuer {issuer} can't be reached: {reason}")]
    Unreachable { issuer: String, reason: String },
    #[error("The ID token isn't good: {0}")]
    IdToken(#[from] TokenProblem),
}

fn refusal(error: &str, description: &str) -> String {
    if description.is_empty() {
        error.to_owned()
    } else {
        format!("{description} ({error})")
    }
}

impl Problem {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::NoSession => "no_session",
            Self::ForeignForm => "foreign_form",
            Self::UnknownState => "unknown_state",
            Self::WrongIssuer => "wrong_issuer",
            Self::Refused { .. } => "refused",
            Self::Unreachable { .. } => "issuer_unreachable",
            Self::IdToken(_) => "id_token",
        }
    }

    pub(super) fn page(&self) -> HttpResponse {
        self.error_response()
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::ForeignForm => StatusCode::FORBIDDEN,
            Self::Unreachable { .. } => StatusCode::BAD_GATEWAY,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let page = views::Problem {
            code: self.code(),
            text: self.to_string(),
        };
        HttpResponse::build(self.status_code())
            .insert_header(ContentType::html())
            .body(
                page.render()
                    .unwrap_or_else(|_: askama::Error| fmt::format(format_args!("{self}"))),
            )
    }
}
