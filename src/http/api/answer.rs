//! What a handler answers, and why it refuses: problems as RFC 9457 wants them, with the field at fault.

use actix_web::HttpResponse;
use schemars::JsonSchema;
use serde::Serialize;

use crate::flows::access::AccessRefusal;
use crate::flows::admin::{AdminError, DoorError};
use crate::flows::dpop::DpopRefusal;
use crate::flows::provider::FlowError;
use crate::http::body::Unread;
use crate::protocol::OAuthError;
use crate::protocol::bearer::{BearerChallenge, Scheme};
use crate::protocol::dpop::DpopChallenge;
use crate::protocol::step_up::{Demand, StepUpChallenge};

/// What a handler gives back.
pub type Answer = Result<HttpResponse, Refusal>;

/// Something that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "FieldError")]
pub struct Fault {
    /// The field, as a JSON pointer (RFC 6901) into the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The parameter of the query or of the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<&'static str>,
    /// The header field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<&'static str>,
    /// What is wrong with it.
    pub detail: String,
}

/// Why a request wasn't done (RFC 9457).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Problem {
    /// Where the kind of problem is explained.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in a few words.
    pub title: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// What happened, and what to do.
    pub detail: String,
    /// The kind, for programs.
    pub code: &'static str,
    /// The request, as the server's log names it.
    pub request_id: String,
    /// The fields at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
}

/// Why a request is refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// The kind, one of [`KINDS`].
    pub code: &'static str,
    /// What happened, and what to do.
    pub detail: String,
    /// The field at fault.
    pub faults: Vec<Fault>,
    /// `WWW-Authenticate`, one after the other.
    pub challenges: Vec<String>,
    /// `DPoP-Nonce`.
    pub nonce: Option<String>,
}

/// Every kind of problem: code, status, title, and what to do.
pub const KINDS: [(&str, u16, &str, &str); 19] = [
    (
        "malformed_request",
        400,
        "Malformed request",
        "The request can't be read: its JSON, its query or one of its header fields.",
    ),
    (
        "invalid_token",
        401,
        "No valid access token",
        "Send `Authorization: Bearer …` with a token whose `aud` is this API and whose scope holds `tessera:admin`; one that is bound to a key as `Authorization: DPoP …`, with a fresh proof.",
    ),
    (
        "insufficient_user_authentication",
        401,
        "The sign-in is too old",
        "The tenant wants its administrators to have signed in lately when they change something: have the person sign in again, with `max_age` as the challenge says it, and repeat the request with the new token.",
    ),
    (
        "forbidden",
        403,
        "Not allowed",
        "The token is good, but whoever it speaks for may not do this.",
    ),
    (
        "not_found",
        404,
        "Not found",
        "There is no such thing, or none that the token may know of.",
    ),
    (
        "method_not_allowed",
        405,
        "Method not allowed",
        "The address answers other methods; `Allow` names them.",
    ),
    (
        "already_exists",
        409,
        "Exists already",
        "Something with this name is there; change it or choose another name.",
    ),
    (
        "refused",
        409,
        "Refused",
        "It can't be done as things stand; the detail says why.",
    ),
    (
        "idempotency_key_used",
        409,
        "Idempotency key used",
        "The key belongs to another request; use a new one for every creation.",
    ),
    (
        "changed_meanwhile",
        412,
        "Changed meanwhile",
        "Somebody changed it since it was read: read it again and repeat the change.",
    ),
    (
        "request_too_large",
        413,
        "Too large",
        "The body is larger than this installation takes.",
    ),
    (
        "unsupported_media_type",
        415,
        "Unsupported media type",
        "Bodies are `application/json`, for PATCH `application/merge-patch+json` too, and are sent without `Content-Encoding`.",
    ),
    (
        "invalid_value",
        422,
        "A value isn't acceptable",
        "`errors` names the field and says what it may hold.",
    ),
    (
        "unacceptable_password",
        422,
        "The password isn't acceptable",
        "The tenant's policy refuses it; the detail says why.",
    ),
    (
        "version_required",
        428,
        "Version required",
        "Send `If-Match` with the `ETag` that came with what you change.",
    ),
    (
        "tenant_suspended",
        403,
        "Tenant suspended",
        "The token's tenant is suspended.",
    ),
    (
        "server_error",
        500,
        "Server error",
        "The fault is ours; the log has it under the request's id.",
    ),
    (
        "temporarily_unavailable",
        503,
        "Temporarily unavailable",
        "Try again shortly.",
    ),
    (
        "timeout",
        408,
        "Timeout",
        "The body took too long to arrive.",
    ),
];

