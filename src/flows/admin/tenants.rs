//! Tenants: made with their data key and their first signing key, changed, closed, opened and deleted.

use std::sync::Arc;

use serde_json::{Value, json};

use super::authority::{Area, Permission};
use super::error::{AdminError, By};
use super::once::Claim;
use crate::config::nearest;
use crate::domain::audit::{Act, Event};
use crate::domain::ids::TenantId;
use crate::domain::settings::{AssertionIssuer, SoftwareStatementIssuer, TenantSettings};
use crate::domain::tenant::{SYSTEM_SLUG, TenantRecord, TenantStatus, check_display_name};
use crate::flows::issue::ACCESS_TOKEN_ALGORITHM;
use crate::flows::keys::key_event;
use crate::flows::master::MasterKeyState;
use crate::flows::provider::{FlowError, Provider};
use crate::flows::tenancy::Tenant;
use crate::jose::certificate::Authorities;
use crate::jose::revocation_lists::RevocationLists;
use crate::jose::seal::DataKey;
use crate::protocol::slug::Slug;
use crate::protocol::uri::parse_web;
use crate::storage::{
    self, Installation, LoadedTenant, NewTenant, Page, PageRequest, Repo, TenantScope, WordOf,
};

/// What the built-in tenant of the operators is called.
pub const SYSTEM_NAME: &str = "Operators";

/// What became of a new tenant.
enum Made {
    Yes,
    SlugTaken,
    /// The master key was rotated since this process read it.
    OtherMasterKey,
}

/// Whether the master key is still the one that this process read. Takes the row's lock too: a rotation of the master key comes wholly
/// before a tenant that is made in this transaction or wholly after it.
pub(super) fn is_sealed_under(
    all: &mut Installation<'_>,
    fingerprint: &str,
) -> storage::Result<bool> {
    Ok(
        all.replace_master_key_fingerprint(fingerprint, fingerprint)?
            || all.master_key_fingerprint()?.is_none(),
    )
}

const STATEMENT_ISSUERS: &str = "software_statement_issuers";
const ASSERTION_ISSUERS: &str = "assertion_issuers";

/// What a tenant's name and settings have to be.
fn check_values(name: &str, settings: &TenantSettings) -> Result<(), AdminError> {
    check_display_name(name).map_err(|error| AdminError::invalid("name", error))?;
    settings.check().map_err(|error| {
        AdminError::invalid(
            error.name,
            format!(
                "must be between {} and {}, not {}",
                error.least, error.most, error.value
            ),
        )
    })?;
    Authorities::parse(&settings.client_certificate_authorities)
        .map_err(|error| AdminError::invalid("client_certificate_authorities", error))?;
    RevocationLists::parse(&settings.client_certificate_revocation_lists)
        .map_err(|error| AdminError::invalid("client_certificate_revocation_lists", error))?;
    SoftwareStatementIssuer::check_all(&settings.software_statement_issuers)
        .map_err(|error| AdminError::invalid(STATEMENT_ISSUERS, error))?;
    AssertionIssuer::check_all(&settings.assertion_issuers)
        .map_err(|error| AdminError::invalid(ASSERTION_ISSUERS, error))?;
    let notices = &settings.backchannel_notice_uri;
    if !notices.is_empty() {
        parse_web(notices).map_err(|error| AdminError::invalid("backchannel_notice_uri", error))?;
    }
    Ok(())
}

pub(super) fn other_master_key() -> AdminError {
    AdminError::refused(
        "the master key was rotated after this process had read it; start it again with the new key",
    )
}

/// Tells the operators of acts on whole tenants: in their own audit they are found when the tenant is gone, and its events with it. Nothing
/// else of a tenant is said there than which it is, and whether its keys went along.
pub(super) fn tell_operators(all: &mut Installation<'_>, events: &[Event]) -> storage::Result<()> {
    if !events.is_empty()
        && let Some(system) = all.find_tenant(&Slug::system())?
    {
        all.tenant(system.scope, |repo| repo.record_all(events))?;
    }
    Ok(())
}

/// Which tenant it is, for the operators' audit.
pub(super) fn identity(id: TenantId, slug: &Slug, name: &str) -> Value {
    json!({ "slug": slug, "tenant_id": id, "name": name })
}

