//! Clients: the list, a client's page with what its developer copies, and its end.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::clients_edit as edit;
use super::clients_kind::Kind;
use super::clients_secret as secret;
use super::clients_wizard as wizard;
use super::initial_access_tokens as tokens;
use super::layout::Shell;
use super::notice::Notice;
use super::parts::{Cell, Confirm, Empty, ListQuery, Pager, Table, Tone};
use super::routes::at;
use super::sections::{Reach, Section};
use super::try_it;
use super::visitor::Visitor;
use crate::domain::client::Client;
use crate::domain::ids::ClientId;
use crate::flows::admin::{Area, Permission};
use crate::flows::console::client_id;
use crate::flows::scopes::ADMIN;
use crate::flows::trial;
use crate::http::error::{Answer, PageError};
use crate::http::extract::Query;
use crate::protocol::client_metadata::GrantType;
use crate::protocol::discovery::paths;
use crate::protocol::initiated_login::InitiatedLogin;

/// This section.
pub static SECTION: Section = Section {
    path: "/clients",
    label: "section-clients",
    needs: Some(Permission::Read(Area::Clients)),
    reach: Reach::Tenant,
    routes: |pages| {
        pages.service(at("/clients").route(web::get().to(list)));
        pages.service(at("/clients/new").route(web::get().to(wizard::kinds)));
        pages.service(
            at("/clients/new/{kind}")
                .route(web::get().to(wizard::begin))
                .route(web::post().to(wizard::create)),
        );
        pages.service(at("/clients/{id}").route(web::get().to(show)));
        pages.service(at("/clients/{id}/connect").route(web::get().to(wizard::connect)));
        pages.service(
            at("/clients/{id}/edit")
                .route(web::get().to(edit::form))
                .route(web::post().to(edit::save)),
        );
        pages.service(
            at("/clients/{id}/secret")
                .route(web::get().to(secret::ask))
                .route(web::post().to(secret::rotate)),
        );
        pages.service(
            at("/clients/{id}/delete")
                .route(web::get().to(ask_to_delete))
                .route(web::post().to(delete)),
        );
        pages.service(
            at("/clients/{id}/try-it")
                .route(web::get().to(try_it::ask))
                .route(web::post().to(try_it::begin)),
        );
        pages.service(at(trial::CALLBACK).route(web::get().to(try_it::finish)));
        tokens::routes(pages);
    },
};

/// The list.
#[derive(Template)]
#[template(path = "console/clients.html")]
pub struct Clients<'a> {
    /// The page around it.
    pub page: Shell<'a>,
    /// Whether the visitor may make one.
    pub may_write: bool,
    /// What is searched for.
    pub search: String,
    /// What was found.
    pub table: Table,
    /// What stands there otherwise.
    pub empty: Empty,
    /// Further pages.
    pub pager: Pager,
}

/// Something to copy, or to know.
#[derive(Clone, Debug)]
pub struct Setting {
    /// What it is.
    pub label: String,
    /// What it says; none where it isn't set.
    pub values: Vec<String>,
    /// Whether it is copied, as opposed to read.
    pub is_code: bool,
}

/// Settings that belong together.
#[derive(Clone, Debug)]
pub struct SettingGroup {
    /// Its element's id.
    pub id: &'static str,
    /// What they are about.
    pub title: String,
    /// The settings.
    pub settings: Vec<Setting>,
}

/// A client's page.
#[derive(Template)]
#[template(path = "console/client.html")]
pub struct ClientPage<'a> {
    /// The page around it.
    pub page: Shell<'a>,
    /// Its name.
    pub name: String,
    /// Its kind, in words.
    pub kind: String,
    /// Below the console's address.
    pub path: String,
    /// Whether the server keeps it.
    pub built_in: bool,
    /// Whether the visitor may change it.
    pub may_write: bool,
    /// Where a sign-in begins, if it says so.
    pub start: Option<String>,
    /// Whether it has a secret.
    pub has_secret: bool,
    /// What is known of it.
    pub groups: Vec<SettingGroup>,
}

/// Whether the server made it and keeps it.
pub fn is_built_in(client: &Client) -> bool {
    client.id == client_id() || trial::is_stand_in(client)
}

/// Whether the visitor may change this client.
pub fn may_change(visitor: &Visitor, client: &Client) -> bool {
    visitor.may(Permission::Write(Area::Clients))
        && !is_built_in(client)
        && visitor.by().authority.check_client(client).is_ok()
}

/// The day on which its use was noted last: a time of day would be more than is known.
fn last_used(page: &Shell<'_>, client: &Client) -> String {
    match client.last_used.at() {
        Some(at) => at.format("%Y-%m-%d").to_string(),
        None => page.t("client-never-used").into_owned(),
    }
}

