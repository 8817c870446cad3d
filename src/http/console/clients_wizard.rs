//! Registering a client, by kind: what it is, what it needs, and what to do in the application then.
//!
//! Each form carries a token of its own, which is written down in the transaction that registers the client: a form that is sent again
//! leads to the client that it made.

use actix_web::HttpRequest;
use askama::Template;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::clients::{SECTION, SettingGroup, client_of, is_built_in, may_change, settings_to_copy};
use super::clients_faults;
use super::clients_kind::Kind;
use super::layout::Shell;
use super::notice::Notice;
use super::parts::{Choice, Draft, Field, FieldKind};
use super::shown_once;
use super::snippets::{self, Snippet, Values};
use super::visitor::Visitor;
use crate::domain::ids::ClientId;
use crate::flows::admin::{AdminError, Area, By, Permission, REMEMBERED};
use crate::http::error::{Answer, PageError};
use crate::protocol::client_metadata::{ClientMetadata, ResponseType};
use crate::protocol::scope::{ADDRESS, EMAIL, OFFLINE_ACCESS, PHONE, PROFILE};
use crate::storage::Once;

/// The first step: what kind of client it is.
#[derive(Template)]
#[template(path = "console/client_kinds.html")]
pub struct Kinds<'a> {
    /// The page around it.
    pub page: Shell<'a>,
}

/// The second step: what that kind needs.
#[derive(Template)]
#[template(path = "console/client_new.html")]
pub struct NewClient<'a> {
    /// The page around it.
    pub page: Shell<'a>,
    /// The kind.
    pub kind: Kind,
    /// The form's own token.
    pub form: String,
    /// What is asked for.
    pub fields: Vec<Field>,
    /// What few will want to fill in.
    pub more: Vec<Field>,
    /// What is wrong with none of them.
    pub problems: Vec<String>,
}

impl NewClient<'_> {
    /// Whether what few fill in is to be seen.
    pub fn more_is_open(&self) -> bool {
        let is_filled = |field: &Field| match &field.kind {
            // What is ticked at first says nothing.
            FieldKind::Boxes(choices) => choices
                .iter()
                .any(|choice| choice.chosen && choice.value != ResponseType::Code.as_str()),
            _ => !field.value.is_empty(),
        };
        self.more
            .iter()
            .any(|field| field.problem.is_some() || is_filled(field))
    }
}

/// The last step, and later a page of its own: what to do in the application.
#[derive(Template)]
#[template(path = "console/client_connect.html")]
pub struct Connect<'a> {
    /// The page around it.
    pub page: Shell<'a>,
    /// The client's name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Below the console's address.
    pub path: String,
    /// Its secret, this once.
    pub secret: Option<String>,
    /// Whether the application needs one.
    pub has_secret: bool,
    /// Whether the visitor may try it.
    pub may_try: bool,
    /// What to copy.
    pub settings: SettingGroup,
    /// How it is written.
    pub snippets: Vec<Snippet>,
    /// How an API checks its tokens.
    pub verifying: Vec<Snippet>,
}

fn kind_of(visitor: &Visitor, request: &HttpRequest) -> Result<Kind, PageError> {
    let kind = request.match_info().get("kind").and_then(Kind::parse);
    kind.ok_or_else(|| visitor.not_found())
}

/// What stands beside a scope of a person.
fn person_scopes(page: Shell<'_>) -> Vec<Choice> {
    let scopes = [PROFILE, EMAIL, PHONE, ADDRESS, OFFLINE_ACCESS];
    scopes
        .map(|scope| Choice::new(scope, scope).hint(page.t(&format!("client-scope-{scope}"))))
        .into()
}

/// What stands beside a response type.
pub(super) fn response_types(page: Shell<'_>) -> Vec<Choice> {
    let of = |own: ResponseType| {
        // Fluent's names know no space.
        let about = format!("client-response-{}", own.as_str().replace(' ', "-"));
        Choice::new(own.as_str(), own.as_str()).hint(page.t(&about))
    };
    ResponseType::ALL.map(of).into()
}

