//! One struct per page. A view borrows plain strings and small structs only; a handler fills it and calls `render()`
//! ([`askama::Template`]). Addresses in views are given by the handler, but those below a page's own issuer
//! (`/account` and what lies under it), which [`Page::base`] leads to.
//!
//! Names of the inputs that forms send:
//!
//! | view | inputs |
//! | --- | --- |
//! | every form | `csrf`, and those of [`Form::hidden`] |
//! | [`SignIn`] | `username`, `password` |
//! | [`SelectAccount`] | `account`: [`AccountChoice::value`] |
//! | [`Consent`] | `decision`: `allow` or `deny` |
//! | [`EnterCode`] | `user_code` |
//! | [`ConnectDevice`] | `decision`: `allow` or `deny` |
//! | [`AnswerRequest`] | `decision`: `allow` or `deny` |
//! | [`SignOut`] | `logout`: `1` |
//! | [`ChoosePassword`] | `new_password`, `confirm_password` |
//! | [`AccountPassword`] | `current_password`, `new_password`, `confirm_password`, `end_others`: `1` or absent |
//! | [`AccountSessions`] | `end`: [`SessionItem::id`], or `end_others`: `1` |
//! | [`AccountApplications`] | `withdraw`: [`ApplicationItem::id`] |

mod account;
mod consent;
mod device;
mod error;
mod form_post;
mod home;
mod parts;
mod password;
mod requests;
mod sign_in;
mod sign_out;

pub use account::{
    AccountApplications, AccountHome, AccountPassword, AccountSessions, ApplicationItem,
    DetailItem, OwnApplication, ProfileEntry, SessionItem,
};
pub use consent::{Consent, ResourceItem, ScopeItem};
pub use device::{ConnectDevice, DeviceDone, EnterCode};
pub use error::{ErrorPage, Onward, Way};
pub use form_post::FormPost;
pub use home::{Landing, TenantHome};
pub use parts::{
    Account, ClientMark, Form, Notice, Page, PasswordRules, Problem, TenantMark, WebLink,
};
pub use password::{ChoosePassword, LinkSpent};
pub use requests::{AccountRequests, AnswerRequest, RequestAnswered, RequestItem};
pub use sign_in::{AccountChoice, SelectAccount, SignIn, Who};
pub use sign_out::{SignOut, SignedOut};
