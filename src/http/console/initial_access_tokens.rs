//! Initial access tokens at the console: the list, one made and shown once, one revoked. Part of the section of clients.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use uuid::Uuid;

use super::clients::SECTION;
use super::clients_wizard::once;
use super::layout::Shell;
use super::notice::Notice;
use super::parts::{Cell, Confirm, Draft, Empty, Field, FieldKind, ListQuery, Table, Tone};
use super::routes::at;
use super::sheets::{Act, FormSheet, Group, ListSheet};
use super::shown_once;
use super::visitor::Visitor;
use crate::domain::ids::InitialAccessTokenId;
use crate::domain::initial_access_token::{InitialAccessToken, LIFETIME, MAX_USES};
use crate::domain::settings::RegistrationPolicy;
use crate::flows::admin::{AdminError, Area, By, NewInitialAccessToken, Permission};
use crate::http::error::{Answer, PageError};
use crate::http::extract::Query;
use crate::protocol::discovery::paths;

/// Where the list lies, below the console's address.
pub const PATH: &str = "/registration-tokens";

const DAY: u32 = 86_400;
const MOST_DAYS: u32 = *LIFETIME.end() / DAY;

/// Adds the routes.
pub fn routes(pages: &mut web::ServiceConfig) {
    pages.service(at(PATH).route(web::get().to(list)));
    pages.service(
        at("/registration-tokens/new")
            .route(web::get().to(ask_for_new))
            .route(web::post().to(create)),
    );
    pages.service(at("/registration-tokens/{id}").route(web::get().to(made)));
    pages.service(
        at("/registration-tokens/{id}/revoke")
            .route(web::get().to(ask_to_revoke))
            .route(web::post().to(revoke)),
    );
}

/// A token, and the endpoint where it is presented.
#[derive(Template)]
#[template(path = "console/registration_token.html")]
pub struct TokenPage<'a> {
    /// The page around it.
    pub page: Shell<'a>,
    /// What it was made for.
    pub name: String,
    /// Below the console's address.
    pub path: String,
    /// The token, just after it was made.
    pub token: Option<String>,
    /// Whether it can still be used.
    pub state: (Tone, String),
    /// Where clients register.
    pub endpoint: String,
    /// How often it was used, of how often it may be.
    pub uses: String,
    /// When it ends.
    pub until: String,
    /// Whether the visitor may revoke it.
    pub may_write: bool,
    /// Whether the tenant lets nobody register at all.
    pub closed: bool,
}

fn state(visitor: &Visitor, page: &Shell<'_>, token: &InitialAccessToken) -> (Tone, String) {
    let now = visitor.now();
    let (tone, id) = if token.is_good(now) {
        (Tone::Good, "tokens-state-good")
    } else if token.uses >= token.max_uses {
        (Tone::Quiet, "tokens-state-used")
    } else {
        (Tone::Quiet, "tokens-state-expired")
    };
    (tone, page.t(id).into_owned())
}

fn uses(token: &InitialAccessToken) -> String {
    format!("{} / {}", token.uses, token.max_uses)
}

fn is_closed(visitor: &Visitor) -> bool {
    visitor.tenant.settings().registration == RegistrationPolicy::Closed
}

async fn token_of(
    visitor: &Visitor,
    request: &HttpRequest,
) -> Result<InitialAccessToken, PageError> {
    let id: InitialAccessTokenId = visitor.named(request, "id")?;
    visitor
        .provider()
        .load_initial_access_token(&visitor.tenant, id)
        .await
        .map_err(|error| visitor.fault(error))
}

