//! `/account/applications`: what the person allowed whom, and taking it back.

use actix_web::HttpResponse;

use super::{ListSaid, after, notice, owner, requests_of};
use crate::domain::client::Client;
use crate::domain::resource::Resource;
use crate::flows::account::{Allowed, start_address};
use crate::flows::browser::FormPurpose;
use crate::flows::scopes::find_type;
use crate::flows::sessions::SignedIn;
use crate::http::error::PageError;
use crate::http::extract::{FormBody, Query};
use crate::http::pages::consent::allowed_items;
use crate::http::pages::render::Person;
use crate::http::pages::views::{
    AccountApplications, ApplicationItem, DetailItem, Notice, OwnApplication, Problem, WebLink,
};
use crate::http::pages::visit::Visit;
use crate::protocol::Scope;
use crate::protocol::authorization_details::{AuthorizationDetail, Words};

/// So much of what one application was allowed in detail is shown.
const DETAILS_SHOWN: usize = 50;

const APPLICATIONS: &str = "/account/applications";

/// What an application was allowed in objects, in words; a type that is gone by now is its name.
fn details_of(item: &Allowed, resources: &[Resource], lang: &str) -> Vec<DetailItem> {
    let words = |detail: &AuthorizationDetail| match find_type(resources, detail) {
        Some((_, kind)) => kind.in_words(detail, [lang]),
        None => Words {
            sentence: detail.kind().to_owned(),
            rest: Vec::new(),
        },
    };
    let items = item.details.iter().flat_map(|allowed| {
        allowed.details.iter().map(|detail| DetailItem {
            words: words(detail),
            until: allowed.until,
        })
    });
    items.take(DETAILS_SHOWN).collect()
}

async fn applications_page(
    visit: &Visit,
    person: &SignedIn,
    said: ListSaid,
) -> Result<HttpResponse, PageError> {
    let requests = requests_of(visit, person).await?;
    let allowed = visit
        .provider
        .list_own_consents(visit.tenant(), person, said.after)
        .await
        .map_err(|error| visit.fail(error))?;
    let own = match said.after {
        // They stand on the first page.
        Some(_) => Vec::new(),
        None => visit
            .provider
            .list_own_applications(visit.tenant())
            .await
            .map_err(|error| visit.fail(error))?,
    };
    let start =
        |client: &Client, told: &Scope| start_address(&visit.at.issuer, client, &person.user, told);
    let nothing = Scope::default();
    let own: Vec<_> = own
        .iter()
        .filter_map(|client| Some((client, client.id.to_string(), start(client, &nothing)?)))
        .collect();
    let frame = visit.frame(&[]);
    let own = own
        .iter()
        .filter_map(|(client, id, start)| {
            Some(OwnApplication {
                client: frame.client(client, id),
                start: WebLink::parse(start)?,
            })
        })
        .collect();
    let ids: Vec<_> = allowed
        .items
        .iter()
        .map(|item| item.client.id.to_string())
        .collect();
    let scopes: Vec<_> = allowed
        .items
        .iter()
        .map(|item| {
            let consent = item.consent.as_ref();
            consent.map_or_else(Scope::default, |consent| consent.permissions.scope())
        })
        .collect();
    let starts: Vec<_> = allowed
        .items
        .iter()
        .zip(&scopes)
        // The tenant's own stand above.
        .map(|(item, scope)| {
            let is_own = item.client.metadata.skip_consent;
            start(&item.client, scope).filter(|_| !is_own)
        })
        .collect();
    let resources = &visit.tenant().resources;
    let items = allowed
        .items
        .iter()
        .zip(&ids)
        .zip(&starts)
        .map(|((item, id), start)| ApplicationItem {
            id,
            client: frame.client(&item.client, id),
            scopes: item.consent.as_ref().map_or_else(Vec::new, |consent| {
                allowed_items(resources, &consent.permissions)
            }),
            start: start.as_deref().and_then(WebLink::parse),
            details: details_of(item, resources, frame.page().messages.lang()),
            granted_at: item.consent.as_ref().map(|consent| consent.created_at),
        });
    let more = allowed
        .next
        .map(|next| visit.address(APPLICATIONS, &[("after", &next.to_string())]));
    let account = Person::of(&person.user);
    let form = visit.form(APPLICATIONS, FormPurpose::Applications);
    let view = AccountApplications {
        page: frame.page(),
        account: account.account(),
        sign_out: &visit.address("/logout", &[]),
        requests,
        form: form.with(&[]),
        own,
        applications: items.collect(),
        more: more.as_deref(),
        problem: said.problem,
        notice: said.notice,
    };
    Ok(visit.show_form(said.status(), &view))
}

/// `GET /account/applications`.
pub async fn applications(visit: Visit, Query(params): Query) -> Result<HttpResponse, PageError> {
    let person = owner(&visit, APPLICATIONS).await?;
    let notice = notice(&params, &[("withdrawn", Notice::AccessWithdrawn)]);
    applications_page(
        &visit,
        &person,
        ListSaid {
            after: after(&params),
            notice,
            problem: None,
        },
    )
    .await
}

/// `POST /account/applications`.
pub async fn withdraw(visit: Visit, FormBody(params): FormBody) -> Result<HttpResponse, PageError> {
    let form = visit.check(FormPurpose::Applications, params)?;
    let person = owner(&visit, APPLICATIONS).await?;
    let withdrawn = visit
        .provider
        .withdraw_own_consent(visit.tenant(), &person, &form, &visit.caller.origin)
        .await;
    if withdrawn.map_err(|error| visit.fail(error))? {
        return Ok(visit.see_other(APPLICATIONS, &[("notice", "withdrawn")]));
    }
    applications_page(
        &visit,
        &person,
        ListSaid {
            problem: Some(Problem::GoneAlready),
            ..ListSaid::default()
        },
    )
    .await
}
