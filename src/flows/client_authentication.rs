//! Client authentication (RFC 6749 §2.3, RFC 7523 §3, RFC 8705 §2): whether a request is from the client that it names.
//!
//! A client is held to the method that it registered. Every refusal says the same to a stranger and costs about the same; whoever has
//! proved to hold the client's key is told what is wrong with an assertion. Keys that can't be fetched at present are no refusal: nothing was
//! decided, the answer is 503, and no failure stands in the audit.

use std::sync::{Arc, LazyLock};

use quick_cache::sync::Cache;
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::client_secrets::Keeper;
use super::encryption::version_of;
use super::provider::{FlowError, Provider};
use super::tenancy::{Tenant, TenantAt};
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::client::Client;
use crate::domain::ids::{ClientId, TenantId};
use crate::egress::{EgressError, JwkSet};
use crate::jose::certificate::{CertificateError, ClientCertificate};
use crate::jose::client_assertion::{
    Assertion, AssertionError, AssertionRules, DEFAULT_MAX_LIFETIME, UnverifiedAssertion,
};
use crate::jose::jws::JwsError;
use crate::jose::keys::VerificationKeys;
use crate::protocol::algorithm::AssertionAlgorithm;
use crate::protocol::client_authentication::ClientCredentials;
use crate::protocol::client_metadata::{MetadataError, TokenEndpointAuthMethod};
use crate::protocol::discovery::paths;
use crate::protocol::fapi::SecurityProfile;
use crate::protocol::{OAuthError, Params};
use crate::secret::{HashedSecret, PlainSecret, hash_client_secret};

/// What a request to one of the OAuth endpoints came with besides its parameters.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// The values of all `Authorization` headers.
    pub authorization: &'a [&'a str],
    /// The values of all `DPoP` headers.
    pub proofs: &'a [&'a str],
    /// The certificate that whoever sends it has shown at the TLS layer.
    pub certificate: Option<&'a ClientCertificate>,
    /// Who sends it.
    pub origin: &'a Origin,
}

impl<'a> Sent<'a> {
    /// Nothing.
    pub const fn alone(origin: &'a Origin) -> Self {
        Self {
            authorization: &[],
            proofs: &[],
            certificate: None,
            origin,
        }
    }
}

/// Why a client isn't believed.
#[derive(Debug, thiserror::Error)]
pub enum ClientRefusal {
    /// What it presents can't be read.
    #[error("{0}")]
    Malformed(OAuthError),
    /// No such client in this tenant.
    #[error("the client is not known in this tenant")]
    Unknown,
    /// It registered another method.
    #[error("the client used {used}, but registered {registered}")]
    Method {
        /// What it used.
        used: &'static str,
        /// What it should have used.
        registered: &'static str,
    },
    /// The secret is another.
    #[error("the client's secret is wrong")]
    Secret,
    /// The assertion isn't signed by a key of the client, or its claims aren't right.
    #[error("the client's assertion: {0}")]
    Assertion(#[from] AssertionError),
    /// The client's keys can't be had.
    #[error("the client's keys can't be fetched: {0}")]
    Keys(EgressError),
    /// The client's keys can't be used.
    #[error("the client's keys are malformed")]
    MalformedKeys,
    /// The client's secret was never kept in a way in which it could be read.
    #[error(
        "the client registered client_secret_jwt, but its secret can't be read; give it another one: rotate it"
    )]
    UnreadableSecret,
    /// It should have shown a certificate.
    #[error(
        "the client authenticates by a certificate, and the request came without one: send it to the token endpoint among mtls_endpoint_aliases"
    )]
    NoCertificate,
    /// The certificate isn't the client's.
    #[error("the client's certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// The client isn't what its security profile demands.
    #[error("the client may not be used as it is registered: {0}")]
    Profile(MetadataError),
    /// The assertion was used before.
    #[error("the assertion's jti was used before")]
    Replayed,
    /// A client that can't authenticate, where only others may ask.
    #[error("a public client asks where only clients that authenticate may")]
    Public,
    /// A failure of ours.
    #[error(transparent)]
    Failed(#[from] FlowError),
}

impl ClientRefusal {
    /// Whether nothing is known of the client yet: what is to be believed or not is looked at when its keys can be had again.
    fn is_undecided(&self) -> bool {
        matches!(self, Self::Keys(error) if error.is_passing())
    }
}

