//! One person: who they are, why they couldn't sign in, and what can be done about it.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};

use super::layout::Shell;
use super::notice::Notice;
use super::parts::{Confirm, Draft, Field, FieldKind, Tone};
use super::routes::at;
use super::sheets::{Act, DetailSheet, Fact, FactGroup, FormSheet, Group, Row};
use super::shown_once;
use super::user_claims;
use super::users::{READ, SECTION, WRITE, called, email_in, take};
use super::visitor::Visitor;
use crate::domain::audit::{Act as Happened, RecordedEvent};
use crate::domain::ids::UserId;
use crate::domain::user::{User, UserStatus};
use crate::flows::admin::{AdminError, Area, Permission, Subject};
use crate::http::error::{Answer, PageError};
use crate::storage::{EventFilter, PageRequest};

/// How many sign-ins that failed are told of.
const FAILURES: u32 = 5;

/// Whether the address is known to be the person's: a box.
const EMAIL_VERIFIED: &str = "email_verified";

/// Its routes.
pub fn routes(pages: &mut web::ServiceConfig) {
    pages.service(at("/users/{id}").route(web::get().to(show)));
    pages.service(
        at("/users/{id}/edit")
            .route(web::get().to(ask_to_edit))
            .route(web::post().to(save)),
    );
    pages.service(
        at("/users/{id}/disable")
            .route(web::get().to(ask_to_disable))
            .route(web::post().to(disable)),
    );
    pages.service(
        at("/users/{id}/request-code")
            .route(web::get().to(ask_to_remove_code))
            .route(web::post().to(remove_code)),
    );
    pages.service(at("/users/{id}/enable").route(web::post().to(enable)));
    pages.service(
        at("/users/{id}/reset")
            .route(web::get().to(ask_to_reset))
            .route(web::post().to(reset)),
    );
    pages.service(
        at("/users/{id}/delete")
            .route(web::get().to(ask_to_delete))
            .route(web::post().to(delete)),
    );
}

/// The person whom the path names.
pub async fn user_of(visitor: &Visitor, request: &HttpRequest) -> Result<User, PageError> {
    let id: UserId = visitor.named(request, "id")?;
    let found = visitor.provider().load_user(&visitor.tenant, id);
    found.await.map_err(|error| visitor.fault(error))
}

/// Whether it is the visitor themselves.
pub fn is_oneself(visitor: &Visitor, user: &User) -> bool {
    visitor.principal().subject == Subject::User(user.id)
        && visitor.principal().home.id() == visitor.tenant.id()
}

/// Whether a person has themselves asked with a code.
#[derive(Clone, Copy)]
struct HasCode(bool);

fn acts(visitor: &Visitor, user: &User, has_code: HasCode) -> Vec<Act> {
    let page = visitor.shell(&SECTION);
    let path = page.path(&format!("/users/{}", user.id));
    let link = |id: &'static str, text: &str| Act::link(id, format!("{path}/{id}"), page.t(text));
    let mut acts = Vec::new();
    let within_reach = visitor.by().authority.check_over(user).is_ok();
    if visitor.may(WRITE) && within_reach {
        acts.push(link("edit", "user-edit"));
        if user.is_active() {
            acts.push(link("reset", "user-reset"));
        }
        if has_code.0 {
            acts.push(link("request-code", "user-request-code"));
        }
    }
    if visitor.may(Permission::Read(Area::Sessions)) {
        acts.push(link("sessions", "user-sessions"));
    }
    if visitor.may(Permission::Read(Area::Consents)) {
        acts.push(link("consents", "user-consents"));
    }
    if visitor.may(Permission::Write(Area::Administrators)) {
        let href = page.path(&format!("/administrators/{}", user.id));
        acts.push(Act::link("roles", href, page.t("user-roles-change")));
    }
    if visitor.may(WRITE) && within_reach {
        if user.is_active() {
            acts.push(Act::danger(
                "disable",
                format!("{path}/disable"),
                page.t("user-disable"),
            ));
        } else {
            acts.push(Act::post(
                "enable",
                format!("{path}/enable"),
                page.t("user-enable"),
            ));
        }
        acts.push(Act::danger(
            "delete",
            format!("{path}/delete"),
            page.t("user-delete"),
        ));
    }
    acts
}

