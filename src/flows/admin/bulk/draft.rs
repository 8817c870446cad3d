//! A tenant in the making: each line checked by the rules that registration and the administration API have, and kept until the tenant
//! is whole or a part of it is written.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::super::error::{AdminError, By};
use super::super::external_subjects::{check_name, name_at};
use super::super::resources::{NewResource, type_of_another};
use super::super::tenants::identity;
use super::clients::NewClientSecret;
use super::format::{
    ConsentLine, DomainLine, ExternalSubjectLine, KeyLine, ResourceLine, TenantLine, TenantState,
};
use super::lines::Record;
use super::people::{moment, person};
use crate::domain::address::Domain;
use crate::domain::audit::{Act, Event};
use crate::domain::consent::{Consent, Permissions};
use crate::domain::external_subject::{ExternalSubject, NAMES_MAX};
use crate::domain::ids::{
    ClientId, DomainId, ExternalSubjectId, KeyId, ResourceId, TenantId, UserId,
};
use crate::domain::key::{KeyAlgorithm, KeyRecord, KeyStage};
use crate::domain::resource::Resource;
use crate::domain::tenant::{TenantRecord, TenantStatus};
use crate::flows::issue::ACCESS_TOKEN_ALGORITHM;
use crate::flows::key_ring::seal_context;
use crate::flows::provider::{FlowError, Provider};
use crate::flows::tenancy::handle_key_of;
use crate::jose::keys::{DecryptionKey, SigningKey};
use crate::jose::seal::DataKey;
use crate::protocol::KeyManagementAlgorithm;
use crate::protocol::slug::Slug;
use crate::secret::{HashKey, PlainSecret};
use crate::storage::{DOMAINS_MAX, RESOURCES_MAX, WholeTenant};

/// Keys of one tenant: more than rotations leave behind.
const KEYS_MAX: usize = 100;

/// What is in a tenant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) people: u64,
    pub(super) passwords: u64,
    pub(super) resources: u64,
    pub(super) clients: u64,
    pub(super) clients_naming_unknown: u64,
    pub(super) secrets: u64,
    pub(super) consents: u64,
    pub(super) domains: u64,
}

/// A tenant in the making.
pub(super) struct Draft {
    /// The number of its first line.
    pub(super) line: u64,
    /// Lines so far.
    pub(super) lines: u64,
    /// What isn't written yet, in lines and bytes.
    pub(super) waiting: (usize, usize),
    pub(super) whole: WholeTenant,
    /// What it is to be in the end.
    pub(super) status: TenantStatus,
    pub(super) counts: Counts,
    pub(super) new_secrets: Vec<NewClientSecret>,
    /// Whether a part of it has been written.
    pub(super) begun: bool,
    /// The same of a check, which writes nothing.
    pub(super) passed: bool,
    pub(super) data_key: DataKey,
    /// Whether the data key came along.
    pub(super) moved: bool,
    pub(super) handles: HashKey,
    emails: HashSet<String>,
    users: HashSet<UserId>,
    pub(super) clients: HashSet<ClientId>,
    consents: HashSet<(UserId, ClientId)>,
    /// How many names at issuers each person has.
    names: HashMap<UserId, i64>,
    /// These names, as they are looked up.
    subjects: HashSet<[u8; 32]>,
}

pub(super) fn no_duplicate(is_new: bool, field: &str) -> Result<(), AdminError> {
    if is_new {
        return Ok(());
    }
    Err(AdminError::invalid(
        field,
        "stands in this tenant already, in a line above",
    ))
}

pub(super) fn decoded(field: &str, text: &str) -> Result<Vec<u8>, AdminError> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| AdminError::invalid(field, "must be base64url without padding"))
}

/// The kind of the line before the field's name.
pub(super) fn of_line(kind: &str) -> impl Fn(AdminError) -> AdminError {
    move |error| match error {
        AdminError::Invalid { field, reason } => AdminError::Invalid {
            field: format!("{kind}.{field}"),
            reason,
        },
        other => other,
    }
}

impl Draft {
    pub(super) fn slug(&self) -> &Slug {
        &self.whole.record.slug
    }

    pub(super) fn id(&self) -> TenantId {
        self.whole.record.id
    }

    /// What is to be written next; the rest of the tenant stays.
    pub(super) fn take_part(&mut self) -> WholeTenant {
        WholeTenant {
            users: std::mem::take(&mut self.whole.users),
            clients: std::mem::take(&mut self.whole.clients),
            consents: std::mem::take(&mut self.whole.consents),
            external_subjects: std::mem::take(&mut self.whole.external_subjects),
            ..self.whole.clone()
        }
    }