impl From<ClientRefusal> for OAuthError {
    fn from(refusal: ClientRefusal) -> Self {
        match refusal {
            ClientRefusal::Malformed(error) => error,
            ClientRefusal::Failed(error) => error.into(),
            // Of a claim it is no secret what it must be; of keys and signatures strangers learn nothing.
            ClientRefusal::Assertion(ref error) if !matches!(error, AssertionError::Jws(_)) => {
                Self::invalid_client(refusal.to_string())
            }
            // That a client authenticates by a certificate is no secret. What has to stand in it isn't told, and whether it stands there only to whoever
            // has one of a trusted authority.
            ClientRefusal::Replayed
            | ClientRefusal::Public
            | ClientRefusal::NoCertificate
            | ClientRefusal::Certificate(_) => Self::invalid_client(refusal.to_string()),
            ClientRefusal::Profile(_) => Self::unauthorized_client(refusal.to_string()),
            ClientRefusal::Keys(ref error) if error.is_passing() => Self::temporarily_unavailable(
                "the client's keys can't be fetched at present; try again shortly",
            ),
            _ => Self::invalid_client(
                "client authentication failed: check the client_id, its secret or key, and that the method is the registered token_endpoint_auth_method",
            ),
        }
    }
}

impl Provider {
    /// The client that a request is from.
    pub async fn authenticate_client(
        &self,
        at: &TenantAt,
        sent: Sent<'_>,
        body: &Params,
    ) -> Result<Arc<Client>, ClientRefusal> {
        let credentials = &ClientCredentials::from_request(sent.authorization, body)
            .map_err(ClientRefusal::Malformed)?;
        let assertion = match credentials {
            ClientCredentials::Assertion { assertion, .. } => {
                Some(UnverifiedAssertion::parse(assertion.expose()))
            }
            _ => None,
        };
        let claimed = claimed_client(credentials, assertion.as_ref());
        let kept = claimed.and_then(|id| self.kept_client(&at.tenant, id));
        let is_kept = kept.is_some();
        let mut client = match (kept, claimed) {
            // Boxed like all below that few requests wait for: a future has room for what it may wait for and is copied whole.
            (None, Some(id)) => Box::pin(self.read_client(&at.tenant, id)).await?,
            (kept, _) => kept,
        };
        let checked = match credentials {
            ClientCredentials::None { .. } | ClientCredentials::Assertion { .. } => Ok(()),
            ClientCredentials::Basic { secret, .. } | ClientCredentials::Post { secret, .. } => {
                let check = |client: Option<&Client>| {
                    self.check_secret(&at.tenant, claimed, client, secret)
                };
                match (check(client.as_deref()), claimed) {
                    // Its secret may have been changed at another node a moment ago. And a client that is there would be refused sooner than one that
                    // isn't, which is looked for each time.
                    (Err(_), Some(id)) if is_kept => {
                        client = Box::pin(self.read_client(&at.tenant, id)).await?;
                        if client.is_none() {
                            self.forget_client(&at.tenant, id);
                        }
                        check(client.as_deref())
                    }
                    (checked, _) => checked,
                }
            }
        };
        let result = match (client, credentials.method(), assertion) {
            (None, _, _) => Err(ClientRefusal::Unknown),
            (Some(client), None, Some(Ok(assertion))) => {
                let checked = Box::pin(self.check_assertion(at, &client, assertion)).await;
                checked.map(|()| client)
            }
            (Some(_), None, Some(Err(error))) => Err(AssertionError::from(error).into()),
            // RFC 8705 §2: such a client names itself by its client_id, and by nothing else.
            (Some(client), Some(TokenEndpointAuthMethod::None), _)
                if client
                    .metadata
                    .token_endpoint_auth_method
                    .uses_certificate() =>
            {
                let check = self.check_certificate(&at.tenant, &client, sent.certificate);
                Box::pin(check).await.map(|()| client)
            }
            (Some(client), method, _) => method
                .map_or(Err(ClientRefusal::Unknown), |used| {
                    check_method(&client, used)
                })
                .and(checked)
                .map(|()| client),
        };
        // Told to none but the client itself.
        let result = result.and_then(|client| match at.tenant.check_profile(&client) {
            Ok(_) => Ok(client),
            Err(error) => Err(ClientRefusal::Profile(error)),
        });
        match result {
            Err(ClientRefusal::Failed(error)) => Err(error.into()),
            Err(refusal) => {
                let note = self.note_failure(&at.tenant, claimed, &refusal, sent.origin);
                Box::pin(note).await?;
                Err(refusal)
            }
            Ok(client) => {
                // Anybody can name a public client: that one is used when it gets something.
                if !client.is_public() {
                    self.note_use(&at.tenant, &client);
                }
                Ok(client)
            }
        }
    }

