//! A tenant as lines.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::authority::{Area, Permission};
use super::super::clients::client_information;
use super::super::error::{AdminError, By};
use super::super::tenants::{identity, tell_operators};
use super::format::{
    ClientLine, ConsentLine, DomainLine, EndLine, ExportLine, ExternalSubjectLine, FORMAT, KeyLine,
    ResourceLine, TenantLine, TenantState, UserLine, UserState,
};
use crate::domain::address::DomainStage;
use crate::domain::audit::Act;
use crate::domain::client::{Client, KeptSecret};
use crate::domain::ids::{ClientId, InitialAccessTokenId};
use crate::domain::key::{KeyRecord, KeyStage};
use crate::domain::tenant::TenantStatus;
use crate::domain::user::{User, UserStatus};
use crate::flows::console;
use crate::flows::provider::Provider;
use crate::flows::tenancy::Tenant;
use crate::flows::trial;
use crate::storage::{Page, PageRequest, TenantScope};

/// Whether an export holds what lets somebody else be the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// Neither keys nor hashes: clients get new secrets and people new passwords wherever it is imported.
    Without,
    /// Data key, signing keys, hashes of client secrets and passwords: nobody notices that the tenant has moved.
    With,
}

/// What was exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Lines, the first and the last included.
    pub lines: u64,
    /// People.
    pub people: u64,
    /// Clients.
    pub clients: u64,
    /// Consents.
    pub consents: u64,
}

struct Export<'a, W> {
    output: &'a mut W,
    secrets: bool,
    exported: Exported,
}

impl<W: Write> Export<'_, W> {
    fn line(&mut self, kind: &str, value: impl Serialize) -> Result<(), AdminError> {
        let failed =
            |error: io::Error| AdminError::refused(format!("the export can't be written: {error}"));
        write!(self.output, "{{\"{kind}\":").map_err(failed)?;
        serde_json::to_writer(&mut *self.output, &value).map_err(|error| failed(error.into()))?;
        self.output.write_all(b"}\n").map_err(failed)?;
        self.exported.lines += 1;
        Ok(())
    }
}

impl Provider {
    /// Writes a tenant as lines. People and clients are read in pages: what changes meanwhile may be in it or not, so a tenant that is to
    /// move is suspended first.
    pub async fn export_tenant(
        &self,
        tenant: &Tenant,
        secrets: Secrets,
        output: &mut impl Write,
        by: &By,
    ) -> Result<Exported, AdminError> {
        by.check(Permission::Write(Area::Tenants))?;
        if tenant.record.is_system() {
            return Err(AdminError::refused(
                "the tenant of the operators belongs to its installation: `tessera operator create` makes others elsewhere",
            ));
        }
        let mut export = Export {
            output,
            secrets: secrets == Secrets::With,
            exported: Exported::default(),
        };
        let header = ExportLine {
            format: FORMAT,
            made_at: Some(self.now()),
            secrets: export.secrets,
        };
        export.line("export", header)?;
        export.line("tenant", tenant_line(tenant, export.secrets))?;
        self.export_small(tenant, &mut export).await?;
        self.export_people(tenant, &mut export).await?;
        let lines = export.exported.lines - 1;
        export.line("end", EndLine { lines })?;
        let exported = export.exported;
        let event = by.event(Act::TenantExported).detail(json!({
            "with_secrets": secrets == Secrets::With, "people": exported.people, "clients": exported.clients,
        }));
        // Of an export with keys and hashes the operators know also when the tenant is gone.
        let mut which = identity(tenant.id(), tenant.slug(), &tenant.record.name);
        which["with_secrets"] = (secrets == Secrets::With).into();
        let told = by.event(Act::TenantExported).detail(which);
        let scope = *AsRef::<TenantScope>::as_ref(tenant);
        self.db
            .write_installation(move |all| {
                all.tenant(scope, |repo| repo.record(event.clone()))?;
                tell_operators(all, std::slice::from_ref(&told))
            })
            .await?;
        Ok(exported)
    }