    fn add_key(&mut self, key: KeyLine) -> Result<(), AdminError> {
        if !self.moved {
            return Err(AdminError::invalid(
                "key",
                "can't be opened without the tenant's data_key; take the line out, and the tenant gets a new key",
            ));
        }
        if self.whole.keys.len() >= KEYS_MAX {
            return Err(AdminError::invalid(
                "key",
                format!("a tenant has at most {KEYS_MAX} keys here"),
            ));
        }
        let id = KeyId::from(key.id);
        let sealed = decoded("key.sealed_private_jwk", &key.sealed_private_jwk)?;
        let unopened = |_| {
            AdminError::invalid(
                "key.sealed_private_jwk",
                "doesn't open by the tenant's data_key for this tenant and id, or isn't the key of this kid and algorithm",
            )
        };
        let private = self
            .data_key
            .open(seal_context(self.id(), id), &sealed)
            .map_err(|error| unopened(error.to_string()))?;
        let public = match key.algorithm {
            KeyAlgorithm::Signing(algorithm) => {
                SigningKey::from_private_jwk(algorithm, &key.kid, &private)
                    .map(|key| key.public_jwk().clone())
            }
            KeyAlgorithm::Encryption(algorithm) => {
                DecryptionKey::from_private_jwk(algorithm, &key.kid, &private)
                    .map(|key| key.public_jwk().clone())
            }
        };
        let public_jwk = public.map_err(|error| unopened(error.to_string()))?;
        let stage = match (key.retired_at, key.removed_at) {
            (None, None) => KeyStage::Published {
                signs_from: key.signs_from,
            },
            (Some(retired_at), Some(removed_at)) => KeyStage::Retired {
                signs_from: key.signs_from,
                retired_at,
                removed_at,
            },
            _ => {
                return Err(AdminError::invalid(
                    "key.removed_at",
                    "and retired_at go together",
                ));
            }
        };
        let known = &self.whole.keys;
        no_duplicate(
            known
                .iter()
                .all(|known| known.id != id && known.kid != key.kid),
            "key.id",
        )?;
        self.whole.keys.push(KeyRecord {
            id,
            kid: key.kid,
            algorithm: key.algorithm,
            stage,
            public_jwk,
            sealed_private_jwk: sealed,
            created_at: key.created_at,
        });
        Ok(())
    }

    /// The same for the operators' audit, which outlives the tenant.
    pub(super) fn told_operators(&self, by: &By) -> Event {
        let record = &self.whole.record;
        let mut which = identity(record.id, &record.slug, &record.name);
        which["with_data_key"] = self.moved.into();
        by.event(Act::TenantImported).detail(which)
    }

    /// The one event that tells of an imported tenant.
    pub(super) fn event(&self, by: &By) -> Event {
        let (record, counts) = (&self.whole.record, self.counts);
        by.event(Act::TenantImported).detail(json!({
            "slug": record.slug, "name": record.name, "people": counts.people, "clients": counts.clients, "resources": counts.resources,
            "keys": self.whole.keys.iter().map(|key| &key.kid).collect::<Vec<_>>(), "with_data_key": self.moved,
        }))
    }

    /// Takes what was written out of memory, and what it was told apart by: the database knows that now.
    pub(super) fn clear(&mut self) {
        self.clear_rows();
        self.emails.clear();
        self.users.clear();
        self.clients.clear();
        self.consents.clear();
        self.names.clear();
        self.subjects.clear();
    }

    /// Takes what was checked out of memory. What it is told apart by stays, as nothing else will know.
    pub(super) fn clear_rows(&mut self) {
        self.whole.users.clear();
        self.whole.clients.clear();
        self.whole.consents.clear();
        self.whole.external_subjects.clear();
        self.whole.events.clear();
        self.new_secrets.clear();
        self.waiting = (0, 0);
    }
}