    /// Compares by hash and in constant time; a client that isn't there, or has no secret, takes the same steps.
    fn check_secret(
        &self,
        tenant: &Tenant,
        id: Option<ClientId>,
        client: Option<&Client>,
        secret: &PlainSecret,
    ) -> Result<(), ClientRefusal> {
        let id = id.map_or(Uuid::nil(), ClientId::uuid);
        let Some(presented) = hash_client_secret(tenant.handle_key(), id, secret.expose()) else {
            return Err(ClientRefusal::Secret);
        };
        let kept = client.and_then(|client| client.secret.as_ref());
        // For clients without a secret: what no secret hashes to.
        let nothing = HashedSecret::NONE;
        let now = self.now();
        let current = kept
            .map_or(nothing, |secrets| secrets.current.hash)
            .matches(&presented);
        let previous = kept
            .and_then(|secrets| secrets.previous.as_ref())
            .filter(|(_, until)| now < *until)
            .map_or(nothing, |(kept, _)| kept.hash);
        let previous = previous.matches(&presented);
        if current | previous {
            Ok(())
        } else {
            Err(ClientRefusal::Secret)
        }
    }

    /// RFC 8705 §2.1, §2.2: whether the certificate is the client's, by the method that it registered.
    async fn check_certificate(
        &self,
        tenant: &Tenant,
        client: &Client,
        certificate: Option<&ClientCertificate>,
    ) -> Result<(), ClientRefusal> {
        let certificate = certificate.ok_or(ClientRefusal::NoCertificate)?;
        let metadata = &client.metadata;
        if metadata.token_endpoint_auth_method == TokenEndpointAuthMethod::TlsClientAuth {
            let subject = metadata
                .expected_subject()
                .ok_or(CertificateError::Subject)?;
            let now = self.clock.unix();
            return Ok(certificate.check_issued(&tenant.authorities, subject, now)?);
        }
        if let Some(jwks) = &metadata.jwks {
            let keys = jwks.get("keys").and_then(Value::as_array);
            let keys: Vec<_> = keys
                .into_iter()
                .flatten()
                .filter_map(Value::as_object)
                .collect();
            return Ok(certificate.check_published(&keys)?);
        }
        let url = metadata
            .jwks_uri
            .as_ref()
            .ok_or(ClientRefusal::MalformedKeys)?;
        let (tenant, owner) = (tenant.id().uuid(), client.id.uuid());
        let is_there =
            |set: &JwkSet| certificate.check_published(&set.keys.iter().collect::<Vec<_>>());
        self.client_keys
            .load_until(tenant, owner, url, |set| is_there(set).is_ok())
            .await
            .map_err(ClientRefusal::Keys)
            .and_then(|set| Ok(is_there(&set)?))
    }