impl Provider {
    /// The same, and that this installation would send requests to each address among the settings. An import is asked too, as it is of its
    /// clients: what can't be reached from here has to be mended in the file, or allowed by whoever runs this installation.
    pub(super) fn check_tenant(
        &self,
        name: &str,
        settings: &TenantSettings,
    ) -> Result<(), AdminError> {
        check_values(name, settings)?;
        for (field, uri) in settings.outward_uris() {
            self.egress
                .check(uri)
                .map_err(|error| AdminError::invalid(field, error))?;
        }
        Ok(())
    }

    /// Makes a tenant: it works at once.
    pub async fn create_tenant(
        &self,
        slug: &str,
        name: &str,
        by: &By,
    ) -> Result<Arc<Tenant>, AdminError> {
        by.check(Permission::Write(Area::Tenants))?;
        let slug = Slug::choose(slug).map_err(|error| AdminError::invalid("slug", error))?;
        check_display_name(name).map_err(|error| AdminError::invalid("name", error))?;
        let mut made = self.make_tenant(&slug, name, by).await?;
        // Where the key's file has the new one by now, it is done with that; whoever else asked meanwhile may have taken it already.
        if matches!(made, Made::OtherMasterKey)
            && self.follow_master_key().await? != MasterKeyState::Rotated
        {
            made = self.make_tenant(&slug, name, by).await?;
        }
        match made {
            Made::Yes => self
                .find_tenant(&slug)
                .await?
                .ok_or_else(|| AdminError::no_tenant(&slug)),
            Made::SlugTaken => Err(AdminError::Exists {
                kind: "tenant with the slug",
                name: slug.to_string(),
            }),
            Made::OtherMasterKey => Err(other_master_key()),
        }
    }

    /// The built-in tenant of the operators, made where it isn't there yet. Any number of nodes may do this at once.
    pub async fn ensure_system_tenant(&self) -> Result<Arc<Tenant>, AdminError> {
        let slug = Slug::system();
        // Past the cache, which would remember that it wasn't there though another process made it meanwhile.
        let wanted = slug.clone();
        let there = self
            .db
            .read_installation(move |all| Ok(all.find_tenant(&wanted)?.is_some()))
            .await?;
        if !there {
            let made = self.make_tenant(&slug, SYSTEM_NAME, &By::system()).await?;
            if matches!(made, Made::OtherMasterKey) {
                return Err(other_master_key());
            }
        }
        self.system_tenant().await
    }

    /// The built-in tenant of the operators.
    pub async fn system_tenant(&self) -> Result<Arc<Tenant>, AdminError> {
        self.load_tenant_named(SYSTEM_SLUG).await
    }

    async fn make_tenant(&self, slug: &Slug, name: &str, by: &By) -> Result<Made, AdminError> {
        let id = TenantId::from(self.clock.uuid_v7());
        let data_key = DataKey::generate(&self.clock);
        // Once for both: it may be replaced while the signing key is made, and a seal under the old one would pass for one under the new.
        let master = self.master();
        let sealed_data_key = data_key.seal_under(&master, id.uuid(), &self.clock)?;
        let fingerprint = master.fingerprint();
        let signs_from = self.now();
        let key = self
            .new_key(id, &data_key, ACCESS_TOKEN_ALGORITHM.into(), signs_from)
            .await?;
        let tenant = NewTenant {
            id,
            slug: slug.clone(),
            name: name.to_owned(),
            sealed_data_key,
        };
        // The tenant has no rows before it is made: the operators' tenant remembers the key.
        let claim = match &by.once {
            Some(_) => {
                let system = self.system_tenant().await?;
                by.claim(&system, id.uuid(), None, &self.clock)?
                    .map(|claim| (*AsRef::<TenantScope>::as_ref(&*system), claim))
            }
            None => None,
        };
        let by = by.clone();
        let written = self.db.write_installation(move |all| {
            // First, as a rotation takes this lock first, too; whoever makes another at this moment, perhaps by the same key, comes before or after.
            if !is_sealed_under(all, &fingerprint)? {
                return Ok(Made::OtherMasterKey);
            }
            if let Some((system, claim)) = &claim {
                all.tenant(*system, |repo| Claim::check(Some(claim), repo))?;
            }
            if all.find_tenant(&tenant.slug)?.is_some() {
                return Ok(Made::SlugTaken);
            }
            if let Some((system, claim)) = &claim {
                all.tenant(*system, |repo| Claim::write(Some(claim), repo))?;
            }
            if tenant.slug != Slug::system() {
                let which = identity(tenant.id, &tenant.slug, &tenant.name);
                let event = by.event(Act::TenantCreated).detail(which);
                tell_operators(all, &[event])?;
            }
            let scope = all.insert_tenant(&tenant)?;
            all.tenant(scope, |repo| {
                repo.insert_key(&key, signs_from)?;
                repo.record(
                    by.event(Act::TenantCreated)
                        .detail(json!({ "slug": tenant.slug, "name": tenant.name })),
                )?;
                repo.record(key_event(
                    Act::KeyCreated,
                    by.actor.clone(),
                    &by.origin,
                    &key,
                ))
            })?;
            Ok(Made::Yes)
        });
        match written.await {
            Err(error) if error.is_conflict() => Ok(Made::SlugTaken),
            other => Ok(other?),
        }
    }

