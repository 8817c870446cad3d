//! What somebody typed, where their form can't be taken: their session is over, their sign-in too old, or they signed in anew since.
//!
//! The answer is the form once more, on a page that says why. Nothing is kept here: what was typed lies in that page's hidden fields, and it is
//! acted on only once its person, signed in, presses the page's button, with the token of their present session. Which forms may come back so
//! is decided as for any other form: one of our own pages sent it, from our origin, in this browser, by a token that names session and person
//! ([`CheckedForm::find_owner`](crate::flows::browser::CheckedForm::find_owner)). Anything else gets the plain refusal and none of its own
//! words. A password is never shown or carried on; the page asks for it again.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;

use super::entry::{SIGNED_IN, sign_in_again_path};
use crate::flows::browser::{FormOwner, FormPurpose};
use crate::flows::console::PATH;
use crate::http::error::ApiError;
use crate::http::pages::views::Page;
use crate::http::pages::visit::Visit;
use crate::protocol::Params;

/// Fields of the console's forms that hold secrets; [`Field::new`](super::parts::Field::new) takes no others.
pub const SECRETS: [&str; 1] = ["password"];

/// Names a secret that was there when the form was first sent.
const RETYPE: &str = "retype";

/// Fields that nobody types.
const OURS: [&str; 4] = ["csrf", "version", "form", RETYPE];

/// Says that somebody saw what an act leads to. It isn't carried on, so that they are asked again.
const CONFIRMED: &str = "confirmed";

/// Why a form can't be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nobody is signed in.
    Ended,
    /// Its person has to sign in again before they change anything.
    OldSignIn(FormOwner),
    /// It was begun in another session of the person who is here.
    OtherSession(FormOwner),
}

impl Reason {
    /// `data-error` on `<body>`, and a part of the messages' names.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::OldSignIn(_) => "old-sign-in",
            Self::OtherSession(_) => "other-session",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Ended | Self::OldSignIn(_) => StatusCode::UNAUTHORIZED,
            Self::OtherSession(_) => StatusCode::FORBIDDEN,
        }
    }

    const fn present(self) -> Option<FormOwner> {
        match self {
            Self::Ended => None,
            Self::OldSignIn(present) | Self::OtherSession(present) => Some(present),
        }
    }
}

/// A form once more.
#[derive(Template)]
#[template(path = "console/kept.html")]
pub struct Kept<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Why.
    pub kind: &'static str,
    /// Where it is sent.
    pub action: &'a str,
    /// Its token.
    pub csrf: &'a str,
    /// What it holds, in its order.
    pub fields: Vec<(&'a str, &'a str)>,
    /// The secrets that it held.
    pub retype: Vec<&'static str>,
    /// Where to sign in first.
    pub sign_in: Option<&'a str>,
    /// For whoever doesn't want it any more.
    pub console: &'a str,
}

impl Kept<'_> {
    /// The message at the top.
    pub fn title(&self) -> String {
        // The first two are those of the page without a form.
        let of = if self.sign_in.is_some() {
            "outside"
        } else {
            "kept"
        };
        format!("{of}-{}", self.kind)
    }

    /// The message below it.
    pub fn advice(&self) -> String {
        format!("kept-{}-lede", self.kind)
    }

    /// What was typed or chosen: not what the form had from us.
    pub fn typed(&self) -> impl Iterator<Item = &(&str, &str)> {
        let ours = |name: &str| OURS.contains(&name);
        self.fields
            .iter()
            .filter(move |(name, value)| !ours(name) && !value.is_empty())
    }
}

/// Whether a form can't be acted on as it is, though its person is here: it was begun in another session, or lacks a secret that it had.
pub fn is_unfinished(visit: &Visit, params: &Params, present: FormOwner) -> bool {
    visit.find_owner(params).is_some_and(|owner| {
        owner.person == present.person
            && (owner.session != present.session || params.contains(RETYPE))
    })
}

/// The form once more; none where there is nothing in it to lose, or where it is no form of this browser and this person.
pub fn offer(
    visit: &Visit,
    sent: Option<Result<Params, ApiError>>,
    reason: &Reason,
) -> Option<HttpResponse> {
    let params = sent?.ok()?;
    let owner = visit.find_owner(&params)?;
    let present = reason.present();
    if present.is_some_and(|present| present.person != owner.person) {
        return None;
    }
    let retype: Vec<_> = SECRETS
        .into_iter()
        .filter(|name| {
            params.get_all(name).next().is_some()
                || params.get_all(RETYPE).any(|asked| asked == *name)
        })
        .collect();
    let fields = params
        .iter()
        .filter(|(name, _)| !SECRETS.contains(name) && !["csrf", RETYPE, CONFIRMED].contains(name));
    // While nobody is signed in there is no other token than that of the session that is over: it proves whose the form is, and no more.
    let fresh = present.map(|present| visit.token(FormPurpose::Console(present)));
    let csrf = fresh
        .as_deref()
        .or_else(|| params.get("csrf").ok().flatten())?;
    let sign_in = match reason {
        Reason::Ended => Some(visit.address(SIGNED_IN, &[])),
        Reason::OldSignIn(_) => Some(sign_in_again_path(visit, SIGNED_IN)),
        Reason::OtherSession(_) => None,
    };
    let frame = visit.frame(&[]);
    let view = Kept {
        page: frame.page(),
        kind: reason.code(),
        action: &visit.here(),
        csrf,
        fields: fields.collect(),
        retype,
        sign_in: sign_in.as_deref(),
        console: &visit.address(PATH, &[]),
    };
    if view.typed().next().is_none() && view.retype.is_empty() {
        return None;
    }
    tracing::info!(reason = reason.code(), "a form is given back to its sender");
    Some(visit.show_form(reason.status(), &view))
}