/// `GET /console/registration-tokens`.
async fn list(visitor: Visitor, Query(params): Query) -> Answer {
    visitor.check(Permission::Read(Area::Clients))?;
    let query = ListQuery::of(&params, &[]);
    let found = visitor
        .provider()
        .list_initial_access_tokens(&visitor.tenant, query.page())
        .await
        .map_err(|error| visitor.fault(error))?;
    let page = visitor.shell(&SECTION);
    let row = |token: &InitialAccessToken| {
        let (tone, words) = state(&visitor, &page, token);
        vec![
            Cell::Link {
                href: page.path(&format!("{PATH}/{}", token.id)),
                text: token.name.clone(),
                detail: String::new(),
            },
            Cell::Badge(tone, words),
            Cell::Text(uses(token)),
            Cell::Text(page.moment(&token.expires_at)),
        ]
    };
    let may_write = visitor.may(Permission::Write(Area::Clients));
    let new = || {
        (
            page.path("/registration-tokens/new"),
            page.t("tokens-new").into_owned(),
        )
    };
    visitor.show(&ListSheet {
        page,
        title: page.t("tokens-title").into_owned(),
        lede: page
            .t(if is_closed(&visitor) {
                "tokens-lede-closed"
            } else {
                "tokens-lede"
            })
            .into_owned(),
        acts: if may_write {
            vec![Act::link("new", new().0, new().1)]
        } else {
            Vec::new()
        },
        search: None,
        address: page.path(PATH),
        table: Table {
            caption: page.t("tokens-title").into_owned(),
            columns: ["tokens-name", "tokens-state", "tokens-uses", "tokens-until"]
                .map(|id| page.t(id).into_owned())
                .into(),
            rows: found.items.iter().map(row).collect(),
        },
        empty: Empty {
            title: page.t("tokens-empty").into_owned(),
            text: page.t("tokens-empty-text").into_owned(),
            action: may_write.then(new),
        },
        pager: query.pager(&page.path(PATH), found.next),
    })
}

fn form<'a>(visitor: &'a Visitor, draft: &Draft, token: Uuid) -> FormSheet<'a> {
    let page = visitor.shell(&SECTION);
    let number = |name, label: &str, hint: String| {
        Field::new(name, page.t(label), FieldKind::Line("number"))
            .hint(hint)
            .required()
    };
    let fields: Vec<_> = [
        Field::text("name", page.t("tokens-name"))
            .hint(page.t("tokens-name-hint"))
            .required(),
        number(
            "max_uses",
            "tokens-max-uses",
            page.f("tokens-max-uses-hint", "most", &MAX_USES.to_string()),
        ),
        number(
            "days",
            "tokens-days",
            page.f("tokens-days-hint", "most", &MOST_DAYS.to_string()),
        ),
    ]
    .into_iter()
    .map(|field| field.of(draft))
    .collect();
    FormSheet {
        page,
        back: Some((page.path(PATH), page.t("tokens-title").into_owned())),
        title: page.t("tokens-new").into_owned(),
        lede: page.t("tokens-new-lede").into_owned(),
        consequences: Vec::new(),
        stale: String::new(),
        problems: draft.other_problems(&fields),
        action: page.path("/registration-tokens/new"),
        hidden: vec![("form", token.to_string())],
        groups: Group::plain(fields),
        preview: None,
        button: page.t("tokens-create").into_owned(),
        danger: false,
        cancel: page.path(PATH),
    }
}

/// `GET /console/registration-tokens/new`.
async fn ask_for_new(visitor: Visitor) -> Answer {
    visitor.check(Permission::Write(Area::Clients))?;
    let draft = Draft::new([("max_uses", "1".to_owned()), ("days", "7".to_owned())]);
    let token = visitor.provider().clock.uuid_v7();
    visitor.show(&form(&visitor, &draft, token))
}

/// What was typed: numbers of days and uses within their bounds, or blame beside the field.
fn read(visitor: &Visitor, draft: &mut Draft) -> Option<NewInitialAccessToken> {
    let page = visitor.shell(&SECTION);
    let mut number = |name: &str, most: u32| {
        let given = draft.value(name).parse().ok();
        let fits = given.filter(|number| (1..=most).contains(number));
        if fits.is_none() {
            draft.blame(name, page.f("tokens-number", "most", &most.to_string()));
        }
        fits
    };
    let (max_uses, days) = (number("max_uses", MAX_USES), number("days", MOST_DAYS));
    Some(NewInitialAccessToken {
        name: draft.value("name").to_owned(),
        max_uses: max_uses?,
        lifetime: days? * DAY,
    })
}

