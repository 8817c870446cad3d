//! People: the list, and somebody new.

use actix_web::web;

use super::notice::Notice;
use super::parts::{Cell, Choice, Draft, Empty, Field, FieldKind, ListQuery, Table, Tone};
use super::routes::at;
use super::sections::{Reach, Section};
use super::sheets::{self, Act, FormSheet, Group, ListSheet};
use super::shown_once;
use super::visitor::Visitor;
use super::{external_subjects, user, user_access};
use crate::domain::role::Role;
use crate::domain::user::User;
use crate::flows::admin::{AdminError, Area, NewUser, Permission};
use crate::flows::browser::CheckedForm;
use crate::flows::sessions::display_name;
use crate::http::error::{Answer, PageError};
use crate::http::extract::Query;
use crate::protocol::email::EmailAddress;
use crate::secret::PlainSecret;

/// This section.
pub static SECTION: Section = Section {
    path: "/users",
    label: "section-users",
    needs: Some(READ),
    reach: Reach::Tenant,
    routes: |pages| {
        pages.service(at("/users").route(web::get().to(list)));
        pages.service(
            at("/users/new")
                .route(web::get().to(ask_for_new))
                .route(web::post().to(create)),
        );
        external_subjects::routes(pages);
        user::routes(pages);
        user_access::routes(pages);
    },
};

/// Who sees people.
pub const READ: Permission = Permission::Read(Area::Users);

/// Who changes them.
pub const WRITE: Permission = Permission::Write(Area::Users);

/// What somebody is called: their name, or else their address.
pub fn called(user: &User) -> String {
    match display_name(user) {
        name if name.is_empty() => user.email.to_string(),
        name => name,
    }
}

/// What stands below what somebody is called: their address, unless they are called by it.
pub fn address_below(user: &User) -> String {
    if display_name(user).is_empty() {
        String::new()
    } else {
        user.email.to_string()
    }
}

/// The roles as boxes to tick.
pub fn role_choices(visitor: &Visitor) -> Vec<Choice> {
    let page = visitor.shell(&SECTION);
    let choice = |role: Role| {
        Choice::new(role.as_str(), page.t(&format!("role-{role}")))
            .hint(page.t(&format!("role-text-{role}")))
    };
    Role::ALL.into_iter().map(choice).collect()
}

/// The roles that are ticked.
pub fn roles_in(draft: &Draft) -> Vec<Role> {
    draft
        .values("roles")
        .filter_map(|name| name.parse().ok())
        .collect()
}

/// `GET /console/users`.
async fn list(visitor: Visitor, Query(params): Query) -> Answer {
    visitor.check(READ)?;
    let query = ListQuery::of(&params, &[]);
    let found = visitor
        .provider()
        .list_users(&visitor.tenant, query.search.clone(), query.page())
        .await
        .map_err(|error| visitor.fault(error))?;
    let page = visitor.shell(&SECTION);
    let row = |user: &User| {
        let roles = user
            .roles
            .iter()
            .map(|role| page.t(&format!("role-{role}")));
        vec![
            Cell::Link {
                href: page.path(&format!("/users/{}", user.id)),
                text: called(user),
                detail: address_below(user),
            },
            if user.is_active() {
                Cell::Badge(Tone::Good, page.t("user-active").into_owned())
            } else {
                Cell::Badge(Tone::Bad, page.t("user-disabled-state").into_owned())
            },
            Cell::Text(roles.collect::<Vec<_>>().join(", ")),
            Cell::moment(&page, &user.created_at),
        ]
    };
    let may_write = visitor.may(WRITE);
    let new = || (page.path("/users/new"), page.t("user-new").into_owned());
    let mut acts = Vec::new();
    if may_write {
        acts.push(Act::link("new", new().0, new().1));
    }
    if external_subjects::is_in_use(&visitor) {
        let href = page.path(external_subjects::PATH);
        acts.push(Act::link("names", href, page.t("names-title")));
    }
    let searched = query.search.is_some();
    visitor.show(&ListSheet {
        page,
        title: page.t("section-users").into_owned(),
        lede: String::new(),
        acts,
        search: Some((
            query.search.clone().unwrap_or_default(),
            page.t("user-search").into_owned(),
        )),
        address: page.path("/users"),
        table: Table {
            caption: page.t("section-users").into_owned(),
            columns: ["user-name", "user-state", "user-roles", "user-made"]
                .map(|id| page.t(id).into_owned())
                .into(),
            rows: found.items.iter().map(row).collect(),
        },
        empty: if searched {
            Empty::nothing_found(&page)
        } else {
            Empty {
                title: page.t("user-empty").into_owned(),
                text: page.t("user-empty-text").into_owned(),
                action: may_write.then(new),
            }
        },
        pager: query.pager(&page.path("/users"), found.next),
    })
}