fn facts(page: &Shell<'_>, user: &User) -> Vec<Fact> {
    let verified = if user.email_verified {
        "user-email-verified"
    } else {
        "user-email-unverified"
    };
    let mut facts = vec![
        Fact::said(page.t("user-email"), user.email.to_string()),
        Fact::said(page.t("user-email-proof"), page.t(verified)),
        Fact::said(
            page.t("user-password"),
            match &user.password {
                Some(password) => page.f(
                    "user-password-set",
                    "moment",
                    &page.moment(&password.set_at),
                ),
                None => page.t("user-password-none").into_owned(),
            },
        ),
    ];
    if !user.roles.is_empty() {
        let roles = user
            .roles
            .iter()
            .map(|role| page.t(&format!("role-{role}")).into_owned());
        let mut fact = Fact::said(page.t("user-roles"), String::new());
        fact.values = roles.collect();
        facts.push(fact);
    }
    if let UserStatus::Disabled { since } = user.status {
        facts.push(Fact::said(
            page.t("user-disabled-since"),
            page.moment(&since),
        ));
    }
    facts.push(Fact::said(
        page.t("user-made"),
        page.moment(&user.created_at),
    ));
    facts.push(Fact::code(page.t("user-id"), vec![user.id.to_string()]));
    facts
}

/// Why a sign-in failed, in words for whoever answers the telephone.
fn why(page: &Shell<'_>, event: &RecordedEvent) -> String {
    let reason = event
        .detail
        .get("reason")
        .and_then(serde_json::Value::as_str);
    let id = match (event.act.as_str(), reason) {
        (act, _) if act == Happened::SignInLocked.as_str() => "user-failed-locked",
        (_, Some("disabled")) => "user-failed-disabled",
        (_, Some("password")) => "user-failed-password",
        _ => "user-failed-otherwise",
    };
    page.t(id).into_owned()
}

async fn failures(visitor: &Visitor, user: &User) -> Result<Option<FactGroup>, PageError> {
    if !visitor.may(Permission::Read(Area::Users)) {
        return Ok(None);
    }
    let mut events = Vec::new();
    for act in [Happened::SignInFailed, Happened::SignInLocked] {
        let filter = EventFilter {
            act: Some(act),
            user_id: Some(user.id),
            ..EventFilter::default()
        };
        let found = visitor
            .provider()
            .list_events(&visitor.tenant, filter, PageRequest::first(FAILURES))
            .await
            .map_err(|error| visitor.fault(error))?;
        events.extend(found.events);
    }
    events.sort_by_key(|event| std::cmp::Reverse(event.id));
    let page = visitor.shell(&SECTION);
    let shown = events.iter().take(FAILURES as usize);
    let mut facts: Vec<_> = shown
        .map(|event| {
            let from = event.address.as_deref().unwrap_or_default();
            let text = format!("{} {from}", why(&page, event));
            Fact::said(page.moment(&event.at), text.trim_end())
        })
        .collect();
    if visitor.may(Permission::Read(Area::Events)) {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("person", user.email.as_str())
            .finish();
        let mut more = Fact::said(page.t("section-audit"), page.t("user-audit"));
        more.href = Some(page.path(&format!("/audit?{query}")));
        facts.push(more);
    }
    Ok(Some(FactGroup {
        title: page.t("user-failures").into_owned(),
        text: if events.is_empty() {
            page.t("user-failures-none").into_owned()
        } else {
            String::new()
        },
        facts,
    }))
}

/// `GET /console/users/{id}`.
async fn show(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(READ)?;
    let user = user_of(&visitor, &request).await?;
    let page = visitor.shell(&SECTION);
    let link = shown_once::find(&visitor, &request, user.id.uuid());
    let has_code = visitor
        .provider()
        .has_request_code(&visitor.tenant, user.id)
        .await
        .map_err(|error| visitor.fault(error.into()))?;
    let mut groups = Vec::new();
    if let Some(link) = &link {
        groups.push(FactGroup {
            title: page.t("user-link").into_owned(),
            text: page.t("user-link-text").into_owned(),
            facts: vec![Fact::code(page.t("user-link-address"), vec![link.clone()])],
        });
    }
    groups.push(FactGroup {
        title: String::new(),
        text: String::new(),
        facts: facts(&page, &user),
    });
    groups.extend(user_claims::facts(&page, &user));
    groups.extend(failures(&visitor, &user).await?);
    let badge = if user.is_active() {
        (Tone::Good, page.t("user-active").into_owned())
    } else {
        (Tone::Bad, page.t("user-disabled-state").into_owned())
    };
    let mut response = visitor.show(&DetailSheet {
        page,
        back: Some((page.path("/users"), page.t("section-users").into_owned())),
        title: called(&user),
        badges: vec![badge],
        lede: String::new(),
        problems: Vec::new(),
        acts: acts(&visitor, &user, HasCode(has_code)),
        groups,
    })?;
    if link.is_some() {
        shown_once::forget(&visitor, &mut response);
    }
    Ok(response)
}