    async fn check_assertion(
        &self,
        at: &TenantAt,
        client: &Client,
        unverified: UnverifiedAssertion<'_>,
    ) -> Result<(), ClientRefusal> {
        // Before any fetch: a stranger must not have us fetch the keys of clients that use none. And whichever of the two methods a client
        // registered, nothing is tried that is of the other.
        check_method(client, unverified.method())?;
        let registered = client
            .metadata
            .token_endpoint_auth_signing_alg
            .and_then(AssertionAlgorithm::asymmetric);
        let registered = registered.as_slice();
        let token = format!("{}{}", at.issuer, paths::TOKEN);
        // RFC 9126 §2 has each of the three identify the server as the audience, wherever the assertion is presented.
        let pushed = format!("{}{}", at.issuer, paths::PAR);
        let alias = self
            .alias_of(at)
            .map(|alias| format!("{alias}{}", paths::TOKEN));
        let mut all = vec![&*at.issuer, token.as_str(), pushed.as_str()];
        all.extend(alias.as_deref());
        // OpenID Connect CIBA §7.1 has its endpoint beside these.
        let asked = (at.tenant.settings().backchannel_authentication)
            .then(|| format!("{}{}", at.issuer, paths::BACKCHANNEL_AUTHENTICATION));
        all.extend(asked.as_deref());
        let profile: SecurityProfile = at.tenant.profile_of(client);
        let rules = AssertionRules {
            // FAPI 2.0 Security Profile §5.3.2.1: the issuer alone, as one text.
            audiences: if at.tenant.settings().require_issuer_audience || profile.is_fapi() {
                &all[..1]
            } else {
                &all
            },
            algorithms: if registered.is_empty() {
                profile.algorithms()
            } else {
                registered
            },
            max_lifetime: DEFAULT_MAX_LIFETIME,
            unix: self.clock.unix(),
        };
        let verified = if client.metadata.token_endpoint_auth_method.reads_secret() {
            let secrets = self.read_secrets(&at.tenant, client)?;
            let secrets: Vec<&[u8]> = secrets.iter().map(|secret| secret.as_slice()).collect();
            unverified.verify_by_secret(&secrets, rules)?
        } else {
            let keys = self
                .keys_of_client(&at.tenant, client, unverified.kid())
                .await?;
            unverified.verify(&keys, rules)?
        };
        if verified.client_id != client.id.to_string() {
            return Err(AssertionError::IssuerIsNotSubject.into());
        }
        self.consume_assertion(&at.tenant, client.id, &verified)
            .await
    }

