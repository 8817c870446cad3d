//! The consent page.

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::authorize::{Pending, proceed, take_up, take_up_answered};
use super::render::{Person, allow_form_action};
use super::views::{Consent as ConsentPage, ResourceItem, ScopeItem};
use super::visit::Visit;
use crate::domain::consent::Permissions;
use crate::domain::resource::Resource;
use crate::flows::authorize::{PushedRefusal, Step};
use crate::flows::browser::FormPurpose;
use crate::flows::consent::Decided;
use crate::flows::scopes::{OF_PERSONS, admin_api, find_type};
use crate::flows::sessions::SignedIn;
use crate::http::error::{PageError, redirect};
use crate::http::extract::{FormBody, Query};
use crate::protocol::authorization_details::AuthorizationDetails;
use crate::protocol::{OAuthError, Scope};

/// The tenant's words for a scope-token that stands under no API's heading: those of the APIs that know it, where they say the same.
fn words_of<'a>(resources: &'a [Resource], token: &str) -> &'a str {
    let mut known = resources
        .iter()
        .filter(|resource| resource.understands(token))
        .map(|resource| resource.words_of(token));
    match known.next() {
        Some(first) if known.all(|words| words == first) => first,
        _ => "",
    }
}

/// What somebody was allowed, each token in the words of the API at which it counts; what reads the same stands there once.
pub fn allowed_items<'a>(
    resources: &'a [Resource],
    allowed: &'a Permissions,
) -> Vec<ScopeItem<'a>> {
    let items = allowed.by_resource().flat_map(|(at, scope)| {
        let mut known = resources.iter();
        let api = at.map(|at| known.find(|resource| resource.identifier == at));
        scope.iter().map(move |name| ScopeItem {
            name,
            description: match api {
                Some(api) => api.map_or("", |api| api.words_of(name)),
                None => words_of(resources, name),
            },
        })
    });
    let mut seen = BTreeSet::new();
    items
        .filter(|item| seen.insert((item.name, item.description)))
        .collect()
}

/// The scope by the APIs that it belongs to, and what belongs to none.
fn by_resource<'a>(
    known: &'a [Resource],
    scope: &'a Scope,
    named: &[&'a str],
    admin_api: &'a str,
) -> (Vec<ScopeItem<'a>>, Vec<ResourceItem<'a>>) {
    let at =
        |resource: &Resource| named.is_empty() || named.contains(&resource.identifier.as_str());
    let mut resources: Vec<_> = known
        .iter()
        .filter(|resource| at(resource))
        .map(|resource| ResourceItem {
            name: &resource.name,
            identifier: &resource.identifier,
            scopes: scope
                .iter()
                .filter(|token| resource.understands(token))
                .map(|name| ScopeItem {
                    name,
                    description: resource.words_of(name),
                })
                .collect(),
            details: Vec::new(),
        })
        .filter(|resource| !resource.scopes.is_empty() || named.contains(&resource.identifier))
        .collect();
    let listed = |token: &str| {
        !OF_PERSONS.contains(&token)
            && known
                .iter()
                .any(|resource| at(resource) && resource.understands(token))
    };
    let scopes: Vec<_> = scope
        .iter()
        .filter(|token| !listed(token))
        .map(|name| ScopeItem {
            name,
            description: words_of(known, name),
        })
        .collect();
    if named.contains(&admin_api) {
        resources.push(ResourceItem {
            name: admin_api,
            identifier: admin_api,
            scopes: Vec::new(),
            details: Vec::new(),
        });
    }
    (scopes, resources)
}

/// What is asked for in objects, each in words at the API that it is for.
fn add_details<'a>(
    resources: &mut Vec<ResourceItem<'a>>,
    known: &'a [Resource],
    details: &AuthorizationDetails,
    lang: &str,
) {
    for detail in details.iter() {
        // A request whose types aren't known isn't asked about: see `flows::scopes`.
        let Some((owner, kind)) = find_type(known, detail) else {
            continue;
        };
        let words = kind.in_words(detail, [lang]);
        let item = resources
            .iter_mut()
            .find(|item| item.identifier == owner.identifier);
        match item {
            Some(item) => item.details.push(words),
            None => resources.push(ResourceItem {
                name: &owner.name,
                identifier: &owner.identifier,
                scopes: Vec::new(),
                details: vec![words],
            }),
        }
    }
}