fn api_scopes(visitor: &Visitor) -> Vec<Choice> {
    let mut choices = Vec::new();
    for resource in &visitor.tenant.resources {
        for scope in &resource.scopes {
            let about = scope.description.as_deref().unwrap_or_default();
            let hint = match about {
                "" => resource.name.clone(),
                about => format!("{}: {about}", resource.name),
            };
            let value = format!("{} {}", resource.identifier, scope.name);
            choices.push(Choice::new(value, scope.name.clone()).hint(hint));
        }
    }
    choices
}

fn fields(visitor: &Visitor, kind: Kind, draft: &Draft) -> Vec<Field> {
    let page = visitor.shell(&SECTION);
    let label = |name: &str| page.t(&format!("client-field-{name}"));
    let hint = |name: &str| page.t(&format!("client-new-{name}"));
    let lines = |name: &'static str| Field::new(name, label(name), FieldKind::Lines(3));
    let wanted = kind.fields().iter().filter_map(|name| {
        Some(match *name {
            "client_name" => Field::text("client_name", label("client_name"))
                .hint(page.t(if kind.signs_in() {
                    "client-new-name"
                } else {
                    "client-new-name-service"
                }))
                .required(),
            "redirect_uris" => lines("redirect_uris")
                .hint(page.t(&format!("client-new-redirect-{}", kind.as_str())))
                .required(),
            "post_logout_redirect_uris" => {
                lines("post_logout_redirect_uris").hint(hint("post_logout"))
            }
            "scope" => Field::new(
                "scope",
                page.t("client-new-scope"),
                FieldKind::Boxes(person_scopes(page)),
            )
            .hint(hint("scope-hint")),
            "api" => {
                let choices = api_scopes(visitor);
                if choices.is_empty() {
                    return None;
                }
                Field::new("api", page.t("client-new-api"), FieldKind::Boxes(choices))
                    .hint(hint("api-hint"))
            }
            "skip_consent" => Field::new("skip_consent", label("skip_consent"), FieldKind::Box)
                .hint(page.t("client-hint-skip_consent")),
            "logo_uri" => Field::new("logo_uri", label("logo_uri"), FieldKind::Line("url"))
                .hint(page.t("client-hint-logo_uri")),
            "response_types" if visitor.tenant.settings().front_channel_tokens => Field::new(
                "response_types",
                label("response_types"),
                FieldKind::Boxes(response_types(page)),
            )
            .hint(page.t("client-new-response_types")),
            _ => return None,
        })
    });
    wanted.map(|field| field.of(draft)).collect()
}

fn view<'a>(visitor: &'a Visitor, kind: Kind, draft: &Draft, form: Uuid) -> NewClient<'a> {
    let all = fields(visitor, kind, draft);
    let mut problems = draft.other_problems(&all);
    if kind == Kind::Service && visitor.tenant.resources.is_empty() {
        problems.push(visitor.shell(&SECTION).t("client-new-no-api").into_owned());
    }
    let (more, fields) = all
        .into_iter()
        .partition(|field| ["logo_uri", "skip_consent", "response_types"].contains(&field.name));
    NewClient {
        page: visitor.shell(&SECTION),
        kind,
        form: form.to_string(),
        fields,
        more,
        problems,
    }
}

/// `GET /console/clients/new`.
pub async fn kinds(visitor: Visitor) -> Answer {
    visitor.check(Permission::Write(Area::Clients))?;
    visitor.show(&Kinds {
        page: visitor.shell(&SECTION),
    })
}

/// `GET /console/clients/new/{kind}`.
pub async fn begin(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Clients))?;
    let kind = kind_of(&visitor, &request)?;
    let form = visitor.provider().clock.uuid_v7();
    visitor.show(&view(&visitor, kind, &kind.draft(), form))
}

