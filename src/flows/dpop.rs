//! Proofs of possession (RFC 9449): whether whoever sends a request holds the key that it names, here, now and for the first time.
//!
//! What a proof must say is [`crate::jose::dpop`]'s matter. Here are the two things that need the server: its nonces, and that no proof is
//! taken twice.
//!
//! **Nonces** (§8) need no row: each is a MAC of a step of time under a key of the tenant's, which all nodes have. A client that sends one sends
//! the present or the previous step's, and is given another otherwise; whether it must send one at all is for the tenant or the client to say.
//!
//! **Replays** (§11.1) are refused wherever a proof is looked at, on all nodes, and that costs: a row and a commit for each proof, which is what
//! client credentials and userinfo cost nothing of otherwise. It isn't left out where tokens are presented, as a proof that was overheard is
//! good there for as long as at the token endpoint, and what it opens (a person's claims, the whole administration) is what the binding is to
//! protect. Nor does a nonce make up for it: it bounds a proof's age, not its use. A row lives as long as its proof would be accepted, a
//! minute unless told otherwise, so that there are as many as come in a minute. Requests without a proof are none of this.

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quick_cache::sync::Cache;
use serde_json::json;

use super::provider::{FlowError, Provider};
use super::tenancy::Tenant;
use crate::clock::Timestamp;
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::client::Client;
use crate::domain::ids::{ClientId, TenantId};
use crate::jose::dpop::{Proof, ProofError, ProofRules, UnverifiedProof};
use crate::protocol::dpop::Thumbprint;
use crate::protocol::{ErrorCode, OAuthError};
use crate::secret::HashedSecret;
use crate::storage::StorageError;

/// How long a step of time is, in seconds: a nonce is taken for one step at least and two at most.
const NONCE_STEP: i64 = 120;

/// Why a proof isn't taken.
#[derive(Debug, thiserror::Error)]
pub enum DpopRefusal {
    /// There is none, where one is needed.
    #[error("a DPoP proof is needed: send one in the header field DPoP")]
    Missing,
    /// There are several (§4.3, point 1).
    #[error("the request has more than one DPoP header field")]
    Several,
    /// It isn't sound, or is for another request.
    #[error("the DPoP proof: {0}")]
    Proof(#[from] ProofError),
    /// It is by another key than the token, or than `dpop_jkt` says.
    #[error("the DPoP proof is by another key")]
    Key,
    /// It has no nonce of the server's, or an old one; this is the present one.
    #[error("the DPoP proof needs the nonce that this answer's header field DPoP-Nonce gives")]
    Nonce(String),
    /// It was presented before.
    #[error("the DPoP proof was used before: make a new one, with another jti, for each request")]
    Replayed,
    /// A failure of ours.
    #[error(transparent)]
    Failed(#[from] FlowError),
}

impl From<StorageError> for DpopRefusal {
    fn from(error: StorageError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<DpopRefusal> for OAuthError {
    /// Whoever sends a proof made it: what is wrong with it is no secret to them.
    fn from(refusal: DpopRefusal) -> Self {
        match refusal {
            DpopRefusal::Failed(error) => error.into(),
            DpopRefusal::Nonce(_) => Self::new(ErrorCode::UseDpopNonce, refusal.to_string()),
            refusal => Self::invalid_dpop_proof(refusal.to_string()),
        }
    }
}

/// A request that may carry a proof.
#[derive(Clone, Copy, Debug)]
pub struct ProofRequest<'a> {
    /// The values of all `DPoP` header fields.
    pub proofs: &'a [&'a str],
    /// The method.
    pub method: &'a str,
    /// The address at which it arrived, by the tenant's own address and never by the `Host` header.
    pub uri: &'a str,
    /// Who sends it.
    pub origin: &'a Origin,
}

/// The token that a proof stands beside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside<'a> {
    /// The token.
    pub(super) token: &'a str,
    /// The key that it is bound to.
    pub(super) key: Thumbprint,
}

impl Provider {
    /// The nonce that proofs are to carry from now on.
    pub fn dpop_nonce(&self, tenant: &Tenant) -> String {
        let nonce = nonce_of(tenant, self.clock.unix().div_euclid(NONCE_STEP));
        URL_SAFE_NO_PAD.encode(nonce.as_bytes())
    }

    /// The key that whoever sends the request proves to hold, which must be the token's where one stands beside the proof.
    pub(super) async fn check_proof(
        &self,
        tenant: &Tenant,
        client: &Client,
        request: ProofRequest<'_>,
        beside: Option<Beside<'_>>,
    ) -> Result<Thumbprint, DpopRefusal> {
        let proof = self.verify_proof(tenant, client, request, beside)?;
        self.spend_proof(tenant, client, &proof, request.origin)
            .await?;
        Ok(proof.thumbprint)
    }