impl Provider {
    /// The draft that a tenant's line begins.
    pub(super) fn draft(&self, line: u64, tenant: TenantLine) -> Result<Draft, AdminError> {
        let slug = Slug::choose(&tenant.slug)
            .map_err(|error| AdminError::invalid("tenant.slug", error))?;
        self.check_tenant(&tenant.name, &tenant.settings)
            .map_err(of_line("tenant"))?;
        let now = self.now();
        let created_at = moment("tenant.created_at", tenant.created_at, now)?.unwrap_or(now);
        let updated_at = moment("tenant.updated_at", tenant.updated_at, now)?.unwrap_or(created_at);
        let moved = tenant.data_key.is_some();
        let data_key = match tenant.data_key.map(PlainSecret::new) {
            None => DataKey::generate(&self.clock),
            Some(_) if tenant.id.is_none() => {
                return Err(AdminError::invalid(
                    "tenant.id",
                    "has to be there where a data_key is: what is sealed under it is bound to the tenant",
                ));
            }
            Some(text) => DataKey::from_text(text.expose()).ok_or_else(|| {
                AdminError::invalid("tenant.data_key", "must be base64url of 32 bytes")
            })?,
        };
        let id = match tenant.id {
            Some(id) if id.is_nil() => {
                return Err(AdminError::invalid("tenant.id", "must not be the nil UUID"));
            }
            id => TenantId::from(id.unwrap_or_else(|| self.clock.uuid_v7())),
        };
        let status = match tenant.status {
            TenantState::Active => TenantStatus::Active,
            TenantState::Suspended => TenantStatus::Suspended,
        };
        Ok(Draft {
            line,
            lines: 1,
            waiting: (1, 0),
            whole: WholeTenant {
                sealed_data_key: data_key.seal_under(&self.master(), id.uuid(), &self.clock)?,
                record: TenantRecord {
                    id,
                    slug,
                    name: tenant.name,
                    status,
                    settings: tenant.settings,
                    branding: tenant.branding,
                    version: 1,
                    created_at,
                    updated_at,
                },
                keys: Vec::new(),
                domains: Vec::new(),
                resources: Vec::new(),
                users: Vec::new(),
                clients: Vec::new(),
                consents: Vec::new(),
                external_subjects: Vec::new(),
                events: Vec::new(),
            },
            status,
            counts: Counts::default(),
            new_secrets: Vec::new(),
            begun: false,
            passed: false,
            handles: handle_key_of(&data_key),
            data_key,
            moved,
            emails: HashSet::new(),
            users: HashSet::new(),
            clients: HashSet::new(),
            consents: HashSet::new(),
            names: HashMap::new(),
            subjects: HashSet::new(),
        })
    }

    /// Adds what a line says.
    pub(super) fn add_to_draft(
        &self,
        draft: &mut Draft,
        record: Record,
        by: &By,
    ) -> Result<(), AdminError> {
        let early = |draft: &Draft, kind: &str| {
            if draft.begun || draft.passed {
                return Err(AdminError::invalid(
                    kind,
                    "has to stand before the tenant's people and clients",
                ));
            }
            Ok(())
        };
        match record {
            Record::Key(key) => {
                early(draft, "key")?;
                draft.add_key(*key)
            }
            Record::Domain(domain) => {
                early(draft, "domain")?;
                self.add_imported_domain(draft, domain)
            }
            Record::Resource(resource) => {
                early(draft, "resource")?;
                self.add_resource(draft, resource)
            }
            Record::User(user) => {
                by.authority.check_grant(&user.roles)?;
                let user =
                    person(*user, self.now(), || self.clock.uuid_v7()).map_err(of_line("user"))?;
                no_duplicate(
                    draft.emails.insert(user.email.key().to_owned()),
                    "user.email",
                )?;
                no_duplicate(draft.users.insert(user.id), "user.id")?;
                draft.counts.people += 1;
                draft.counts.passwords += u64::from(user.password.is_some());
                draft.whole.users.push(user);
                Ok(())
            }
            Record::Client(own, metadata) => self.add_client(draft, *own, *metadata, by),
            Record::Consent(consent) => self.add_consent(draft, consent),
            Record::ExternalSubject(name) => self.add_external_subject(draft, name),
            Record::Export(_) | Record::Tenant(_) | Record::End(_) => {
                Err(FlowError::Internal("a line that is no part of a tenant").into())
            }
        }
    }

    fn add_imported_domain(&self, draft: &mut Draft, domain: DomainLine) -> Result<(), AdminError> {
        let origin = self
            .check_origin(&domain.origin)
            .map_err(|error| match error {
                AdminError::Invalid { reason, .. } => AdminError::invalid("domain.origin", reason),
                other => other,
            })?;
        let known = &draft.whole.domains;
        no_duplicate(
            known.iter().all(|known| known.origin != origin),
            "domain.origin",
        )?;
        if i64::try_from(known.len()).is_ok_and(|count| count >= DOMAINS_MAX) {
            return Err(AdminError::invalid(
                "domain",
                format!("a tenant has at most {DOMAINS_MAX} domains"),
            ));
        }
        draft.counts.domains += 1;
        draft.whole.domains.push(Domain {
            id: DomainId::from(self.clock.uuid_v7()),
            origin,
            // Whoever it was proved to elsewhere: here nobody has proved anything.
            stage: self.unproved(),
            canonical: false,
            created_at: self.now(),
        });
        Ok(())
    }