    /// The tenant of a slug, whether active or suspended.
    pub async fn load_tenant_named(&self, slug: &str) -> Result<Arc<Tenant>, AdminError> {
        let parsed = Slug::parse(slug).map_err(|error| AdminError::invalid("tenant", error))?;
        self.find_tenant(&parsed)
            .await?
            .ok_or_else(|| AdminError::no_tenant(slug))
    }

    /// Lists tenants by slug; `search` is the beginning of a slug or of a name.
    pub async fn list_tenants(
        &self,
        search: Option<String>,
        page: PageRequest,
    ) -> Result<Page<TenantRecord>, AdminError> {
        Ok(self
            .db
            .read_installation(move |all| all.list_tenants(search.as_deref(), page))
            .await?)
    }

    /// Replaces name, settings and branding by those of `changed`, provided that nobody changed the tenant since it was read.
    pub async fn update_tenant(
        &self,
        changed: TenantRecord,
        by: &By,
    ) -> Result<Arc<Tenant>, AdminError> {
        by.check(Permission::Write(Area::Settings))?;
        self.check_tenant(&changed.name, &changed.settings)?;
        let (slug, by) = (changed.slug.clone(), by.clone());
        // Before the switch: one that is on without its keys would take what nobody can encrypt, until somebody sets it again. Keys without the
        // switch are neither published nor used.
        if changed.settings.request_object_encryption {
            let tenant = self.load_tenant_named(slug.as_str()).await?;
            self.ensure_encryption_keys(&tenant).await?;
        }
        let done = self.db.write_installation(move |all| {
            let Some(before) = all.find_tenant(&changed.slug)? else {
                return Ok(false);
            };
            let detail = json!({ "changed": differences(&before.record, &changed) });
            if !all.update_tenant(&changed)? {
                return Ok(false);
            }
            all.tenant(before.scope, |repo| {
                end_words(repo, &before.record.settings, &changed.settings)?;
                repo.record(by.event(Act::TenantUpdated).detail(detail))
            })?;
            Ok(true)
        });
        if !done.await? {
            return Err(AdminError::Stale("tenant"));
        }
        self.load_tenant_named(slug.as_str()).await
    }

    /// Closes a tenant, on everything but its keys and metadata; `false` where it is closed already.
    pub async fn suspend_tenant(&self, slug: &str, by: &By) -> Result<bool, AdminError> {
        if slug == SYSTEM_SLUG {
            return Err(AdminError::refused(
                "the tenant of the operators can't be suspended: nobody could resume it from outside",
            ));
        }
        self.set_status(slug, TenantStatus::Suspended, by).await
    }

    /// Opens a tenant again; `false` where it is open already.
    pub async fn resume_tenant(&self, slug: &str, by: &By) -> Result<bool, AdminError> {
        self.set_status(slug, TenantStatus::Active, by).await
    }

    async fn set_status(&self, slug: &str, to: TenantStatus, by: &By) -> Result<bool, AdminError> {
        by.check(Permission::Write(Area::Tenants))?;
        let loaded = self.load_stored_tenant(slug).await?;
        let (from, act) = match (loaded.record.status, to) {
            (TenantStatus::Deleting, _) => {
                return Err(AdminError::refused(format!(
                    "the tenant `{slug}` is being deleted"
                )));
            }
            (from, to) if from == to => return Ok(false),
            (from, TenantStatus::Suspended) => (from, Act::TenantSuspended),
            (from, _) => (from, Act::TenantResumed),
        };
        let (by, scope) = (by.clone(), loaded.scope);
        let which = identity(scope.id(), &loaded.record.slug, &loaded.record.name);
        let done = self.db.write_installation(move |all| {
            let done = all.set_tenant_status(scope.id(), from, to)?;
            if done {
                all.tenant(scope, |repo| repo.record(by.event(act)))?;
                let event = by.event(act).detail(which.clone());
                tell_operators(all, &[event])?;
            }
            Ok(done)
        });
        if done.await? {
            Ok(true)
        } else {
            Err(AdminError::Stale("tenant"))
        }
    }

