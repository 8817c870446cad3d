//! Who may do what in administration: one table from roles to permissions, read by the API and by the console, and the rule that nobody
//! grants more than they hold.
//!
//! A door (a route, a page) asks [`Principal::check`] for its permission before anything else; what depends on the data, as whether a
//! person administers more than whoever wants to close their account, the flows ask of [`Authority`] in the transaction of the act.

use std::sync::Arc;

use super::error::{AdminError, By};
use crate::domain::audit::{Actor, Origin};
use crate::domain::client::Client;
use crate::domain::ids::{ClientId, TenantId, UserId};
use crate::domain::role::Role;
use crate::domain::tenant::SYSTEM_SLUG;
use crate::domain::user::User;
use crate::flows::access::{Access, AccessRefusal, Presented};
use crate::flows::console::SOFTWARE_ID;
use crate::flows::issue::is_opaque;
use crate::flows::provider::Provider;
use crate::flows::scopes::{ADMIN, admin_api};
use crate::flows::tenancy::Tenant;
use crate::jose::jws::Compact;
use crate::protocol::slug::Slug;
use crate::protocol::step_up::Demand;

/// What is administered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Area {
    /// The installation's tenants: made, listed, suspended, deleted.
    Tenants,
    /// A tenant's name, settings and branding.
    Settings,
    /// People, their passwords' links.
    Users,
    /// Clients and their secrets.
    Clients,
    /// APIs and their scopes.
    Resources,
    /// Custom domains.
    Domains,
    /// Signing keys.
    Keys,
    /// Sessions of people.
    Sessions,
    /// What people allowed to clients.
    Consents,
    /// Who administers.
    Administrators,
    /// Audit events.
    Events,
}

impl Area {
    /// All areas.
    pub const ALL: [Self; 11] = [
        Self::Tenants,
        Self::Settings,
        Self::Users,
        Self::Clients,
        Self::Resources,
        Self::Domains,
        Self::Keys,
        Self::Sessions,
        Self::Consents,
        Self::Administrators,
        Self::Events,
    ];

    /// The name in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenants => "tenants",
            Self::Settings => "settings",
            Self::Users => "users",
            Self::Clients => "clients",
            Self::Resources => "resources",
            Self::Domains => "domains",
            Self::Keys => "keys",
            Self::Sessions => "sessions",
            Self::Consents => "consents",
            Self::Administrators => "administrators",
            Self::Events => "events",
        }
    }
}

/// Something that a role allows or doesn't.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Sees it.
    Read(Area),
    /// Changes it.
    Write(Area),
}

impl Permission {
    /// The name in documents: `users:read`.
    pub fn name(self) -> String {
        match self {
            Self::Read(area) => format!("{}:read", area.as_str()),
            Self::Write(area) => format!("{}:write", area.as_str()),
        }
    }

    /// Which of a tenant's roles have it. Those of the area [`Area::Tenants`] are the operators' alone.
    pub fn roles(self) -> &'static [Role] {
        use Role::{Administrator, Auditor, ClientManager, UserManager};
        match self {
            Self::Read(Area::Tenants) | Self::Write(Area::Tenants) => &[],
            Self::Read(Area::Settings) => &[Administrator, UserManager, ClientManager, Auditor],
            Self::Read(Area::Users | Area::Sessions | Area::Consents) => {
                &[Administrator, UserManager, Auditor]
            }
            Self::Write(Area::Users | Area::Sessions | Area::Consents) => {
                &[Administrator, UserManager]
            }
            Self::Read(Area::Clients | Area::Resources) => &[Administrator, ClientManager, Auditor],
            Self::Write(Area::Clients | Area::Resources) => &[Administrator, ClientManager],
            Self::Read(Area::Domains | Area::Keys | Area::Administrators | Area::Events) => {
                &[Administrator, Auditor]
            }
            Self::Write(
                Area::Settings | Area::Domains | Area::Keys | Area::Administrators | Area::Events,
            ) => &[Administrator],
        }
    }
}

impl Permission {
    /// Who has it, in words.
    pub fn holders(self) -> String {
        match self.roles() {
            [] => "operators of the installation".to_owned(),
            roles => roles
                .iter()
                .map(|role| role.as_str())
                .collect::<Vec<_>>()
                .join(" or "),
        }
    }
}