/// Its kind, and whether it registered itself.
fn kind_in_words(page: &Shell<'_>, client: &Client) -> String {
    let kind = Kind::of(&client.metadata).name(page);
    if client.registration.is_some() {
        page.f("client-registered-itself", "kind", &kind)
    } else {
        kind
    }
}

/// The client that the address names.
pub async fn client_of(visitor: &Visitor, request: &HttpRequest) -> Result<Client, PageError> {
    let id: ClientId = visitor.named(request, "id")?;
    visitor
        .provider()
        .load_client(&visitor.tenant, id)
        .await
        .map_err(|error| visitor.fault(error))
}

/// `GET /console/clients`.
async fn list(visitor: Visitor, Query(params): Query) -> Answer {
    visitor.check(Permission::Read(Area::Clients))?;
    let query = ListQuery::of(&params, &[]);
    let found = visitor
        .provider()
        .search_clients(&visitor.tenant, query.search.clone(), query.page())
        .await
        .map_err(|error| visitor.fault(error))?;
    let page = visitor.shell(&SECTION);
    let row = |client: &Client| {
        let kind = if is_built_in(client) {
            Cell::Badge(Tone::Quiet, page.t("client-built-in").into_owned())
        } else {
            Cell::Text(kind_in_words(&page, client))
        };
        vec![
            Cell::Link {
                href: page.path(&format!("/clients/{}", client.id)),
                text: client.name(),
                detail: client.id.to_string(),
            },
            kind,
            Cell::moment(&page, &client.created_at),
            Cell::Text(last_used(&page, client)),
        ]
    };
    let may_write = visitor.may(Permission::Write(Area::Clients));
    let searched = query.search.is_some();
    visitor.show(&Clients {
        page,
        may_write,
        search: query.search.clone().unwrap_or_default(),
        table: Table {
            caption: page.t("section-clients").into_owned(),
            columns: [
                "client-column-name",
                "client-column-kind",
                "client-made",
                "client-last-used",
            ]
            .map(|id| page.t(id).into_owned())
            .into(),
            rows: found.items.iter().map(row).collect(),
        },
        empty: Empty {
            title: page
                .t(if searched {
                    "clients-none-found"
                } else {
                    "clients-empty"
                })
                .into_owned(),
            text: page
                .t(if searched {
                    "clients-none-found-text"
                } else {
                    "clients-empty-text"
                })
                .into_owned(),
            action: (may_write && !searched).then(|| {
                let label = page.t("client-new").into_owned();
                (page.path("/clients/new"), label)
            }),
        },
        pager: query.pager(&page.path("/clients"), found.next),
    })
}

/// What a developer copies into the application.
pub fn settings_to_copy(visitor: &Visitor, client: &Client) -> SettingGroup {
    let page = visitor.shell(&SECTION);
    let issuer = &visitor.tenant.canonical;
    let setting = |label: &str, values: Vec<String>| Setting {
        label: page.t(label).into_owned(),
        values,
        is_code: true,
    };
    let address = |path: &str| vec![format!("{issuer}{path}")];
    let mut settings = vec![
        setting("issuer", vec![issuer.to_string()]),
        setting(
            "client-setting-discovery",
            address(paths::OPENID_CONFIGURATION),
        ),
        setting("client-setting-id", vec![client.id.to_string()]),
        setting("client-setting-token", address(paths::TOKEN)),
        setting("client-setting-jwks", address(paths::JWKS)),
    ];
    if client.allows(GrantType::DeviceCode) {
        settings.push(setting(
            "client-setting-device",
            address(paths::DEVICE_AUTHORIZATION),
        ));
    }
    if client.metadata.has_people_sign_in() {
        settings.insert(
            3,
            setting("client-setting-authorize", address(paths::AUTHORIZE)),
        );
        settings.push(setting("client-setting-userinfo", address(paths::USERINFO)));
        settings.push(setting("client-setting-logout", address(paths::LOGOUT)));
        settings.push(setting(
            "client-field-redirect_uris",
            client.metadata.redirect_uris.clone(),
        ));
        settings.push(setting(
            "client-field-post_logout_redirect_uris",
            client.metadata.post_logout_redirect_uris.clone(),
        ));
    }
    SettingGroup {
        id: "settings",
        title: page.t("client-settings").into_owned(),
        settings,
    }
}