fn form<'a>(visitor: &'a Visitor, draft: &Draft, user: &User) -> FormSheet<'a> {
    let page = visitor.shell(&SECTION);
    let above = page.path(&format!("/users/{}", user.id));
    let account: Vec<_> = [
        Field::new("email", page.t("user-email"), FieldKind::Line("email"))
            .hint(page.t("user-email-hint"))
            .required(),
        Field::new(
            EMAIL_VERIFIED,
            page.t("user-email-verified"),
            FieldKind::Box,
        )
        .hint(page.t("user-email-verified-hint")),
    ]
    .into_iter()
    .map(|field| field.of(draft))
    .collect();
    let mut groups = vec![Group {
        title: String::new(),
        fold: None,
        rows: account.into_iter().map(Row::Field).collect(),
    }];
    groups.extend(user_claims::groups(&page, draft));
    let rows = groups.iter().flat_map(|group| &group.rows);
    let all: Vec<_> = rows.map(|row| row.field().clone()).collect();
    FormSheet {
        page,
        back: Some((above.clone(), called(user))),
        title: page.t("user-edit").into_owned(),
        lede: String::new(),
        consequences: Vec::new(),
        stale: String::new(),
        problems: draft.other_problems(&all),
        action: format!("{above}/edit"),
        hidden: vec![("version", user.version.to_string())],
        groups,
        preview: None,
        button: page.t("save-changes").into_owned(),
        danger: false,
        cancel: above,
    }
}

/// The form as the person is stored.
fn draft_of(user: &User) -> Draft {
    let mut values = vec![("email", user.email.to_string())];
    if user.email_verified {
        values.push((EMAIL_VERIFIED, "1".to_owned()));
    }
    values.extend(user_claims::values(&user.claims));
    Draft::new(values)
}

/// `GET /console/users/{id}/edit`.
async fn ask_to_edit(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE)?;
    let user = user_of(&visitor, &request).await?;
    visitor.show(&form(&visitor, &draft_of(&user), &user))
}

/// `POST /console/users/{id}/edit`.
async fn save(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE)?;
    let sent = visitor.take()?;
    let user = user_of(&visitor, &request).await?;
    let (given, unsent): (Vec<_>, Vec<_>) = user_claims::texts().partition(|name| sent.has(name));
    let mut names = vec!["email", EMAIL_VERIFIED, user_claims::PHONE_VERIFIED];
    names.extend(given);
    let mut draft = Draft::sent(&sent, &names).with(&draft_of(&user), &unsent);
    // Of what was changed, so that correcting a field doesn't overwrite what somebody else saved meanwhile.
    let again = |draft: &Draft| {
        let mut view = form(&visitor, draft, &user);
        view.hidden = vec![("version", sent.input("version").to_owned())];
        visitor.show_again(&view)
    };
    let Some(email) = email_in(&visitor, &mut draft) else {
        return again(&draft);
    };
    let ticked = draft.value(EMAIL_VERIFIED) == "1";
    // A tick that was there when the form was opened says nothing of another address.
    let said = (!ticked || !user.email_verified).then_some(ticked);
    let changed = User {
        claims: user_claims::read(&draft, &user.claims),
        version: sent.input("version").parse().unwrap_or_default(),
        ..user.clone()
    }
    .with_address(email, said);
    let saved = visitor
        .provider()
        .update_user(&visitor.tenant, changed, &visitor.by())
        .await;
    match saved {
        Ok(user) => visitor.done(
            &format!("/users/{}", user.id),
            &Notice::new("changes-saved"),
        ),
        Err(AdminError::Stale(_)) => {
            let now = user_of(&visitor, &request).await?;
            let view = form(&visitor, &draft, &now).beside(&draft, &draft_of(&now));
            Ok(visitor.respond(StatusCode::CONFLICT, &view))
        }
        Err(error) => {
            take(&visitor, &mut draft, error)?;
            again(&draft)
        }
    }
}

