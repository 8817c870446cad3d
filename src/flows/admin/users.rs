//! People: made with a password or a one-time link, changed, closed, opened, deleted.

use serde_json::json;

use super::authority::{Area, Authority, Permission};
use super::error::{AdminError, By, on_conflict};
use super::links::{self, IssuedLink};
use super::once::Claim;
use super::tenants::compare;
use crate::domain::audit::Act;
use crate::domain::ids::UserId;
use crate::domain::role::Role;
use crate::domain::user::{PasswordHash, User, UserStatus};
use crate::flows::password_policy::check_new_password;
use crate::flows::provider::Provider;
use crate::flows::tenancy::Tenant;
use crate::protocol::claims::StandardClaims;
use crate::protocol::email::EmailAddress;
use crate::secret::PlainSecret;
use crate::storage::{self, Page, PageRequest, Repo, SessionGrants};

/// A person to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The address that they sign in with.
    pub email: EmailAddress,
    /// Whether the address is known to be theirs.
    pub email_verified: bool,
    /// Without one they get a link to set it.
    pub password: Option<PlainSecret>,
    /// What the standard claims say of them.
    pub claims: StandardClaims,
    /// What they administer.
    pub roles: Vec<Role>,
}

impl NewUser {
    /// A person with this address and nothing else.
    pub fn new(email: EmailAddress) -> Self {
        Self {
            email,
            email_verified: false,
            password: None,
            claims: StandardClaims::default(),
            roles: Vec::new(),
        }
    }
}

/// A person that was made.
#[derive(Clone, Debug)]
pub struct CreatedUser {
    /// The record.
    pub user: User,
    /// By which they set a password, unless they were given one.
    pub link: Option<IssuedLink>,
}

/// What ended when a person's account was closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disabled {
    /// Sessions.
    pub sessions: usize,
    /// Grants, and so all their tokens.
    pub grants: usize,
}

pub(super) fn taken(email: &EmailAddress) -> AdminError {
    AdminError::Exists {
        kind: "person with the address",
        name: email.to_string(),
    }
}

pub(super) fn check_claims(claims: &StandardClaims) -> Result<(), AdminError> {
    // They follow from the account; stored here they would contradict it one day.
    if claims.email.is_some() || claims.email_verified.is_some() || claims.updated_at.is_some() {
        return Err(AdminError::invalid(
            "claims",
            "email, email_verified and updated_at follow from the account and can't be set as claims",
        ));
    }
    claims
        .validate()
        .map_err(|error| AdminError::invalid(&format!("claims.{}", error.claim), error.reason))
}

/// The person as they are at this moment and stay until the transaction's end, or why whoever acts may not act on them: a role may just have
/// been granted, or the person be gone.
pub(super) fn held(
    repo: &mut Repo<'_>,
    id: UserId,
    by: &By,
) -> storage::Result<Result<User, AdminError>> {
    repo.hold_user(id)?;
    Ok(match repo.find_user(id)? {
        Some(user) => by.authority.check_over(&user).map(|()| user),
        None => Err(AdminError::no_person(id)),
    })
}

/// Why whoever acts may not act on this person, who is [`held`].
pub(super) fn beyond(
    repo: &mut Repo<'_>,
    id: UserId,
    by: &By,
) -> storage::Result<Option<AdminError>> {
    Ok(held(repo, id, by)?.err())
}

/// Why this person may not be taken from those who administer: nobody else would be left who can sign in. Whoever has all power may, as
/// they can appoint another.
///
/// Asked before anything else is read: who administers is held from here to the transaction's end.
pub(super) fn last_administrator(
    repo: &mut Repo<'_>,
    id: UserId,
    by: &By,
) -> storage::Result<Option<AdminError>> {
    if by.authority == Authority::Full {
        return Ok(None);
    }
    repo.hold_administrators()?;
    let last = match repo.find_user(id)? {
        Some(user) if user.is_active() && user.roles.contains(&Role::Administrator) => user,
        _ => return Ok(None),
    };
    if repo.has_other_administrator(id)? {
        return Ok(None);
    }
    Ok(Some(AdminError::Refused(format!(
        "{} is the last administrator here who can sign in; make somebody else an administrator first",
        last.email
    ))))
}

/// Why whoever acts may not shut this person out.
fn irremovable(repo: &mut Repo<'_>, id: UserId, by: &By) -> storage::Result<Option<AdminError>> {
    let last = last_administrator(repo, id, by)?;
    // That somebody is out of reach is said first.
    Ok(beyond(repo, id, by)?.or(last))
}