/// What is asked for, in the terms of the flows.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) scope: &'a Scope,
    pub(super) permissions: &'a Permissions,
    pub(super) details: &'a AuthorizationDetails,
}

/// What is asked for, as a person reads it: what belongs to no API, and the rest by the API that it belongs to.
pub(super) fn in_words<'a>(
    visit: &'a Visit,
    asked: Asked<'a>,
    admin_api: &'a str,
    lang: &str,
) -> (Vec<ScopeItem<'a>>, Vec<ResourceItem<'a>>) {
    let known = &visit.tenant().resources;
    let named: Vec<_> = asked.permissions.resources().collect();
    let (scopes, mut resources) = by_resource(known, asked.scope, &named, admin_api);
    add_details(&mut resources, known, asked.details, lang);
    (scopes, resources)
}

/// A form with a decision that is none.
pub(super) fn unclear(visit: &Visit) -> PageError {
    visit.refuse(OAuthError::invalid_request(
        "decision must be allow or deny",
    ))
}

fn page(visit: &Visit, pending: &Pending, person: &SignedIn, text: &str) -> HttpResponse {
    let checked = &pending.checked;
    let frame = visit.frame(&checked.request.ui_locales);
    let (client_id, account) = (checked.client.id.to_string(), Person::of(&person.user));
    let admin_api = admin_api(&visit.provider);
    // With what single claims stand for.
    let scope = checked.scope.union(&checked.permissions.scope());
    let asked = Asked {
        scope: &scope,
        permissions: &checked.permissions,
        details: &checked.request.authorization_details,
    };
    let lang = frame.page().messages.lang();
    let (scopes, resources) = in_words(visit, asked, &admin_api, lang);
    let destination = checked.redirect.destination();
    let form = visit.form("/consent", FormPurpose::Consent);
    let hidden = [("flow", text)];
    let view = ConsentPage {
        page: frame.page(),
        form: form.with(&hidden),
        client: frame.client(&checked.client, &client_id),
        account: account.account(),
        elsewhere: Some(&visit.address("/login", &[("flow", text), ("elsewhere", "1")])),
        scopes,
        resources,
        destination: &destination,
        problem: None,
    };
    let mut response = visit.show_form(StatusCode::OK, &view);
    allow_form_action(&mut response, &checked.redirect.csp_source());
    response
}

/// `GET /consent`.
pub async fn get(visit: Visit, Query(params): Query) -> Result<HttpResponse, PageError> {
    let text = visit.parameter(&params, "flow")?;
    let pending = take_up(&visit, text).await?;
    match pending.flow(&visit).next(None, visit.provider.now()) {
        Step::Consent(person) if pending.interaction.selected.is_some() => {
            Ok(page(&visit, &pending, person, text))
        }
        _ => proceed(&visit, &pending).await,
    }
}

/// `POST /consent`.
pub async fn post(visit: Visit, FormBody(params): FormBody) -> Result<HttpResponse, PageError> {
    let form = visit.check(FormPurpose::Consent, params)?;
    let pending = take_up_answered(&visit, form.input("flow")).await?;
    let decided = visit
        .provider
        .decide(&pending.flow(&visit), &form, &visit.caller.origin)
        .await;
    match decided.map_err(|error| visit.fail(error))? {
        Decided::Granted(response) => {
            let response = redirect(response, &visit.at, &visit.caller);
            Ok(pending.answer(&visit, response))
        }
        Decided::Refused(error) => {
            let response = pending.refuse(&visit, error).await?;
            Ok(pending.answer(&visit, response))
        }
        Decided::NotYet => proceed(&visit, &pending).await,
        Decided::Spent => Err(visit.refuse(PushedRefusal::Spent)),
        Decided::Unclear => Err(unclear(&visit)),
    }
}