impl Refusal {
    /// Of one of [`KINDS`].
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        let status = KINDS
            .iter()
            .find(|kind| kind.0 == code)
            .map_or(500, |kind| kind.1);
        Self {
            status,
            code,
            detail: detail.into(),
            faults: Vec::new(),
            challenges: Vec::new(),
            nonce: None,
        }
    }

    /// Names the field at fault by its JSON pointer.
    #[must_use]
    pub fn at(mut self, pointer: String) -> Self {
        let detail = self.detail.clone();
        self.faults.push(Fault {
            pointer: Some(pointer),
            parameter: None,
            header: None,
            detail,
        });
        self
    }

    /// A parameter can't be used.
    pub fn parameter(name: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let mut refusal = Self::new("malformed_request", format!("{name}: {detail}"));
        refusal.faults.push(Fault {
            pointer: None,
            parameter: Some(name),
            header: None,
            detail,
        });
        refusal
    }

    /// A header field can't be used, or is missing.
    pub fn header(code: &'static str, name: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let mut refusal = Self::new(code, format!("{name}: {detail}"));
        refusal.faults.push(Fault {
            pointer: None,
            parameter: None,
            header: Some(name),
            detail,
        });
        refusal
    }

    /// There is no such thing, or none that may be known of: one answer for both.
    pub fn not_found() -> Self {
        Self::new("not_found", "there is nothing of this name here")
    }

    /// No token, or none that is good; what is wrong is said in the scheme by which it was presented.
    pub fn unauthorized(error: Option<&OAuthError>, scheme: Scheme, root: &str) -> Self {
        let of_bearer = BearerChallenge {
            realm: root,
            error,
            scope: None,
        };
        let of_dpop = DpopChallenge {
            realm: root,
            error: error.filter(|_| scheme == Scheme::Dpop),
        };
        let challenges = match scheme {
            Scheme::Bearer => vec![of_bearer.to_string(), of_dpop.to_string()],
            Scheme::Dpop => vec![of_dpop.to_string()],
        };
        let detail = error.map_or(
            "the request has no access token: send `Authorization: Bearer …`",
            OAuthError::description,
        );
        Self {
            challenges,
            ..Self::new("invalid_token", detail)
        }
    }

    /// The sign-in behind the token isn't enough for a change (RFC 9470 §3).
    pub fn step_up(demand: Demand, scheme: Scheme, root: &str) -> Self {
        let challenge = StepUpChallenge {
            scheme,
            realm: root,
            demand,
        };
        Self {
            challenges: vec![challenge.to_string()],
            ..Self::new(
                "insufficient_user_authentication",
                demand.error().description(),
            )
        }
    }

    /// What a client reads.
    pub fn problem(&self, root: &str, request_id: &str) -> Problem {
        let title = KINDS
            .iter()
            .find(|kind| kind.0 == self.code)
            .map_or("Server error", |kind| kind.2);
        Problem {
            kind: format!("{root}/api/docs#problem-{}", self.code),
            title,
            status: self.status,
            detail: self.detail.clone(),
            code: self.code,
            request_id: request_id.to_owned(),
            errors: self.faults.clone(),
        }
    }

    /// From whoever stands at the door.
    pub fn door(error: DoorError, scheme: Scheme, root: &str) -> Self {
        match error {
            DoorError::Access(AccessRefusal::Failed(error)) => error.into(),
            DoorError::Access(AccessRefusal::Suspended) => {
                Self::new("tenant_suspended", "the token's tenant is suspended")
            }
            DoorError::Access(refusal) => {
                let nonce = match &refusal {
                    AccessRefusal::Dpop(DpopRefusal::Nonce(nonce)) => Some(nonce.clone()),
                    _ => None,
                };
                Self {
                    nonce,
                    ..Self::unauthorized(Some(&OAuthError::from(refusal)), scheme, root)
                }
            }
            DoorError::Audience => Self::unauthorized(
                Some(&OAuthError::invalid_token(
                    "the token is not for the administration API: ask for one with `resource` set to it",
                )),
                scheme,
                root,
            ),
            DoorError::Admin(error) => error.into(),
        }
    }
}