    /// A proof that is sound, for this request, and whose key must be the token's where one stands beside it. Whether it comes for the first
    /// time is [`Provider::spend_proof`]'s matter, which costs a row: what is cheaper to refuse is refused in between.
    pub(super) fn verify_proof(
        &self,
        tenant: &Tenant,
        client: &Client,
        request: ProofRequest<'_>,
        beside: Option<Beside<'_>>,
    ) -> Result<Proof, DpopRefusal> {
        let text = match request.proofs {
            [] => return Err(DpopRefusal::Missing),
            [text] => text,
            _ => return Err(DpopRefusal::Several),
        };
        let settings = tenant.settings();
        let mut leeway = settings.dpop_proof_leeway;
        // FAPI 2.0 Security Profile §5.3.2.1: none of a minute ahead.
        if tenant.profile_of(client).is_fapi() {
            leeway = leeway.min(60);
        }
        let unverified = UnverifiedProof::parse(
            text,
            ProofRules {
                method: request.method,
                uri: request.uri,
                access_token: beside.map(|beside| beside.token),
                algorithms: tenant.profile_of(client).algorithms(),
                leeway: Duration::from_secs(leeway.into()),
                unix: self.clock.unix(),
            },
        )?;
        if beside.is_some_and(|beside| beside.key != unverified.thumbprint()) {
            return Err(DpopRefusal::Key);
        }
        let demanded = settings.require_dpop_nonce || client.metadata.require_dpop_nonce;
        // §4.3, point 10: one that is there has to be the server's, demanded or not.
        let fits = match unverified.nonce() {
            Some(nonce) => self.is_dpop_nonce(tenant, nonce),
            None => !demanded,
        };
        if !fits {
            return Err(DpopRefusal::Nonce(self.dpop_nonce(tenant)));
        }
        Ok(unverified.verify()?)
    }

    /// Takes a proof, which is good for one request.
    pub(super) async fn spend_proof(
        &self,
        tenant: &Tenant,
        client: &Client,
        proof: &Proof,
        origin: &Origin,
    ) -> Result<(), DpopRefusal> {
        if self.consume_proof(tenant, proof).await? {
            return Ok(());
        }
        self.note_replay(tenant, client, proof, origin).await?;
        Err(DpopRefusal::Replayed)
    }

    /// Whether a nonce is that of the present step of time, or of the one before.
    fn is_dpop_nonce(&self, tenant: &Tenant, nonce: &str) -> bool {
        let presented = Some(nonce)
            .filter(|nonce| nonce.len() == 43)
            .and_then(|nonce| URL_SAFE_NO_PAD.decode(nonce).ok())
            .and_then(|bytes| HashedSecret::from_slice(&bytes));
        let step = self.clock.unix().div_euclid(NONCE_STEP);
        presented.is_some_and(|presented| {
            [step, step - 1]
                .iter()
                .any(|step| nonce_of(tenant, *step).matches(&presented))
        })
    }

    async fn consume_proof(&self, tenant: &Tenant, proof: &Proof) -> Result<bool, FlowError> {
        let (name, until) = name_of(tenant, proof)?;
        Ok(self
            .db
            .write(tenant, move |repo| repo.consume_once(&name, until))
            .await?)
    }

    /// Writes down the first replay of each client and minute: of an honest client's requests, one that is sent again by the network at the most.
    pub(super) async fn note_replay(
        &self,
        tenant: &Tenant,
        client: &Client,
        proof: &Proof,
        origin: &Origin,
    ) -> Result<(), FlowError> {
        let (who, minute) = ((tenant.id(), client.id), self.clock.unix().div_euclid(60));
        if REPLAYS.get(&who) == Some(minute) {
            return Ok(());
        }
        REPLAYS.insert(who, minute);
        let event = Event::new(Act::ProofReplayed, Actor::Anonymous)
            .client(client.id)
            .from(origin)
            .detail(json!({ "jkt": proof.thumbprint }));
        Ok(self
            .db
            .write(tenant, move |repo| repo.record(event.clone()))
            .await?)
    }
}

/// By which name a proof is remembered, and until when.
pub(super) fn name_of(
    tenant: &Tenant,
    proof: &Proof,
) -> Result<(HashedSecret, Timestamp), FlowError> {
    let name = tenant.handle_key().mac(
        "DPoP proof",
        &[proof.thumbprint.as_bytes(), proof.jti.as_bytes()],
    );
    let until = chrono::DateTime::from_timestamp(proof.remember_until, 0).ok_or(
        FlowError::Internal("a proof that was accepted ends at no time"),
    )?;
    Ok((name, until))
}

/// The nonce of a step of time: nobody else can make it, and no tenant's is another's.
fn nonce_of(tenant: &Tenant, step: i64) -> HashedSecret {
    tenant
        .handle_key()
        .mac("DPoP nonce", &[&step.to_be_bytes()])
}

/// The minute of the last replay that was written down, by client.
static REPLAYS: LazyLock<Cache<(TenantId, ClientId), i64>> = LazyLock::new(|| Cache::new(10_000));