/// A page that asks before something is done to a person.
fn ask<'a>(visitor: &'a Visitor, user: &User, act: &str, consequences: &[&str]) -> Confirm<'a> {
    let page = visitor.shell(&SECTION);
    let back = page.path(&format!("/users/{}", user.id));
    let mut consequences: Vec<_> = consequences
        .iter()
        .map(|id| page.t(id).into_owned())
        .collect();
    if !["reset", "request-code"].contains(&act) && is_oneself(visitor, user) {
        consequences.insert(0, page.t("user-oneself").into_owned());
    }
    Confirm {
        page,
        title: page.t(&format!("user-{act}")).into_owned(),
        lede: match called(user) {
            name if name == user.email.as_str() => name,
            name => format!("{name} ({})", user.email),
        },
        consequences,
        action: format!("{back}/{act}"),
        hidden: Vec::new(),
        button: page.t(&format!("user-{act}")).into_owned(),
        back,
    }
}

/// `GET /console/users/{id}/disable`.
async fn ask_to_disable(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE)?;
    let user = user_of(&visitor, &request).await?;
    let consequences = [
        "user-disable-sign-in",
        "user-disable-sessions",
        "user-disable-back",
    ];
    visitor.show(&ask(&visitor, &user, "disable", &consequences))
}

/// `POST /console/users/{id}/disable`.
async fn disable(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE)?;
    visitor.take()?;
    let user = user_of(&visitor, &request).await?;
    visitor
        .provider()
        .disable_user(&visitor.tenant, user.id, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    let path = format!("/users/{}", user.id);
    let notice = Notice::new("user-disabled")
        .name(called(&user))
        .undo(&format!("{path}/enable"), &[]);
    visitor.done(&path, &notice)
}

/// `POST /console/users/{id}/enable`.
async fn enable(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE)?;
    visitor.take()?;
    let user = user_of(&visitor, &request).await?;
    visitor
        .provider()
        .enable_user(&visitor.tenant, user.id, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    let notice = Notice::new("user-enabled").name(called(&user));
    visitor.done(&format!("/users/{}", user.id), &notice)
}

/// `GET /console/users/{id}/request-code`.
async fn ask_to_remove_code(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE)?;
    let user = user_of(&visitor, &request).await?;
    let consequences = ["user-request-code-asked", "user-request-code-another"];
    visitor.show(&ask(&visitor, &user, "request-code", &consequences))
}

/// `POST /console/users/{id}/request-code`.
async fn remove_code(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE)?;
    visitor.take()?;
    let user = user_of(&visitor, &request).await?;
    visitor
        .provider()
        .remove_request_code(&visitor.tenant, user.id, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    let notice = Notice::new("user-request-code-removed").name(called(&user));
    visitor.done(&format!("/users/{}", user.id), &notice)
}

/// `GET /console/users/{id}/reset`.
async fn ask_to_reset(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE)?;
    let user = user_of(&visitor, &request).await?;
    let consequences = ["user-reset-link", "user-reset-until", "user-reset-sessions"];
    visitor.show(&ask(&visitor, &user, "reset", &consequences))
}

/// `POST /console/users/{id}/reset`.
async fn reset(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE)?;
    visitor.take()?;
    let user = user_of(&visitor, &request).await?;
    let link = visitor
        .provider()
        .reset_password(&visitor.tenant, &user, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    let notice = Notice::new("user-reset-done").name(called(&user));
    let mut response = visitor.done(&format!("/users/{}", user.id), &notice)?;
    shown_once::keep(&visitor, &mut response, user.id.uuid(), &link.url);
    Ok(response)
}

/// `GET /console/users/{id}/delete`.
async fn ask_to_delete(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE)?;
    let user = user_of(&visitor, &request).await?;
    let consequences = [
        "user-delete-rows",
        "user-delete-subject",
        "user-delete-final",
    ];
    visitor.show(&ask(&visitor, &user, "delete", &consequences))
}

/// `POST /console/users/{id}/delete`.
async fn delete(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(WRITE)?;
    visitor.take()?;
    let user = user_of(&visitor, &request).await?;
    visitor
        .provider()
        .delete_user(&visitor.tenant, &user, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    visitor.done("/users", &Notice::new("user-deleted").name(called(&user)))
}