/// The names of what differs, and none of the values: `email`, `claims.address.locality`.
fn differences(before: &User, after: &User) -> Vec<String> {
    let said = |user: &User| json!({ "email": user.email, "email_verified": user.email_verified, "claims": user.claims });
    let mut names = Vec::new();
    compare(&said(before), &said(after), "", &mut names);
    names
}

const WRITE: Permission = Permission::Write(Area::Users);

impl Provider {
    /// Makes a person; without a password they get a one-time link.
    pub async fn create_user(
        &self,
        tenant: &Tenant,
        new: NewUser,
        by: &By,
    ) -> Result<CreatedUser, AdminError> {
        by.check(WRITE)?;
        check_claims(&new.claims)?;
        by.authority.check_grant(&new.roles)?;
        let now = self.now();
        let password = match new.password {
            Some(password) => {
                check_new_password(
                    &tenant.settings().password,
                    &new.email,
                    &tenant.record.name,
                    password.expose(),
                )?;
                Some(PasswordHash {
                    phc: self.hash_new_password(tenant, password).await?,
                    set_at: now,
                    by_lesser: !by.authority.holds(&[Role::Administrator]),
                })
            }
            None => None,
        };
        let mut roles = new.roles;
        roles.sort_unstable();
        roles.dedup();
        let id = UserId::from(self.clock.uuid_v7());
        let link = password.is_none().then(|| self.new_link(tenant, id, by));
        let user = User {
            id,
            email: new.email,
            email_verified: new.email_verified,
            status: UserStatus::Active,
            claims: new.claims,
            password,
            roles,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let claim = by.claim(
            tenant,
            id.uuid(),
            link.as_ref().map(|(_, issued)| &issued.url),
            &self.clock,
        )?;
        let (stored, kept, by) = (
            user.clone(),
            link.as_ref().map(|(link, _)| link.clone()),
            by.clone(),
        );
        let written = self.db.write(tenant, move |repo| {
            Claim::write(claim.as_ref(), repo)?;
            repo.insert_user(&stored)?;
            repo.record(
                by.event(Act::UserCreated)
                    .user(stored.id)
                    .detail(json!({ "email": stored.email, "roles": stored.roles })),
            )?;
            match &kept {
                Some(link) => links::insert(repo, link, &by),
                None => Ok(()),
            }
        });
        written
            .await
            .map_err(|error| on_conflict(error, || taken(&user.email)))?;
        Ok(CreatedUser {
            user,
            link: link.map(|(_, issued)| issued),
        })
    }

    /// The person with this address.
    pub async fn load_user_by_email(
        &self,
        tenant: &Tenant,
        email: &EmailAddress,
    ) -> Result<User, AdminError> {
        let wanted = email.clone();
        let found = self
            .db
            .read(tenant, move |repo| repo.find_user_by_email(&wanted))
            .await?;
        found.ok_or_else(|| AdminError::no_person(email))
    }

    /// The person with this id.
    pub async fn load_user(&self, tenant: &Tenant, id: UserId) -> Result<User, AdminError> {
        self.db
            .read(tenant, move |repo| repo.find_user(id))
            .await?
            .ok_or_else(|| AdminError::no_person(id))
    }

    /// Lists people in the order of their making; `search` is a part of their address or of one of their names.
    pub async fn list_users(
        &self,
        tenant: &Tenant,
        search: Option<String>,
        page: PageRequest,
    ) -> Result<Page<User>, AdminError> {
        Ok(self
            .db
            .read(tenant, move |repo| repo.list_users(search.as_deref(), page))
            .await?)
    }

    /// Whoever administers something, in the order of their making.
    pub async fn list_administrators(
        &self,
        tenant: &Tenant,
        page: PageRequest,
    ) -> Result<Page<User>, AdminError> {
        Ok(self
            .db
            .read(tenant, move |repo| repo.list_administrators(page))
            .await?)
    }

    /// Replaces address and claims by those of `changed`, provided that nobody changed the person since they were read.
    pub async fn update_user(
        &self,
        tenant: &Tenant,
        changed: User,
        by: &By,
    ) -> Result<User, AdminError> {
        by.check(WRITE)?;
        check_claims(&changed.claims)?;
        let (id, email) = (changed.id, changed.email.clone());
        let by = by.clone();
        let written = self.db.write(tenant, move |repo| {
            let before = match held(repo, id, &by)? {
                Ok(before) => before,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if !repo.update_user(&changed)? {
                return Ok(Ok(false));
            }
            repo.record(by.event(Act::UserUpdated).user(id).detail(
                json!({ "email": changed.email, "changed": differences(&before, &changed) }),
            ))?;
            Ok(Ok(true))
        });
        if written
            .await
            .map_err(|error| on_conflict(error, || taken(&email)))??
        {
            self.load_user(tenant, id).await
        } else {
            Err(AdminError::Stale("person"))
        }
    }

    /// Closes a person's account and ends everything that they have: sessions, grants with their tokens, links. `None` where it is
    /// closed already. The last administrator stays, unless whoever acts has all power.
    pub async fn disable_user(
        &self,
        tenant: &Tenant,
        id: UserId,
        by: &By,
    ) -> Result<Option<Disabled>, AdminError> {
        by.check(WRITE)?;
        let by = by.clone();
        let ended = self.db.write(tenant, move |repo| {
            if let Some(refusal) = irremovable(repo, id, &by)? {
                return Ok(Err(refusal));
            }
            if !repo.set_user_disabled(id, true)? {
                return Ok(Ok(None));
            }
            let sessions = repo.end_sessions(id, None, SessionGrants::All)?;
            let ended = Disabled {
                sessions,
                grants: repo.revoke_grants_of_user(id, None)?,
            };
            repo.revoke_links(id)?;
            repo.record(by.event(Act::UserDisabled).user(id).detail(
                json!({ "sessions_ended": ended.sessions, "grants_revoked": ended.grants }),
            ))?;
            Ok(Ok(Some(ended)))
        });
        ended.await?
    }

    /// Opens a person's account again; `false` where it is open already.
    pub async fn enable_user(
        &self,
        tenant: &Tenant,
        id: UserId,
        by: &By,
    ) -> Result<bool, AdminError> {
        by.check(WRITE)?;
        let by = by.clone();
        let done = self.db.write(tenant, move |repo| {
            if let Some(refusal) = beyond(repo, id, &by)? {
                return Ok(Err(refusal));
            }
            let done = repo.set_user_disabled(id, false)?;
            if done {
                repo.record(by.event(Act::UserEnabled).user(id))?;
            }
            Ok(Ok(done))
        });
        done.await?
    }

    /// Deletes a person with everything that is theirs; their audit events stay. The last administrator stays, unless whoever acts has all
    /// power.
    pub async fn delete_user(
        &self,
        tenant: &Tenant,
        user: &User,
        by: &By,
    ) -> Result<(), AdminError> {
        by.check(WRITE)?;
        let (id, email, by) = (user.id, user.email.clone(), by.clone());
        let done = self.db.write(tenant, move |repo| {
            if let Some(refusal) = irremovable(repo, id, &by)? {
                return Ok(Err(refusal));
            }
            // Before the deletion, so that every cache learns of it, and every client that knows them: nothing cascades there.
            repo.end_sessions(id, None, SessionGrants::All)?;
            repo.revoke_grants_of_user(id, None)?;
            let done = repo.delete_user(id)?;
            if done {
                repo.record(
                    by.event(Act::UserDeleted)
                        .user(id)
                        .detail(json!({ "email": email })),
                )?;
            }
            Ok(Ok(done))
        });
        if done.await?? {
            Ok(())
        } else {
            Err(AdminError::no_person(&user.email))
        }
    }

    /// Takes away the code that a person has themselves asked with, which they may have told to somebody; `false` where there is none.
    pub async fn remove_request_code(
        &self,
        tenant: &Tenant,
        id: UserId,
        by: &By,
    ) -> Result<bool, AdminError> {
        by.check(WRITE)?;
        let by = by.clone();
        let done = self.db.write(tenant, move |repo| {
            if let Some(refusal) = beyond(repo, id, &by)? {
                return Ok(Err(refusal));
            }
            let done = repo.set_request_code(id, None)?;
            if done {
                repo.record(by.event(Act::RequestCodeRemoved).user(id))?;
            }
            Ok(Ok(done))
        });
        done.await?
    }

    /// Makes a link by which a person sets another password; the present one holds until then.
    pub async fn reset_password(
        &self,
        tenant: &Tenant,
        user: &User,
        by: &By,
    ) -> Result<IssuedLink, AdminError> {
        by.check(WRITE)?;
        let (link, issued) = self.new_link(tenant, user.id, by);
        let by = by.clone();
        let made = self.db.write(tenant, move |repo| {
            let user = match held(repo, link.user_id, &by)? {
                Ok(user) => user,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if !user.is_active() {
                return Ok(Err(AdminError::refused(format!(
                    "{} is disabled; enable the account first",
                    user.email
                ))));
            }
            links::insert(repo, &link, &by).map(Ok)
        });
        made.await??;
        Ok(issued)
    }
}