    /// What a tenant has few of.
    async fn export_small(
        &self,
        tenant: &Tenant,
        export: &mut Export<'_, impl Write>,
    ) -> Result<(), AdminError> {
        let now = self.now();
        if export.secrets {
            let keys = self.db.read(tenant, |repo| repo.list_keys()).await?;
            for line in keys.iter().filter_map(|key| key_line(key, now)) {
                export.line("key", line)?;
            }
        }
        for domain in &tenant.domains {
            export.line(
                "domain",
                DomainLine {
                    origin: domain.origin.clone(),
                    verified: matches!(domain.stage, DomainStage::Verified { .. }),
                    canonical: domain.canonical,
                },
            )?;
        }
        let resources = self.db.read(tenant, |repo| repo.list_resources()).await?;
        for resource in resources {
            export.line(
                "resource",
                ResourceLine {
                    identifier: resource.identifier,
                    name: Some(resource.name),
                    scopes: resource.scopes,
                    authorization_details_types: resource.details_types,
                    created_at: Some(resource.created_at),
                },
            )?;
        }
        Ok(())
    }

    /// Clients, people, and what people allowed clients.
    async fn export_people(
        &self,
        tenant: &Tenant,
        export: &mut Export<'_, impl Write>,
    ) -> Result<(), AdminError> {
        let mut left_out = vec![console::client_id()];
        let mut after = None;
        loop {
            let page = self.list_clients(tenant, full_page(after)).await?;
            for client in &page.items {
                if trial::is_stand_in(client) {
                    left_out.push(client.id);
                } else if client.id != console::client_id() {
                    export.exported.clients += 1;
                    export.line("client", client_line(client, export.secrets))?;
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut after = None;
        loop {
            let page: Page<User> = self.list_users(tenant, None, full_page(after)).await?;
            for user in page.items {
                let id = user.id;
                export.exported.people += 1;
                export.line("user", user_line(user, export.secrets))?;
                self.export_consents(tenant, id, &left_out, export).await?;
                self.export_names(tenant, id, export).await?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn export_names(
        &self,
        tenant: &Tenant,
        user: crate::domain::ids::UserId,
        export: &mut Export<'_, impl Write>,
    ) -> Result<(), AdminError> {
        let mut after = None;
        loop {
            let read = self.db.read(tenant, move |repo| {
                repo.list_external_subjects(Some(user), None, full_page(after))
            });
            let page = read.await?;
            for name in page.items {
                export.line(
                    "external_subject",
                    ExternalSubjectLine {
                        user_id: name.user_id.uuid(),
                        issuer: name.issuer,
                        subject: name.subject,
                        created_at: Some(name.created_at),
                    },
                )?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn export_consents(
        &self,
        tenant: &Tenant,
        user: crate::domain::ids::UserId,
        left_out: &[ClientId],
        export: &mut Export<'_, impl Write>,
    ) -> Result<(), AdminError> {
        let mut after = None;
        loop {
            let page = full_page(after);
            let read = self
                .db
                .read(tenant, move |repo| repo.list_consents(user, page));
            let page = read.await?;
            for consent in page.items {
                if left_out.contains(&consent.client_id) {
                    continue;
                }
                export.exported.consents += 1;
                export.line(
                    "consent",
                    ConsentLine {
                        user_id: consent.user_id.uuid(),
                        client_id: consent.client_id.uuid(),
                        permissions: consent.permissions,
                        created_at: Some(consent.created_at),
                        updated_at: Some(consent.updated_at),
                    },
                )?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

fn full_page(after: Option<uuid::Uuid>) -> PageRequest {
    PageRequest {
        limit: Some(200),
        after,
    }
}

fn tenant_line(tenant: &Tenant, with_secrets: bool) -> TenantLine {
    let record = &tenant.record;
    let data_key = with_secrets.then(|| tenant.data_key().to_text());
    TenantLine {
        id: Some(record.id.uuid()),
        slug: record.slug.to_string(),
        name: record.name.clone(),
        status: match record.status {
            TenantStatus::Active => TenantState::Active,
            TenantStatus::Suspended | TenantStatus::Deleting => TenantState::Suspended,
        },
        settings: record.settings.clone(),
        branding: record.branding.clone(),
        data_key: data_key.map(|key| key.expose().to_owned()),
        created_at: Some(record.created_at),
        updated_at: Some(record.updated_at),
    }
}

/// None for a key by which nothing is verified or decrypted any more.
fn key_line(key: &KeyRecord, now: crate::clock::Timestamp) -> Option<KeyLine> {
    let (signs_from, ended) = match key.stage {
        KeyStage::Published { signs_from } => (signs_from, None),
        KeyStage::Retired {
            signs_from,
            retired_at,
            removed_at,
        } => (signs_from, Some((retired_at, removed_at))),
        KeyStage::Revoked { .. } => return None,
    };
    key.is_good(now).then(|| KeyLine {
        id: key.id.uuid(),
        kid: key.kid.clone(),
        algorithm: key.algorithm,
        sealed_private_jwk: URL_SAFE_NO_PAD.encode(&key.sealed_private_jwk),
        signs_from,
        retired_at: ended.map(|(at, _)| at),
        removed_at: ended.map(|(_, at)| at),
        created_at: key.created_at,
    })
}

fn client_line(client: &Client, with_secrets: bool) -> Value {
    let secret = client.secret.as_ref().filter(|_| with_secrets);
    let encoded = |hash: &crate::secret::HashedSecret| URL_SAFE_NO_PAD.encode(hash.as_bytes());
    let sealed = |kept: &KeptSecret| {
        kept.sealed
            .as_ref()
            .map(|sealed| URL_SAFE_NO_PAD.encode(sealed))
    };
    let previous = secret.and_then(|secret| secret.previous.as_ref());
    let registration = client.registration.as_ref().filter(|_| with_secrets);
    let own = ClientLine {
        client_secret_hash: secret.map(|secret| encoded(&secret.current.hash)),
        sealed_client_secret: secret.and_then(|secret| sealed(&secret.current)),
        client_secret_made_at: secret.map(|secret| secret.made_at),
        previous_client_secret_hash: previous.map(|(kept, _)| encoded(&kept.hash)),
        previous_sealed_client_secret: previous.and_then(|(kept, _)| sealed(kept)),
        previous_client_secret_until: previous.map(|(_, until)| *until),
        registration_access_token_hash: registration.map(|own| encoded(&own.proof)),
        initial_access_token_id: registration
            .and_then(|own| own.initial_access_token)
            .map(InitialAccessTokenId::uuid),
        software_statement: registration.and_then(|own| own.software_statement.clone()),
        set_by_administrators: registration
            .map(|own| own.set_by_administrators.clone())
            .unwrap_or_default(),
        created_at: Some(client.created_at),
        updated_at: Some(client.updated_at),
        ..ClientLine::default()
    };
    let mut line = client_information(client);
    if let (Value::Object(members), Ok(Value::Object(own))) = (&mut line, serde_json::to_value(own))
    {
        members.extend(own);
    }
    line
}

fn user_line(user: User, with_secrets: bool) -> UserLine {
    let (status, disabled_at) = match user.status {
        UserStatus::Active => (UserState::Active, None),
        UserStatus::Disabled { since } => (UserState::Disabled, Some(since)),
    };
    let password = user.password.filter(|_| with_secrets);
    let set_at = password.as_ref().map(|password| password.set_at);
    let by_lesser = password.as_ref().is_some_and(|password| password.by_lesser);
    UserLine {
        id: Some(user.id.uuid()),
        email: user.email.to_string(),
        email_verified: user.email_verified,
        status,
        disabled_at,
        password_hash: password.map(|password| password.phc),
        password_set_at: set_at,
        password_by_lesser: by_lesser,
        roles: user.roles,
        claims: user.claims,
        created_at: Some(user.created_at),
        updated_at: Some(user.updated_at),
    }
}