    fn add_resource(&self, draft: &mut Draft, resource: ResourceLine) -> Result<(), AdminError> {
        let now = self.now();
        let created_at = moment("resource.created_at", resource.created_at, now)?.unwrap_or(now);
        let new = NewResource {
            identifier: resource.identifier,
            name: resource.name,
            scopes: resource.scopes,
            details_types: resource.authorization_details_types,
        };
        let name = self.check_resource(&new).map_err(of_line("resource"))?;
        let known = &draft.whole.resources;
        no_duplicate(
            known.iter().all(|known| known.identifier != new.identifier),
            "resource.identifier",
        )?;
        if i64::try_from(known.len()).is_ok_and(|count| count >= RESOURCES_MAX) {
            return Err(AdminError::invalid(
                "resource",
                format!("a tenant has at most {RESOURCES_MAX} resources"),
            ));
        }
        let resource = Resource {
            id: ResourceId::from(self.clock.uuid_v7()),
            identifier: new.identifier,
            name,
            scopes: new.scopes,
            details_types: new.details_types,
            version: 1,
            created_at,
        };
        if let Some(name) = type_of_another(known, &resource) {
            return Err(AdminError::invalid(
                "resource.authorization_details_types",
                format!("another resource of this tenant has the type `{name}`"),
            ));
        }
        draft.counts.resources += 1;
        draft.whole.resources.push(resource);
        Ok(())
    }

    fn add_external_subject(
        &self,
        draft: &mut Draft,
        line: ExternalSubjectLine,
    ) -> Result<(), AdminError> {
        let user_id = line.user_id.into();
        // What has been written already, the database knows.
        if !draft.begun && !draft.users.contains(&user_id) {
            return Err(AdminError::invalid(
                "external_subject.user_id",
                "is no person of this tenant in a line above",
            ));
        }
        check_name(&line.issuer, &line.subject).map_err(of_line("external_subject"))?;
        let name = name_at(&draft.handles, &line.issuer, &line.subject);
        no_duplicate(draft.subjects.insert(*name.as_bytes()), "external_subject")?;
        let names = draft.names.entry(user_id).or_default();
        *names += 1;
        if *names > NAMES_MAX {
            return Err(AdminError::invalid(
                "external_subject.user_id",
                format!("has more than {NAMES_MAX} names at issuers"),
            ));
        }
        let now = self.now();
        draft.whole.external_subjects.push(ExternalSubject {
            id: ExternalSubjectId::from(self.clock.uuid_v7()),
            user_id,
            name,
            issuer: line.issuer,
            subject: line.subject,
            created_at: moment("external_subject.created_at", line.created_at, now)?.unwrap_or(now),
        });
        Ok(())
    }

    fn add_consent(&self, draft: &mut Draft, consent: ConsentLine) -> Result<(), AdminError> {
        let (user_id, client_id) = (consent.user_id.into(), consent.client_id.into());
        // What has been written already, the database knows.
        let missing = |field: &str, kind: &str| {
            let reason = format!("is no {kind} of this tenant in a line above");
            AdminError::invalid(field, reason)
        };
        if !draft.begun && !draft.users.contains(&user_id) {
            return Err(missing("consent.user_id", "person"));
        }
        if !draft.begun && !draft.clients.contains(&client_id) {
            return Err(missing("consent.client_id", "client"));
        }
        no_duplicate(draft.consents.insert((user_id, client_id)), "consent")?;
        let size =
            serde_json::to_string(&consent.permissions).map_or(usize::MAX, |text| text.len());
        if size > Permissions::MAX_BYTES {
            return Err(AdminError::invalid("consent.permissions", "is too long"));
        }
        let now = self.now();
        let created_at = moment("consent.created_at", consent.created_at, now)?.unwrap_or(now);
        draft.counts.consents += 1;
        draft.whole.consents.push(Consent {
            user_id,
            client_id,
            permissions: consent.permissions,
            created_at,
            updated_at: moment("consent.updated_at", consent.updated_at, now)?
                .unwrap_or(created_at),
        });
        Ok(())
    }

    /// Gives the draft a key that signs, unless one came along, and those that others encrypt to where its settings want them.
    pub(super) async fn complete_keys(&self, draft: &mut Draft) -> Result<(), AdminError> {
        let now = self.now();
        let signs = |key: &KeyRecord| key.algorithm == ACCESS_TOKEN_ALGORITHM && key.signs(now);
        if !draft.whole.keys.iter().any(signs) {
            let algorithm = ACCESS_TOKEN_ALGORITHM.into();
            let key = self
                .new_key(draft.id(), &draft.data_key, algorithm, now)
                .await?;
            draft.whole.keys.push(key);
        }
        if !draft.whole.record.settings.request_object_encryption {
            return Ok(());
        }
        for algorithm in KeyManagementAlgorithm::ALL.map(KeyAlgorithm::from) {
            let used = |key: &KeyRecord| key.algorithm == algorithm && key.signs(now);
            if !draft.whole.keys.iter().any(used) {
                let key = self
                    .new_key(draft.id(), &draft.data_key, algorithm, now)
                    .await?;
                draft.whole.keys.push(key);
            }
        }
        Ok(())
    }
}