fn access(page: Shell<'_>, client: &Client) -> SettingGroup {
    let metadata = &client.metadata;
    let code = |label: &str, values: Vec<String>| Setting {
        label: page.t(label).into_owned(),
        values,
        is_code: true,
    };
    let scope = metadata.scope.clone().unwrap_or_default();
    let grants = metadata.grant_types.iter();
    let responses = metadata.response_types.iter();
    SettingGroup {
        id: "access",
        title: page.t("client-access").into_owned(),
        settings: vec![
            code(
                "client-field-scope",
                scope.iter().map(ToOwned::to_owned).collect(),
            ),
            code(
                "client-field-grant_types",
                grants.map(|grant| grant.as_str().to_owned()).collect(),
            ),
            code(
                "client-field-response_types",
                responses.map(|own| own.as_str().to_owned()).collect(),
            ),
            code("client-field-resources", metadata.resources.clone()),
            code(
                "client-field-default_audience",
                metadata.default_audience.iter().cloned().collect(),
            ),
        ],
    }
}

fn proof(page: Shell<'_>, client: &Client, visitor: &Visitor) -> SettingGroup {
    let said = |label: &str, text: String| Setting {
        label: page.t(label).into_owned(),
        values: vec![text],
        is_code: false,
    };
    let method = client.metadata.token_endpoint_auth_method;
    let mut settings = vec![Setting {
        label: page
            .t("client-field-token_endpoint_auth_method")
            .into_owned(),
        values: vec![method.as_str().to_owned()],
        is_code: true,
    }];
    if let (true, Some(secret)) = (method.uses_secret(), &client.secret) {
        let made = format!(
            "{} ({})",
            page.ago(&secret.made_at),
            page.moment(&secret.made_at)
        );
        settings.push(said("client-secret-made", made));
        let previous = secret.previous.as_ref().map(|(_, until)| until);
        if let Some(until) = previous.filter(|until| **until > visitor.now()) {
            settings.push(said("client-secret-previous", page.moment(until)));
        }
    }
    settings.push(said("client-made", page.moment(&client.created_at)));
    settings.push(said("client-changed", page.moment(&client.updated_at)));
    settings.push(said("client-last-used", last_used(&page, client)));
    SettingGroup {
        id: "proof",
        title: page.t("client-proof").into_owned(),
        settings,
    }
}

/// Where the client begins a sign-in with this tenant (OpenID Connect Core §4). Who looks at it isn't told.
fn initiated_login(visitor: &Visitor, client: &Client) -> Option<String> {
    let login = InitiatedLogin {
        issuer: &visitor.tenant.canonical,
        login_hint: None,
        target_link_uri: None,
    };
    login.address(client.metadata.initiate_login_uri.as_deref()?)
}

/// `GET /console/clients/{id}`.
async fn show(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Read(Area::Clients))?;
    let client = client_of(&visitor, &request).await?;
    let page = visitor.shell(&SECTION);
    let built_in = is_built_in(&client);
    visitor.show(&ClientPage {
        page,
        name: client.name(),
        kind: if built_in {
            page.t("client-built-in").into_owned()
        } else {
            kind_in_words(&page, &client)
        },
        path: format!("/clients/{}", client.id),
        built_in,
        may_write: may_change(&visitor, &client),
        start: initiated_login(&visitor, &client),
        has_secret: client.metadata.token_endpoint_auth_method.uses_secret(),
        groups: vec![
            settings_to_copy(&visitor, &client),
            access(page, &client),
            proof(page, &client, &visitor),
        ],
    })
}

/// `GET /console/clients/{id}/delete`.
async fn ask_to_delete(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Clients))?;
    let client = client_of(&visitor, &request).await?;
    let page = visitor.shell(&SECTION);
    let mut consequences = vec!["client-delete-sign-in", "client-delete-tokens"];
    if !client.metadata.has_people() {
        consequences.remove(0);
    }
    let scope = client.metadata.scope.clone().unwrap_or_default();
    if scope.contains(ADMIN) {
        consequences.push("client-delete-admin");
    }
    consequences.push("client-delete-final");
    let path = format!("/clients/{}", client.id);
    visitor.show(&Confirm {
        page,
        title: page.f("client-delete-title", "name", &client.name()),
        lede: String::new(),
        consequences: consequences
            .into_iter()
            .map(|id| page.t(id).into_owned())
            .collect(),
        action: page.path(&format!("{path}/delete")),
        hidden: Vec::new(),
        button: page.t("client-delete").into_owned(),
        back: page.path(&path),
    })
}

/// `POST /console/clients/{id}/delete`.
async fn delete(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Clients))?;
    visitor.take()?;
    let client = client_of(&visitor, &request).await?;
    visitor
        .provider()
        .delete_client(&visitor.tenant, client.id, &visitor.by())
        .await
        .map_err(|error| visitor.fault(error))?;
    let notice = Notice::new("client-deleted").name(client.name());
    visitor.done("/clients", &notice)
}
