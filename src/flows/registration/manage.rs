//! A client reads, replaces and ends its registration (RFC 7592 §2).

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::register::{check_ambition, read_document};
use super::statement;
use super::{Registration, RegistrationRefusal, by_itself, own_hash, own_secret};
use crate::domain::audit::Origin;
use crate::domain::client::{Client, SelfRegistration};
use crate::domain::ids::ClientId;
use crate::domain::settings::RegistrationPolicy;
use crate::flows::client_secrets::Keeper;
use crate::flows::provider::Provider;
use crate::flows::tenancy::TenantAt;
use crate::protocol::client_metadata::{ClientMetadata, Decided, MetadataError, SubjectType};
use crate::secret::{Handle, HashedSecret, Purpose, hash_client_secret};

/// A client that proved by its registration access token that it asks about itself.
struct Proven {
    client: Client,
    registration: SelfRegistration,
    handle: Handle,
}

/// A client at its configuration endpoint: the `client_id` in the address and the token that was sent, neither of them believed yet.
#[derive(Clone, Copy, Debug)]
pub struct Claimed<'a> {
    /// As the address has it.
    pub client_id: &'a str,
    /// As it was sent.
    pub token: Option<&'a str>,
}

impl Provider {
    /// The client's registration (RFC 7592 §2.1).
    pub async fn read_registration(
        &self,
        at: &TenantAt,
        claimed: Claimed<'_>,
    ) -> Result<Registration, RegistrationRefusal> {
        let proven = self.prove(at, claimed).await?;
        Ok(Registration::new(at, proven.client, &proven.handle))
    }

    /// Replaces all of a client's metadata (RFC 7592 §2.2).
    pub async fn replace_registration(
        &self,
        at: &TenantAt,
        claimed: Claimed<'_>,
        body: &[u8],
        origin: &Origin,
    ) -> Result<Registration, RegistrationRefusal> {
        let proven = self.prove(at, claimed).await?;
        let present = &proven.client;
        let mut document = read_document(body)?;
        check_identity(at, &mut document, present)?;
        let sent: HashSet<String> = document
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, _)| name.clone())
            .collect();
        let stated = check_statement(&mut document, &proven.registration)?;
        let decided = Decided {
            by_administrators: &proven.registration.set_by_administrators,
            by_statement: &stated,
        };
        let metadata = ClientMetadata::from_registration(document, Some(&present.metadata))?
            .hold_to(&present.metadata, decided, &sent)?;
        let vouched_by = proven.registration.initial_access_token;
        check_ambition(&metadata, Some(&present.metadata), vouched_by)?;
        let by = by_itself(present.id, origin);
        let changed = Client {
            metadata,
            ..present.clone()
        };
        check_sector(present, &changed)?;
        let secret = if changed.lacks_secret() {
            let keeper = Keeper::of(&at.tenant, &self.clock);
            let method = changed.metadata.token_endpoint_auth_method;
            Some(if is_rotated(at, present, &proven.handle) {
                keeper.make(changed.id, method)?
            } else {
                own_secret(&keeper, &proven.handle, method)?
            })
        } else {
            None
        };
        let replaced = self
            .replace_client(&at.tenant, changed, secret, &by)
            .await?;
        let registration = Registration::new(at, replaced.client, &proven.handle);
        Ok(registration.with_secret(replaced.secret))
    }

    /// Ends the registration, and with it the client's grants (RFC 7592 §2.3).
    pub async fn end_registration(
        &self,
        at: &TenantAt,
        claimed: Claimed<'_>,
        origin: &Origin,
    ) -> Result<(), RegistrationRefusal> {
        let id = self.prove(at, claimed).await?.client.id;
        Ok(self
            .remove_client(&at.tenant, id, &by_itself(id, origin))
            .await?)
    }

    /// RFC 7592 §2: one answer for a token that is another client's or tenant's, a client that is gone, and one that administrators
    /// registered. As stored at this moment, since a change is made of what is read here.
    async fn prove(
        &self,
        at: &TenantAt,
        claimed: Claimed<'_>,
    ) -> Result<Proven, RegistrationRefusal> {
        let tenant = &at.tenant;
        if tenant.settings().registration == RegistrationPolicy::Closed {
            return Err(RegistrationRefusal::Closed);
        }
        let refused = RegistrationRefusal::RegistrationAccessToken;
        let token = claimed.token.ok_or(RegistrationRefusal::NoToken)?;
        let Some(handle) = Handle::parse(Purpose::RegistrationAccessToken, token) else {
            return Err(refused);
        };
        let id = ClientId::from(handle.id());
        if claimed.client_id != id.to_string() {
            return Err(refused);
        }
        let client = self
            .db
            .read(&**tenant, move |repo| repo.find_client(id))
            .await?;
        let registration = client
            .as_ref()
            .and_then(|client| client.registration.clone());
        let proof = handle.hash(tenant.handle_key(), Purpose::RegistrationAccessToken);
        match (client, registration) {
            (Some(client), Some(registration)) if registration.proof.matches(&proof) => {
                self.note_use(tenant, &client);
                Ok(Proven {
                    client,
                    registration,
                    handle,
                })
            }
            _ => Err(refused),
        }
    }
}