    /// The secrets that an assertion may be signed by: the present one and, for a while after a rotation, the one before.
    fn read_secrets(
        &self,
        tenant: &Tenant,
        client: &Client,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>, ClientRefusal> {
        let kept = client
            .secret
            .as_ref()
            .ok_or(ClientRefusal::UnreadableSecret)?;
        let now = self.now();
        let previous = kept
            .previous
            .as_ref()
            .filter(|(_, until)| now < *until)
            .map(|(kept, _)| kept);
        let keeper = Keeper::of(tenant, &self.clock);
        let secrets = [Some(&kept.current), previous]
            .into_iter()
            .flatten()
            .filter_map(|kept| kept.sealed.as_deref())
            .map(|sealed| keeper.read(client.id, sealed).map_err(FlowError::from))
            .collect::<Result<Vec<_>, _>>()?;
        if secrets.is_empty() {
            return Err(ClientRefusal::UnreadableSecret);
        }
        Ok(secrets)
    }

    /// The client's public keys, registered or fetched: those that can be meant by `kid`.
    pub(super) async fn keys_of_client(
        &self,
        tenant: &Tenant,
        client: &Client,
        kid: Option<&str>,
    ) -> Result<Arc<VerificationKeys>, ClientRefusal> {
        if let Some(jwks) = &client.metadata.jwks {
            let name = (tenant.id(), client.id, version_of(client, jwks));
            return REGISTERED_KEYS.get_or_insert_with(&name, || {
                VerificationKeys::from_jwks(jwks)
                    .map(Arc::new)
                    .map_err(|_| ClientRefusal::MalformedKeys)
            });
        }
        let Some(url) = &client.metadata.jwks_uri else {
            return Err(ClientRefusal::MalformedKeys);
        };
        self.published_keys(tenant, client.id.uuid(), url, kid)
            .await
            .map(Arc::new)
            .map_err(|error| error.map_or(ClientRefusal::MalformedKeys, ClientRefusal::Keys))
    }

    /// Keys that their owner publishes: those that can be meant by `kid`. Without an error they came, and can't be used.
    pub(super) async fn published_keys(
        &self,
        tenant: &Tenant,
        owner: Uuid,
        url: &str,
        kid: Option<&str>,
    ) -> Result<VerificationKeys, Option<EgressError>> {
        let set = self
            .client_keys
            .load(tenant.id().uuid(), owner, url, kid)
            .await
            .map_err(Some)?;
        // Of a large set only those that can be meant are made ready.
        let meant = |key: &&serde_json::Map<String, Value>| {
            kid.is_none() || key.get("kid").and_then(Value::as_str) == kid
        };
        let keys: Vec<_> = set.keys.iter().filter(meant).collect();
        VerificationKeys::from_jwks(&json!({ "keys": keys })).map_err(|_| None)
    }

    /// RFC 7523 §3, point 7: an assertion is good for one use, on all nodes.
    async fn consume_assertion(
        &self,
        tenant: &Tenant,
        client: ClientId,
        assertion: &Assertion,
    ) -> Result<(), ClientRefusal> {
        let jti = tenant
            .handle_key()
            .mac("client assertion", &[assertion.jti.as_bytes()]);
        let until = chrono::DateTime::from_timestamp(assertion.remember_until, 0).ok_or(
            FlowError::Internal("an assertion that was accepted expires at no time"),
        )?;
        let fresh = self
            .db
            .write(tenant, move |repo| {
                repo.consume_assertion(client, &jti, until)
            })
            .await
            .map_err(FlowError::from)?;
        if fresh {
            Ok(())
        } else {
            Err(ClientRefusal::Replayed)
        }
    }

    /// Logs every failure, and writes down the first of each client and minute; not one that is nobody's word about the client: its keys
    /// can't be had now.
    async fn note_failure(
        &self,
        tenant: &Tenant,
        client: Option<ClientId>,
        refusal: &ClientRefusal,
        origin: &Origin,
    ) -> Result<(), FlowError> {
        if refusal.is_undecided() {
            tracing::warn!(tenant = %tenant.slug(), client = client.map(tracing::field::display), reason = %refusal, "a client can't be authenticated now");
            return Ok(());
        }
        tracing::info!(tenant = %tenant.slug(), client = client.map(tracing::field::display), reason = %refusal, "client authentication failed");
        // Names that nobody has would make a counter each.
        let client = client.filter(|_| !matches!(refusal, ClientRefusal::Unknown));
        if !FAILURES.is_first((tenant.id(), client), self.clock.unix().div_euclid(60)) {
            return Ok(());
        }
        let mut event = Event::new(Act::ClientAuthenticationFailed, Actor::Anonymous)
            .from(origin)
            .detail(json!({ "reason": refusal.to_string() }));
        if let Some(id) = client {
            event = event.client(id);
        }
        Ok(self
            .db
            .write(tenant, move |repo| repo.record(event.clone()))
            .await?)
    }
}

/// Who the request says that it is from. An assertion may say it by its subject alone (RFC 7521 §4.2).
fn claimed_client(
    credentials: &ClientCredentials,
    assertion: Option<&Result<UnverifiedAssertion<'_>, JwsError>>,
) -> Option<ClientId> {
    match credentials {
        ClientCredentials::None { client_id }
        | ClientCredentials::Basic { client_id, .. }
        | ClientCredentials::Post { client_id, .. }
        | ClientCredentials::Assertion {
            client_id: Some(client_id),
            ..
        } => client_id.parse().ok(),
        ClientCredentials::Assertion {
            client_id: None, ..
        } => assertion?.as_ref().ok()?.claimed_client()?.parse().ok(),
    }
}

fn check_method(client: &Client, used: TokenEndpointAuthMethod) -> Result<(), ClientRefusal> {
    let registered = client.metadata.token_endpoint_auth_method;
    if registered == used {
        return Ok(());
    }
    Err(ClientRefusal::Method {
        used: used.as_str(),
        registered: registered.as_str(),
    })
}

/// The keys of clients' metadata, made ready once for each version of a client.
type Registered = (TenantId, ClientId, (i64, u64));

static REGISTERED_KEYS: LazyLock<Cache<Registered, Arc<VerificationKeys>>> =
    LazyLock::new(|| Cache::new(5_000));

/// The minute of the last failure that was written down, by client; strangers to the tenant share one.
static FAILURES: LazyLock<Failures> = LazyLock::new(|| Failures(Cache::new(10_000)));

struct Failures(Cache<(TenantId, Option<ClientId>), i64>);

impl Failures {
    fn is_first(&self, who: (TenantId, Option<ClientId>), minute: i64) -> bool {
        if self.0.get(&who) == Some(minute) {
            return false;
        }
        self.0.insert(who, minute);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_a_minute_and_client_is_written_down() {
        let failures = Failures(Cache::new(10));
        let tenant = TenantId::from(Uuid::from_u128(1));
        let client = Some(ClientId::from(Uuid::from_u128(2)));
        assert!(failures.is_first((tenant, client), 7));
        assert!(!failures.is_first((tenant, client), 7));
        assert!(failures.is_first((tenant, None), 7));
        assert!(failures.is_first((tenant, client), 8));
        // The clock was set back.
        assert!(failures.is_first((tenant, client), 7));
    }
}