/// How far somebody's power reaches over people and clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// Over everything: an operator, the command line, the server itself.
    Full,
    /// As far as these roles.
    Roles(Vec<Role>),
}

impl Authority {
    /// Whether all these roles are held.
    pub fn holds(&self, roles: &[Role]) -> bool {
        match self {
            Self::Full => true,
            Self::Roles(held) => {
                held.contains(&Role::Administrator) || roles.iter().all(|role| held.contains(role))
            }
        }
    }

    /// Refuses to give out roles that aren't held. Who administers is for administrators to say.
    pub fn check_grant(&self, roles: &[Role]) -> Result<(), AdminError> {
        if roles.is_empty() || self.holds(&[Role::Administrator]) {
            return Ok(());
        }
        Err(AdminError::Forbidden(
            "only an administrator says who administers".to_owned(),
        ))
    }

    /// Refuses to act on somebody who administers more than whoever acts: by another password one would become them.
    pub fn check_over(&self, user: &User) -> Result<(), AdminError> {
        if self.holds(&user.roles) {
            return Ok(());
        }
        Err(AdminError::Forbidden(format!(
            "{} administers more than you do; ask an administrator",
            user.email
        )))
    }

    /// Refuses to act on a client that administers, or could: its secret and its redirect URIs are keys to the tenant.
    pub fn check_client(&self, client: &Client) -> Result<(), AdminError> {
        if client.metadata.software_id.as_deref() == Some(SOFTWARE_ID) {
            return Err(AdminError::Refused(
                "the console's client is built in: it is made and kept by the server itself"
                    .to_owned(),
            ));
        }
        if client.metadata.token_exchange_impersonation && !self.holds(&[Role::Administrator]) {
            return Err(AdminError::Forbidden(
                "a client with token_exchange_impersonation gets tokens that hide who uses them; only an administrator makes or changes one".to_owned(),
            ));
        }
        if client.metadata.native_sso_group.is_some() && !self.holds(&[Role::Administrator]) {
            return Err(AdminError::Forbidden(
                "a client with native_sso_group signs people in by the sessions of other applications; only an administrator makes or changes one".to_owned(),
            ));
        }
        let administers = client
            .metadata
            .scope
            .as_ref()
            .is_some_and(|scope| scope.iter().any(|token| token == ADMIN));
        if !administers || self.holds(&[Role::Administrator]) {
            return Ok(());
        }
        Err(AdminError::Forbidden(format!(
            "a client with the scope {ADMIN} administers the tenant; only an administrator makes or changes one"
        )))
    }
}

/// Who is at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A person.
    User(UserId),
    /// A program.
    Client(ClientId),
}

/// Somebody who administers, as their token says and as is known of them at this moment.
#[derive(Clone)]
pub struct Principal {
    /// The tenant whose token it is.
    pub home: Arc<Tenant>,
    /// Who.
    pub subject: Subject,
    /// What they administer there.
    pub roles: Vec<Role>,
    /// When they signed in, in seconds; none where it isn't known, and of a program.
    pub auth_time: Option<i64>,
}

impl Principal {
    /// From an access token that was found good; refuses one that isn't for administration, or whose person administers nothing.
    pub fn new(provider: &Provider, home: Arc<Tenant>, access: &Access) -> Result<Self, DoorError> {
        let forbidden = |why: &str| Err(AdminError::Forbidden(why.to_owned()).into());
        if !access.claims.aud.contains(&admin_api(provider)) {
            return Err(DoorError::Audience);
        }
        if !access.claims.scope.iter().any(|token| token == ADMIN) {
            return forbidden("the token lacks the scope tessera:admin");
        }
        let (subject, roles) = match &access.person {
            Some(person) => (Subject::User(person.id), person.state.roles.clone()),
            // A program with the scope is an administrator's deputy: only they can register one.
            None => (Subject::Client(access.client.id), vec![Role::Administrator]),
        };
        if roles.is_empty() {
            return forbidden("you administer nothing here: an administrator grants roles");
        }
        Ok(Self {
            home,
            subject,
            roles,
            auth_time: access.claims.auth_time,
        })
    }

