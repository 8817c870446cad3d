//! Consent: what an application will be able to do, in words.

use askama::Template;

use super::parts::{Account, ClientMark, Form, Page, Problem};
use crate::protocol::authorization_details::Words;

/// A scope to be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeItem<'a> {
    /// As requested: `email`, `orders:read`.
    pub name: &'a str,
    /// The tenant's own words; empty for the scopes of OpenID Connect, which every language describes.
    pub description: &'a str,
}

impl ScopeItem<'_> {
    fn standard(&self) -> Option<&'static str> {
        Some(match self.name {
            "openid" => "scope-openid",
            "profile" => "scope-profile",
            "email" => "scope-email",
            "address" => "scope-address",
            "phone" => "scope-phone",
            "offline_access" => "scope-offline-access",
            "device_sso" => "scope-device-sso",
            _ => return None,
        })
    }

    /// What it allows: the tenant's words, ours for a standard scope, or else its name.
    pub(super) fn title(&self, page: &Page<'_>) -> String {
        match (self.description, self.standard()) {
            ("", Some(id)) => page.t(id).into_owned(),
            ("", None) => self.name.to_owned(),
            (words, _) => words.to_owned(),
        }
    }

    /// The name, where the title isn't it already and says more to a developer than to nobody.
    pub(super) fn code(&self) -> Option<&str> {
        (!self.description.is_empty()).then_some(self.name)
    }
}

/// An API and the scopes that are asked for it.
#[derive(Clone, Debug)]
pub struct ResourceItem<'a> {
    /// Name or description; the identifier where there is none.
    pub name: &'a str,
    /// Identifier URI.
    pub identifier: &'a str,
    /// Its scopes.
    pub scopes: Vec<ScopeItem<'a>>,
    /// What is asked for there in detail (RFC 9396), in words.
    pub details: Vec<Words>,
}

/// The consent page: ids `allow`, `deny`.
#[derive(Clone, Debug, Template)]
#[template(path = "consent.html")]
pub struct Consent<'a> {
    /// The page around it.
    pub page: Page<'a>,
    /// Where the decision goes.
    pub form: Form<'a>,
    /// Who asks.
    pub client: ClientMark<'a>,
    /// Who decides.
    pub account: Account<'a>,
    /// Where "use another account" leads; `None` where that makes no sense.
    pub elsewhere: Option<&'a str>,
    /// Scopes that belong to no API: those of OpenID Connect, and the tenant's own.
    pub scopes: Vec<ScopeItem<'a>>,
    /// APIs and their scopes.
    pub resources: Vec<ResourceItem<'a>>,
    /// Where the person is sent afterwards (`orders.example.com`, or a private-use scheme); empty where nobody is sent anywhere.
    pub destination: &'a str,
    /// What is wrong.
    pub problem: Option<Problem>,
}