/// The form's token as what is written down with what it makes. Whoever sends it again gets what it made, whatever else it says by then.
pub(super) fn once(visitor: &Visitor, what: &str, form: Uuid) -> Once {
    let hash = Sha256::new()
        .chain_update("console: ")
        .chain_update(what)
        .chain_update(form.as_bytes())
        .finalize();
    Once {
        caller: visitor.session.user.id.uuid(),
        key_hash: hash.into(),
        request_hash: hash.into(),
        expires_at: visitor.now() + REMEMBERED,
    }
}

/// `POST /console/clients/new/{kind}`.
pub async fn create(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Clients))?;
    let form = visitor.take()?;
    let kind = kind_of(&visitor, &request)?;
    let mut draft = Draft::sent(&form, kind.fields());
    let token = Uuid::try_parse(form.input("form")).map_err(|_| {
        let told = visitor.shell(&SECTION).t("advice-form").into_owned();
        visitor.fault(AdminError::Refused(told))
    })?;
    if draft.given("client_name").is_none() {
        let wanted = visitor.shell(&SECTION).t("client-name-wanted");
        draft.blame("client_name", wanted);
    }
    let document = kind.metadata(&draft);
    let metadata = match ClientMetadata::from_json(document.clone()) {
        Ok(metadata) if !draft.is_wrong() => metadata,
        Ok(_) => return visitor.show_again(&view(&visitor, kind, &draft, token)),
        Err(error) => {
            // An empty name is blamed already.
            if error.field != "client_name" || !draft.is_wrong() {
                let page = visitor.shell(&SECTION);
                let told = clients_faults::of_metadata(page, &document, &error);
                draft.blame(&error.field, told);
            }
            return visitor.show_again(&view(&visitor, kind, &draft, token));
        }
    };
    let once = once(&visitor, "a new client", token);
    let by = By {
        once: Some(once.clone()),
        ..visitor.by()
    };
    let provider = visitor.provider();
    let created = provider.create_client(&visitor.tenant, metadata, &by).await;
    let created = match created {
        Ok(created) => created,
        Err(AdminError::Repeated) => {
            let made = provider.find_repeated(&visitor.tenant, once).await;
            let made = made.map_err(|error| visitor.fault(error))?.made;
            return Ok(visitor.go(&format!("/clients/{}/connect", ClientId::from(made))));
        }
        Err(error) => {
            let error = clients_faults::of_tenant(&visitor, &draft, error);
            draft
                .take(visitor.shell(&SECTION), error)
                .map_err(|error| visitor.fault(error))?;
            return visitor.show_again(&view(&visitor, kind, &draft, token));
        }
    };
    let id = created.client.id;
    let notice = Notice::new("client-created").name(created.client.name());
    let mut response = visitor.done(&format!("/clients/{id}/connect"), &notice)?;
    if let Some(made) = &created.secret {
        shown_once::keep(&visitor, &mut response, id.uuid(), made);
    }
    Ok(response)
}

/// `GET /console/clients/{id}/connect`.
pub async fn connect(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Read(Area::Clients))?;
    let client = client_of(&visitor, &request).await?;
    if is_built_in(&client) {
        return Err(visitor.not_found());
    }
    let kind = Kind::of(&client.metadata);
    let values = Values::of(&visitor.tenant.canonical, &client);
    let made = shown_once::find(&visitor, &request, client.id.uuid());
    let view = Connect {
        page: visitor.shell(&SECTION),
        name: client.name(),
        kind,
        path: format!("/clients/{}", client.id),
        has_secret: client.metadata.token_endpoint_auth_method.uses_secret(),
        may_try: may_change(&visitor, &client),
        settings: settings_to_copy(&visitor, &client),
        snippets: snippets::of(kind, &values),
        verifying: snippets::verifying(&values),
        secret: made,
    };
    let mut response = visitor.show(&view)?;
    if view.secret.is_some() {
        shown_once::forget(&visitor, &mut response);
    }
    Ok(response)
}