    /// Whether they may manage every tenant.
    pub fn is_operator(&self) -> bool {
        self.home.slug().as_str() == SYSTEM_SLUG && self.roles.contains(&Role::Administrator)
    }

    /// Whether they may see this tenant at all.
    pub fn reaches(&self, tenant: TenantId) -> bool {
        self.home.id() == tenant || self.is_operator()
    }

    /// Whether they have this permission in a tenant that they reach.
    pub fn may(&self, permission: Permission) -> bool {
        self.is_operator()
            || permission
                .roles()
                .iter()
                .any(|role| self.roles.contains(role))
    }

    /// Refuses what they may not do.
    pub fn check(&self, permission: Permission) -> Result<(), AdminError> {
        if self.may(permission) {
            return Ok(());
        }
        Err(AdminError::Forbidden(format!(
            "{} is for {}",
            permission.name(),
            permission.holders()
        )))
    }

    /// What their tenant demands of the sign-in of whoever changes something, wherever they change it. Programs don't sign in.
    pub fn demand(&self) -> Option<Demand> {
        let settings = self.home.settings();
        let max_age = settings.administration_max_age;
        let is_demanded =
            settings.administration_reauthentication && matches!(self.subject, Subject::User(_));
        is_demanded.then_some(Demand { max_age })
    }

    /// Refuses whose sign-in is too old to change anything (RFC 9470).
    pub fn check_sign_in(&self, now: i64) -> Result<(), Demand> {
        match self.demand() {
            Some(demand) if !demand.is_met(self.auth_time, now) => Err(demand),
            _ => Ok(()),
        }
    }

    /// As the flows want it.
    pub fn by(&self, origin: &Origin) -> By {
        let actor = match self.subject {
            Subject::User(id) if self.is_operator() => Actor::Operator(id.uuid()),
            Subject::Client(id) if self.is_operator() => Actor::Operator(id.uuid()),
            Subject::User(id) => Actor::User(id),
            Subject::Client(id) => Actor::Client(id),
        };
        By {
            actor,
            origin: origin.clone(),
            authority: if self.is_operator() {
                Authority::Full
            } else {
                Authority::Roles(self.roles.clone())
            },
            once: None,
        }
    }
}

/// Why nobody was let in.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The token isn't good.
    #[error(transparent)]
    Access(#[from] AccessRefusal),
    /// It is for another API.
    #[error("the token's audience isn't the administration API: ask for it with `resource`")]
    Audience,
    /// It is good, but not for this.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

/// Whose token it may be.
fn homes(about: Option<&Slug>, token: &str) -> Vec<Slug> {
    if !is_opaque(token) {
        let claims = Compact::parse(token).and_then(|token| token.claims());
        let named = claims
            .ok()
            .and_then(|claims| Slug::parse(claims.get("tenant")?.as_str()?).ok());
        return named.into_iter().collect();
    }
    let mut slugs: Vec<_> = about
        .cloned()
        .into_iter()
        .chain(Some(Slug::system()))
        .collect();
    slugs.dedup();
    slugs
}

impl Provider {
    /// Whoever presents this access token of `home`.
    pub async fn check_principal(
        &self,
        home: &Arc<Tenant>,
        presented: Presented<'_>,
    ) -> Result<Principal, DoorError> {
        let access = self.check_presented_token(home, presented).await?;
        Principal::new(self, home.clone(), &access)
    }

    /// Whoever presents this access token, at a request about the tenant `about`. Whose token it is it says itself, which nothing relies
    /// upon before that tenant has found it good; an opaque one says nothing, and is the tenant's in hand or the operators'.
    pub async fn find_principal(
        &self,
        about: Option<&Slug>,
        presented: Presented<'_>,
    ) -> Result<Principal, DoorError> {
        let mut refusal = AccessRefusal::Malformed.into();
        for slug in homes(about, presented.token) {
            let Some(home) = self.find_tenant(&slug).await.map_err(AccessRefusal::from)? else {
                continue;
            };
            match self.check_principal(&home, presented).await {
                Err(DoorError::Access(AccessRefusal::Malformed)) => {}
                Err(error) => refusal = error,
                Ok(principal) => return Ok(principal),
            }
        }
        Err(refusal)
    }
}