    /// Deletes a tenant for good. Its data key goes first, in a transaction of its own: from then on nothing of it can be used, however
    /// long the rows take. Where it is interrupted, a server's job goes on with it.
    pub async fn delete_tenant(&self, slug: &str, by: &By) -> Result<TenantRecord, AdminError> {
        by.check(Permission::Write(Area::Tenants))?;
        if slug == SYSTEM_SLUG {
            return Err(AdminError::refused(
                "the tenant of the operators can't be deleted",
            ));
        }
        let loaded = self.load_stored_tenant(slug).await?;
        let system = self.ensure_system_tenant().await?;
        let (id, record, by, scope) = (
            loaded.record.id,
            loaded.record.clone(),
            by.clone(),
            *AsRef::<TenantScope>::as_ref(&*system),
        );
        // The tenant's own events go with it, so this one is the operators'. Whoever comes second has only to clear up.
        self.db
            .write_installation(move |all| {
                if all.begin_tenant_deletion(id)? {
                    let detail = identity(record.id, &record.slug, &record.name);
                    all.tenant(scope, |repo| {
                        repo.record(by.event(Act::TenantDeleted).detail(detail))
                    })?;
                }
                Ok(())
            })
            .await?;
        self.erase_tenant(id).await?;
        Ok(loaded.record)
    }

    /// A tenant's record as it is stored, one that is being deleted too.
    pub async fn load_tenant_record(&self, slug: &str) -> Result<TenantRecord, AdminError> {
        match self.load_stored_tenant(slug).await {
            Ok(loaded) => Ok(loaded.record),
            Err(AdminError::Invalid { .. }) => Err(AdminError::no_tenant(slug)),
            Err(error) => Err(error),
        }
    }

    /// A tenant as it is stored, one that is being deleted too.
    async fn load_stored_tenant(&self, slug: &str) -> Result<LoadedTenant, AdminError> {
        let parsed = Slug::parse(slug).map_err(|error| AdminError::invalid("tenant", error))?;
        let found = self
            .db
            .read_installation(move |all| all.find_tenant(&parsed))
            .await?;
        found.ok_or_else(|| AdminError::no_tenant(slug))
    }
}

/// Ends what was granted by the word of issuers of assertions who may not vouch any more, at all or to a client.
fn end_words(
    repo: &mut Repo<'_>,
    before: &TenantSettings,
    after: &TenantSettings,
) -> storage::Result<()> {
    for one in &before.assertion_issuers {
        let key = AssertionIssuer::key(&one.issuer);
        let mut kept = after.assertion_issuers.iter();
        let Some(kept) = kept.find(|other| other.issuer == one.issuer) else {
            repo.revoke_assertion_grants(WordOf::Issuer(&key))?;
            continue;
        };
        if !kept.upholds(one) {
            repo.revoke_assertion_grants(WordOf::Issuer(&key))?;
            continue;
        }
        for client in &one.clients {
            if !kept.clients.contains(client)
                && let Ok(client) = client.parse()
            {
                repo.revoke_assertion_grants(WordOf::IssuerTo(&key, client))?;
            }
        }
    }
    Ok(())
}

/// The names of what differs: of settings, their paths.
fn differences(before: &TenantRecord, after: &TenantRecord) -> Vec<String> {
    let mut names = Vec::new();
    if before.name != after.name {
        names.push("name".to_owned());
    }
    let settings =
        |record: &TenantRecord| json!({ "settings": record.settings, "branding": record.branding });
    compare(&settings(before), &settings(after), "", &mut names);
    names
}

/// The paths of what differs between two documents.
pub(super) fn compare(before: &Value, after: &Value, path: &str, names: &mut Vec<String>) {
    let (Value::Object(one), Value::Object(other)) = (before, after) else {
        if before != after {
            names.push(path.to_owned());
        }
        return;
    };
    let mut members = one.keys().chain(other.keys()).collect::<Vec<_>>();
    members.sort_unstable();
    members.dedup();
    for member in members {
        let path = if path.is_empty() {
            member.clone()
        } else {
            format!("{path}.{member}")
        };
        compare(
            one.get(member).unwrap_or(&Value::Null),
            other.get(member).unwrap_or(&Value::Null),
            &path,
            names,
        );
    }
}