/// Whether an administrator gave the client another secret than the one that follows from its registration access token. That one may have leaked,
/// and is never good again.
fn is_rotated(at: &TenantAt, client: &Client, handle: &Handle) -> bool {
    let own = own_hash(at, handle);
    client.secret.as_ref().is_some_and(|secrets| {
        let is_own = own.is_some_and(|own| secrets.current.hash.matches(&own));
        !is_own
    })
}

/// A client that is known by its pairwise subjects keeps its sector: with the tokens that it has it would learn by which names another's people are
/// known, whose address it names from now on.
fn check_sector(present: &Client, changed: &Client) -> Result<(), MetadataError> {
    let sector = changed.sector();
    let is_pairwise = |client: &Client| client.metadata.subject_type == SubjectType::Pairwise;
    let stays = is_pairwise(present) && present.sector() == sector;
    if is_pairwise(changed) && !stays && sector != changed.id.to_string() {
        return Err(MetadataError::new(
            "subject_type",
            "pairwise subjects keep their sector, the host of the redirect URIs or of the sector_identifier_uri, and can't be chosen by a change; register another client, or ask the tenant's administrators",
        ));
    }
    Ok(())
}

/// The statement that a client came with goes on deciding what it says, whether or not a change repeats it; the names of what it decides.
fn check_statement(
    document: &mut Map<String, Value>,
    registration: &SelfRegistration,
) -> Result<HashSet<String>, RegistrationRefusal> {
    use RegistrationRefusal::Change;
    let sent = statement::take(document)?;
    match (&registration.software_statement, sent) {
        (Some(kept), Some(sent)) if *kept != sent => Err(Change(
            "software_statement: is not the one that the client was registered with; register another client with the new one",
        )),
        (None, Some(_)) => Err(Change(
            "software_statement: the client was registered without one; register another client with it",
        )),
        (Some(kept), _) => statement::hold(document, kept),
        (None, None) => Ok(HashSet::new()),
    }
}

/// Takes out of a change what isn't metadata, and refuses what may not be there or isn't so.
fn check_identity(
    at: &TenantAt,
    document: &mut Map<String, Value>,
    client: &Client,
) -> Result<(), RegistrationRefusal> {
    use RegistrationRefusal::Change;
    // RFC 7592 §2.2: "This request MUST include all client metadata fields as returned to the client […] The updated client metadata fields
    // request MUST NOT include" these.
    for (name, refusal) in [
        (
            "registration_access_token",
            "registration_access_token: must not be there in a change; leave it out",
        ),
        (
            "registration_client_uri",
            "registration_client_uri: must not be there in a change; leave it out",
        ),
        (
            "client_secret_expires_at",
            "client_secret_expires_at: must not be there in a change; leave it out",
        ),
        (
            "client_id_issued_at",
            "client_id_issued_at: must not be there in a change; leave it out",
        ),
    ] {
        if document.contains_key(name) {
            return Err(Change(refusal));
        }
    }
    match document.remove("client_id") {
        Some(Value::String(id)) if id == client.id.to_string() => {}
        Some(_) => return Err(Change("client_id: is not this client's")),
        None => return Err(Change("client_id: must be there, as it was issued")),
    }
    // "If the client includes the "client_secret" field in the request, the value of this field MUST match the currently issued client
    // secret for that client. The client MUST NOT be allowed to overwrite its existing client secret with its own chosen value."
    let given = match document.remove("client_secret") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(given)) => given,
        Some(_) => return Err(Change("client_secret: must be a text")),
    };
    let given = hash_client_secret(at.tenant.handle_key(), client.id.uuid(), &given);
    let current = client
        .secret
        .as_ref()
        .map_or(HashedSecret::NONE, |secrets| secrets.current.hash);
    if given.is_some_and(|given| given.matches(&current)) {
        Ok(())
    } else {
        Err(Change(
            "client_secret: is not the present one; leave it out, as a client can't choose it",
        ))
    }
}