fn form<'a>(visitor: &'a Visitor, draft: &Draft) -> FormSheet<'a> {
    let page = visitor.shell(&SECTION);
    let mut fields = vec![
        Field::new("email", page.t("user-email"), FieldKind::Line("email"))
            .hint(page.t("user-email-hint"))
            .required(),
        Field::text("name", page.t("user-claim-name")),
        Field::new(
            "password",
            page.t("user-password"),
            FieldKind::Line("password"),
        )
        .hint(page.messages.format(
            "user-password-hint",
            [("least", visitor.tenant.settings().password.minimum_length)],
        )),
    ];
    if visitor.may(Permission::Write(Area::Administrators)) {
        fields.push(Field::new(
            "roles",
            page.t("user-roles"),
            FieldKind::Boxes(role_choices(visitor)),
        ));
    }
    let fields: Vec<_> = fields.into_iter().map(|field| field.of(draft)).collect();
    FormSheet {
        page,
        back: Some((page.path("/users"), page.t("section-users").into_owned())),
        title: page.t("user-new").into_owned(),
        lede: String::new(),
        consequences: Vec::new(),
        stale: String::new(),
        problems: draft.other_problems(&fields),
        action: page.path("/users/new"),
        hidden: Vec::new(),
        groups: Group::plain(fields),
        preview: None,
        button: page.t("user-create").into_owned(),
        danger: false,
        cancel: page.path("/users"),
    }
}

/// `GET /console/users/new`.
async fn ask_for_new(visitor: Visitor) -> Answer {
    visitor.check(WRITE)?;
    visitor.show(&form(&visitor, &Draft::default()))
}

/// An address as it was typed; what is none is said beside its field.
pub fn email_in(visitor: &Visitor, draft: &mut Draft) -> Option<EmailAddress> {
    let parsed = EmailAddress::parse(draft.value("email")).ok();
    if parsed.is_none() {
        draft.blame("email", visitor.shell(&SECTION).t("user-no-email"));
    }
    parsed
}

/// The person with an address as it was typed; nobody where it is none.
pub async fn find_by_email(visitor: &Visitor, typed: &str) -> Result<Option<User>, PageError> {
    let Ok(email) = EmailAddress::parse(typed) else {
        return Ok(None);
    };
    let found = visitor
        .provider()
        .load_user_by_email(&visitor.tenant, &email);
    match found.await {
        Ok(user) => Ok(Some(user)),
        Err(AdminError::NotFound { .. }) => Ok(None),
        Err(error) => Err(visitor.fault(error)),
    }
}

/// Puts what is wrong beside its field.
pub fn take(visitor: &Visitor, draft: &mut Draft, error: AdminError) -> Result<(), PageError> {
    // A claim's field bears the claim's name.
    let error = match error {
        AdminError::Invalid { field, reason } => AdminError::Invalid {
            field: match field.strip_prefix("claims.") {
                Some(claim) => claim.to_owned(),
                None => field,
            },
            reason,
        },
        error => error,
    };
    let page = visitor.shell(&SECTION);
    let taken = page.t("user-taken");
    sheets::take(page, draft, "email", &taken, error).map_err(|error| visitor.fault(error))
}

fn new_user(sent: &CheckedForm, draft: &Draft, email: EmailAddress) -> NewUser {
    // A password is taken as it was typed, spaces at its ends too.
    let password = Some(sent.input("password")).filter(|password| !password.is_empty());
    let mut new = NewUser {
        password: password.map(|password| PlainSecret::new(password.to_owned())),
        roles: roles_in(draft),
        ..NewUser::new(email)
    };
    new.claims.name = draft.given("name").map(ToOwned::to_owned);
    new
}

/// `POST /console/users/new`.
async fn create(visitor: Visitor) -> Answer {
    visitor.check(WRITE)?;
    let sent = visitor.take()?;
    let mut draft = Draft::sent(&sent, &["email", "name", "roles"]);
    let Some(email) = email_in(&visitor, &mut draft) else {
        return visitor.show_again(&form(&visitor, &draft));
    };
    let made = visitor
        .provider()
        .create_user(
            &visitor.tenant,
            new_user(&sent, &draft, email),
            &visitor.by(),
        )
        .await;
    match made {
        Ok(made) => {
            let notice = Notice::new("user-created").name(called(&made.user));
            let mut response = visitor.done(&format!("/users/{}", made.user.id), &notice)?;
            if let Some(link) = &made.link {
                shown_once::keep(&visitor, &mut response, made.user.id.uuid(), &link.url);
            }
            Ok(response)
        }
        Err(error) => {
            take(&visitor, &mut draft, error)?;
            visitor.show_again(&form(&visitor, &draft))
        }
    }
}
