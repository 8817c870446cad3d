//! A client's line: RFC 7591's metadata, and how its secret comes along.

use super::super::clients::check_client;
use super::super::error::{AdminError, By};
use super::draft::{Draft, decoded, no_duplicate, of_line};
use super::format::ClientLine;
use super::people::moment;
use crate::clock::Timestamp;
use crate::domain::client::{Client, ClientSecrets, KeptSecret, SelfRegistration};
use crate::domain::ids::{ClientId, InitialAccessTokenId};
use crate::flows::client_secrets::Keeper;
use crate::flows::console;
use crate::flows::provider::Provider;
use crate::jose::software_statement;
use crate::protocol::client_metadata::ClientMetadata;
use crate::protocol::slug::Slug;
use crate::secret::{HashedSecret, MAX_CLIENT_SECRET, PlainSecret};

/// The shortest client secret that is taken from elsewhere, in bytes: it is hashed fast, as ours are, so it must not be guessable.
const CLIENT_SECRET_MIN: usize = 16;

/// The shortest that an HMAC may be made with, in bytes (RFC 7518 §3.2: as long as the hash).
const HMAC_SECRET_MIN: usize = 32;

/// A client's secret that an import made.
#[derive(Clone, Debug)]
pub struct NewClientSecret {
    /// Whose tenant's.
    pub tenant: Slug,
    /// Whose.
    pub client_id: ClientId,
    /// What it is called.
    pub client_name: Option<String>,
    /// It.
    pub secret: PlainSecret,
}

/// The hash of something that was handed out.
fn hash_of(draft: &Draft, field: &str, text: &str) -> Result<HashedSecret, AdminError> {
    let field = format!("client.{field}");
    if !draft.moved {
        return Err(AdminError::invalid(
            &field,
            "means nothing without the tenant's data_key",
        ));
    }
    let bytes = decoded(&field, text)?;
    HashedSecret::from_slice(&bytes)
        .ok_or_else(|| AdminError::invalid(&field, "must have 32 bytes"))
}

/// The software statement of a client that registered itself: verified where it was registered, and so not again.
fn statement_of(own: &ClientLine) -> Result<Option<String>, AdminError> {
    let statement = own.software_statement.as_deref();
    if statement.is_some_and(|statement| software_statement::of_verified(statement).is_err()) {
        return Err(AdminError::invalid(
            "client.software_statement",
            "must be a JWT",
        ));
    }
    Ok(own.software_statement.clone())
}

/// How a client that registered itself goes on managing its registration.
fn registration_of(
    draft: &Draft,
    own: &ClientLine,
) -> Result<Option<SelfRegistration>, AdminError> {
    let field = "registration_access_token_hash";
    match (
        &own.registration_access_token_hash,
        own.initial_access_token_id,
    ) {
        (Some(hash), token) => Ok(Some(SelfRegistration {
            proof: hash_of(draft, field, hash)?,
            initial_access_token: token.map(InitialAccessTokenId::from),
            software_statement: statement_of(own)?,
            set_by_administrators: own.set_by_administrators.clone(),
        })),
        (None, None)
            if own.software_statement.is_none() && own.set_by_administrators.is_empty() =>
        {
            Ok(None)
        }
        (None, token) => Err(AdminError::invalid(
            if token.is_some() {
                "client.initial_access_token_id"
            } else if own.software_statement.is_some() {
                "client.software_statement"
            } else {
                "client.set_by_administrators"
            },
            "goes together with registration_access_token_hash",
        )),
    }
}

impl Provider {
    /// Adds a client to a draft.
    pub(super) fn add_client(
        &self,
        draft: &mut Draft,
        own: ClientLine,
        metadata: ClientMetadata,
        by: &By,
    ) -> Result<(), AdminError> {
        let now = self.now();
        let issued_at = own
            .client_id_issued_at
            .and_then(|seconds| Timestamp::from_timestamp(seconds, 0));
        let created_at = moment("client.created_at", own.created_at.or(issued_at), now)?;
        let created_at = created_at.unwrap_or(now);
        let id = match own.client_id {
            Some(id) if id.is_nil() || id == console::client_id().uuid() => {
                return Err(AdminError::invalid(
                    "client.client_id",
                    "is one that no client may have; leave it out for a new one",
                ));
            }
            id => ClientId::from(id.unwrap_or_else(|| self.clock.uuid_v7())),
        };
        let metadata = self.check_metadata(metadata).map_err(of_line("client"))?;
        let mut client = Client::new(id, metadata, created_at);
        if let Some(at) = moment("client.updated_at", own.updated_at, now)? {
            client.updated_at = at;
        }
        check_client(by, &client)?;
        let check = |before: Option<&ClientMetadata>| {
            self.check_surroundings(&draft.whole.resources, &client, before)
        };
        // What an export gave comes back, where an API was deleted before and clients go on naming it.
        check(Some(&client.metadata)).map_err(of_line("client"))?;
        if check(None).is_err() {
            draft.counts.clients_naming_unknown += 1;
        }
        no_duplicate(draft.clients.insert(id), "client.client_id")?;
        client.registration = registration_of(draft, &own)?;
        client.secret = self.client_secrets(draft, own, &client)?;
        draft.counts.clients += 1;
        draft.whole.clients.push(client);
        Ok(())
    }