/// The settings with one of them replaced: `access_token_lifetime`, `password.minimum_length`. Bounds are checked when they are stored.
pub fn change_setting(
    settings: &TenantSettings,
    key: &str,
    value: &str,
) -> Result<TenantSettings, AdminError> {
    let mut document = serde_json::to_value(settings)
        .map_err(|_| FlowError::Internal("settings can't be written"))?;
    let mut known = Vec::new();
    leaves(&document, "", &mut known);
    if !known.iter().any(|name| name == key) {
        let hint = match nearest(key, known.iter().map(String::as_str)) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        return Err(AdminError::invalid(
            key,
            format!("there is no such setting; {hint}"),
        ));
    }
    let pointer = format!("/{}", key.replace('.', "/"));
    if let Some(slot) = document.pointer_mut(&pointer) {
        *slot = match (&*slot, value) {
            (Value::Bool(_), "true") => Value::Bool(true),
            (Value::Bool(_), "false") => Value::Bool(false),
            (Value::Bool(_), _) => return Err(AdminError::invalid(key, "must be true or false")),
            (Value::Number(_), text) => match text.parse::<u32>() {
                Ok(number) => number.into(),
                Err(_) => {
                    return Err(AdminError::invalid(
                        key,
                        format!("`{text}` isn't a whole number; times are in seconds"),
                    ));
                }
            },
            (Value::Array(_), text) => serde_json::from_str(text)
                .map_err(|_| AdminError::invalid(key, "must be a JSON array"))?,
            (_, text) => text.into(),
        };
    }
    serde_json::from_value(document).map_err(|error| AdminError::invalid(key, error))
}

fn leaves(value: &Value, path: &str, names: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                let path = if path.is_empty() {
                    member.clone()
                } else {
                    format!("{path}.{member}")
                };
                leaves(value, &path, names);
            }
        }
        _ => names.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::ConsentPolicy;

    #[test]
    fn a_setting_is_changed_by_its_path() {
        let settings = TenantSettings::default();
        assert_eq!(
            change_setting(&settings, "access_token_lifetime", "600")
                .unwrap()
                .access_token_lifetime,
            600
        );
        assert_eq!(
            change_setting(&settings, "password.minimum_length", "12")
                .unwrap()
                .password
                .minimum_length,
            12
        );
        assert!(
            change_setting(&settings, "require_pkce", "true")
                .unwrap()
                .require_pkce
        );
        assert_eq!(
            change_setting(&settings, "consent", "always")
                .unwrap()
                .consent,
            ConsentPolicy::Always
        );
    }

    #[test]
    fn a_wrong_setting_is_refused_with_what_to_write() {
        let refusal = |key, value| {
            change_setting(&TenantSettings::default(), key, value)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            refusal("acces_token_lifetime", "600"),
            "acces_token_lifetime: there is no such setting; did you mean `access_token_lifetime`?"
        );
        assert!(refusal("password", "{}").contains("there is no such setting"));
        assert!(refusal("code_lifetime", "1m").contains("isn't a whole number"));
        assert!(refusal("code_lifetime", "-1").contains("isn't a whole number"));
        assert!(refusal("require_pkce", "yes").contains("must be true or false"));
        assert!(refusal("consent", "never").contains("remembered"));
    }

    #[test]
    fn an_event_names_what_was_changed() {
        let record = |settings| TenantRecord {
            id: TenantId::from(uuid::Uuid::nil()),
            slug: Slug::parse("acme").unwrap(),
            name: "Acme".into(),
            status: TenantStatus::Active,
            settings,
            branding: crate::domain::branding::Branding::default(),
            version: 1,
            created_at: chrono::DateTime::UNIX_EPOCH,
            updated_at: chrono::DateTime::UNIX_EPOCH,
        };
        let before = record(TenantSettings::default());
        let mut after =
            record(change_setting(&TenantSettings::default(), "lockout.attempts", "5").unwrap());
        after.name = "Acme Rockets".into();
        assert_eq!(
            differences(&before, &after),
            ["name", "settings.lockout.attempts"]
        );
    }
}