impl From<FlowError> for Refusal {
    fn from(error: FlowError) -> Self {
        if error.is_transient() {
            tracing::warn!(%error, "can't answer now");
        } else {
            tracing::error!(%error, "a request failed");
        }
        let error = OAuthError::from(error);
        if error.status() == 503 {
            Self::new(
                "temporarily_unavailable",
                "the server can't answer now; try again shortly",
            )
        } else {
            Self::new(
                "server_error",
                "the fault is ours; the log has it under the request's id",
            )
        }
    }
}

impl From<Unread> for Refusal {
    fn from(unread: Unread) -> Self {
        let code = match unread {
            Unread::Packed => {
                return Self::header(
                    "unsupported_media_type",
                    "Content-Encoding",
                    "must be left out: a body is sent as it is",
                );
            }
            Unread::TooLarge(_) => "request_too_large",
            Unread::TooSlow => "timeout",
            Unread::Broken => "malformed_request",
            Unread::NotReady => "server_error",
        };
        Self::new(code, unread.to_string())
    }
}

/// A field's name as the flows have it, `password.minimum_length`, as a pointer.
fn pointer(field: &str) -> String {
    format!(
        "/{}",
        field
            .replace('~', "~0")
            .replace('/', "~1")
            .replace('.', "/")
    )
}

impl From<AdminError> for Refusal {
    fn from(error: AdminError) -> Self {
        let code = error.code();
        match error {
            AdminError::Failed(error) => error.into(),
            // The commands that its text names are for a shell.
            AdminError::NotFound { .. } => Self::not_found(),
            AdminError::Invalid { field, reason } => Self::new(code, reason).at(pointer(&field)),
            AdminError::Password(problem) => {
                Self::new(code, problem.to_string()).at("/password".to_owned())
            }
            other => Self::new(code, other.to_string()),
        }
    }
}

impl From<crate::storage::StorageError> for Refusal {
    fn from(error: crate::storage::StorageError) -> Self {
        AdminError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_once_and_flows_know_no_other() {
        let mut codes: Vec<_> = KINDS.iter().map(|kind| kind.0).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), KINDS.len());
        for error in [
            AdminError::Stale("tenant"),
            AdminError::Repeated,
            AdminError::Refused(String::new()),
            AdminError::Forbidden(String::new()),
        ] {
            let refusal = Refusal::from(error);
            assert!(
                KINDS
                    .iter()
                    .any(|kind| (kind.0, kind.1) == (refusal.code, refusal.status)),
                "{refusal:?}"
            );
        }
    }

    #[test]
    fn a_field_is_named_by_its_pointer() {
        let refusal = Refusal::from(AdminError::Invalid {
            field: "password.minimum_length".into(),
            reason: "too small".into(),
        });
        assert_eq!(refusal.status, 422);
        assert_eq!(
            refusal.faults[0].pointer.as_deref(),
            Some("/password/minimum_length")
        );
        assert_eq!(pointer("client_name#de"), "/client_name#de");
        assert_eq!(pointer("a/b~c"), "/a~1b~0c");
    }
}