    fn client_secrets(
        &self,
        draft: &mut Draft,
        own: ClientLine,
        client: &Client,
    ) -> Result<Option<ClientSecrets>, AdminError> {
        let invalid =
            |field: &str, reason: &str| AdminError::invalid(&format!("client.{field}"), reason);
        let method = client.metadata.token_endpoint_auth_method;
        if !method.uses_secret() {
            if own.client_secret.is_some()
                || own.client_secret_hash.is_some()
                || own.sealed_client_secret.is_some()
            {
                let reason = format!(
                    "can't be there: a client whose token_endpoint_auth_method is {} has no secret",
                    method.as_str()
                );
                return Err(invalid("client_secret", &reason));
            }
            return Ok(None);
        }
        // RFC 7591 §3.2.1: "or 0 if it will not expire"
        if own.client_secret_expires_at.is_some_and(|at| at != 0) {
            return Err(invalid(
                "client_secret_expires_at",
                "must be 0: secrets don't expire here",
            ));
        }
        let now = self.now();
        let made_at = moment(
            "client.client_secret_made_at",
            own.client_secret_made_at,
            now,
        )?;
        let previous = match (
            own.previous_client_secret_hash,
            own.previous_client_secret_until,
        ) {
            (Some(hash), Some(until)) => {
                let kept = KeptSecret {
                    hash: hash_of(draft, "previous_client_secret_hash", &hash)?,
                    sealed: own
                        .previous_sealed_client_secret
                        .as_deref()
                        .map(|text| {
                            self.sealed_of(draft, "previous_sealed_client_secret", client, text)
                        })
                        .transpose()?,
                };
                Some((kept, until))
            }
            (None, None) if own.previous_sealed_client_secret.is_none() => None,
            _ => {
                return Err(invalid(
                    "previous_client_secret_hash",
                    "and previous_client_secret_until go together",
                ));
            }
        };
        let current = match (
            own.client_secret.map(PlainSecret::new),
            own.client_secret_hash,
        ) {
            (Some(_), Some(_)) => {
                return Err(invalid(
                    "client_secret",
                    "and client_secret_hash exclude each other",
                ));
            }
            (Some(secret), None) => self.keep_given(draft, client, &secret)?,
            (None, Some(hash)) => {
                let sealed = match &own.sealed_client_secret {
                    Some(text) => {
                        Some(self.sealed_of(draft, "sealed_client_secret", client, text)?)
                    }
                    None if method.reads_secret() => {
                        return Err(invalid(
                            "sealed_client_secret",
                            "must be there: a client with client_secret_jwt can't use a secret that is known by its hash alone; leave both out, and it gets a new one",
                        ));
                    }
                    None => None,
                };
                KeptSecret {
                    hash: hash_of(draft, "client_secret_hash", &hash)?,
                    sealed,
                }
            }
            (None, None) => {
                let (secret, kept) = self.keeper(draft).make(client.id, method)?;
                draft.counts.secrets += 1;
                draft.new_secrets.push(NewClientSecret {
                    tenant: draft.slug().clone(),
                    client_id: client.id,
                    client_name: client.metadata.client_name.clone(),
                    secret,
                });
                kept
            }
        };
        Ok(Some(ClientSecrets {
            current,
            made_at: made_at.unwrap_or(now),
            previous,
        }))
    }
    fn keeper<'a>(&'a self, draft: &'a Draft) -> Keeper<'a> {
        Keeper {
            tenant: draft.id(),
            handles: &draft.handles,
            data_key: &draft.data_key,
            clock: &self.clock,
        }
    }

    /// A secret that was made elsewhere and comes in the clear.
    fn keep_given(
        &self,
        draft: &Draft,
        client: &Client,
        secret: &PlainSecret,
    ) -> Result<KeptSecret, AdminError> {
        let method = client.metadata.token_endpoint_auth_method;
        let least = if method.reads_secret() {
            HMAC_SECRET_MIN
        } else {
            CLIENT_SECRET_MIN
        };
        let text = secret.expose();
        let fits = (least..=MAX_CLIENT_SECRET).contains(&text.len())
            && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if !fits {
            return Err(AdminError::invalid(
                "client.client_secret",
                format!(
                    "must have {least} to 256 printable ASCII characters; leave it out, and the client gets a new one"
                ),
            ));
        }
        Ok(self.keeper(draft).keep(client.id, method, secret)?)
    }

    /// A sealed secret, which has to open here.
    fn sealed_of(
        &self,
        draft: &Draft,
        field: &str,
        client: &Client,
        text: &str,
    ) -> Result<Vec<u8>, AdminError> {
        let field = format!("client.{field}");
        if !client.metadata.token_endpoint_auth_method.reads_secret() {
            return Err(AdminError::invalid(
                &field,
                "is for clients with client_secret_jwt only",
            ));
        }
        let sealed = decoded(&field, text)?;
        match self.keeper(draft).read(client.id, &sealed) {
            Ok(_) => Ok(sealed),
            Err(_) => Err(AdminError::invalid(
                &field,
                "doesn't open by the tenant's data_key for this tenant and client",
            )),
        }
    }
}