/// `POST /console/registration-tokens/new`.
async fn create(visitor: Visitor) -> Answer {
    visitor.check(Permission::Write(Area::Clients))?;
    let sent = visitor.take()?;
    let mut draft = Draft::sent(&sent, &["name", "max_uses", "days"]);
    let token = Uuid::try_parse(sent.input("form")).map_err(|_| {
        let told = visitor.shell(&SECTION).t("advice-form").into_owned();
        visitor.fault(AdminError::Refused(told))
    })?;
    let Some(new) = read(&visitor, &mut draft) else {
        return visitor.show_again(&form(&visitor, &draft, token));
    };
    let once = once(&visitor, "an initial access token", token);
    let by = By {
        once: Some(once.clone()),
        ..visitor.by()
    };
    let provider = visitor.provider();
    let made = provider
        .create_initial_access_token(&visitor.tenant, new, &by)
        .await;
    match made {
        Err(AdminError::Repeated) => {
            let made = provider.find_repeated(&visitor.tenant, once).await;
            let made = made.map_err(|error| visitor.fault(error))?.made;
            Ok(visitor.go(&format!("{PATH}/{}", InitialAccessTokenId::from(made))))
        }
        Ok(issued) => {
            let id = issued.record.id;
            let notice = Notice::new("tokens-created").name(issued.record.name);
            let mut response = visitor.done(&format!("{PATH}/{id}"), &notice)?;
            shown_once::keep(&visitor, &mut response, id.uuid(), &issued.token);
            Ok(response)
        }
        Err(error) => {
            draft
                .take(visitor.shell(&SECTION), error)
                .map_err(|error| visitor.fault(error))?;
            visitor.show_again(&form(&visitor, &draft, token))
        }
    }
}

/// `GET /console/registration-tokens/{id}`: with the token itself, once.
async fn made(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Read(Area::Clients))?;
    let record = token_of(&visitor, &request).await?;
    let token = shown_once::find(&visitor, &request, record.id.uuid());
    let page = visitor.shell(&SECTION);
    let is_shown = token.is_some();
    let view = TokenPage {
        page,
        name: record.name.clone(),
        path: format!("{PATH}/{}", record.id),
        token,
        state: state(&visitor, &page, &record),
        endpoint: format!("{}{}", visitor.tenant.canonical, paths::REGISTER),
        uses: uses(&record),
        until: page.moment(&record.expires_at),
        may_write: visitor.may(Permission::Write(Area::Clients)),
        closed: is_closed(&visitor),
    };
    let mut response: HttpResponse = visitor.show(&view)?;
    if is_shown {
        shown_once::forget(&visitor, &mut response);
    }
    Ok(response)
}

/// `GET /console/registration-tokens/{id}/revoke`.
async fn ask_to_revoke(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Clients))?;
    let token = token_of(&visitor, &request).await?;
    let page = visitor.shell(&SECTION);
    let back = page.path(&format!("{PATH}/{}", token.id));
    visitor.show(&Confirm {
        page,
        title: page.t("tokens-revoke").into_owned(),
        lede: token.name,
        consequences: ["tokens-revoke-nobody", "tokens-revoke-clients"]
            .map(|id| page.t(id).into_owned())
            .into(),
        action: format!("{back}/revoke"),
        hidden: Vec::new(),
        button: page.t("tokens-revoke").into_owned(),
        back,
    })
}

/// `POST /console/registration-tokens/{id}/revoke`.
async fn revoke(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Clients))?;
    visitor.take()?;
    let token = token_of(&visitor, &request).await?;
    visitor
        .provider()
        .revoke_initial_access_token(&visitor.tenant, token.id, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    visitor.done(PATH, &Notice::new("tokens-revoked").name(token.name))
}
