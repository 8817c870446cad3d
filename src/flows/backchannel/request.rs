//! The backchannel authentication endpoint (OpenID Connect CIBA §7).

use std::sync::Arc;

use chrono::{DateTime, Duration};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::code::{CodeLook, Limit, look_at_code};
use super::notify::notifier_of;
use super::whom::Meant;
use crate::clock::Timestamp;
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::backchannel_request::{BackchannelRequest, BackchannelStage};
use crate::domain::client::Client;
use crate::domain::ids::{BackchannelRequestId, UserId};
use crate::domain::settings::LockoutPolicy;
use crate::domain::throttle::Admission;
use crate::domain::user::User;
use crate::flows::Provider;
use crate::flows::authorize::{ObjectRefusal, check_acr_values, check_essential_acr};
use crate::flows::client_authentication::Sent;
use crate::flows::grants::TokenRefusal;
use crate::flows::issue::subject_of;
use crate::flows::provider::FlowError;
use crate::flows::scopes::{ADMIN, Rules};
use crate::flows::tenancy::{Tenant, TenantAt};
use crate::jose::claims::{load_date, load_string};
use crate::jose::request_object::{RequestObjectRules, UnverifiedRequestObject};
use crate::jose::seal::SealContext;
use crate::protocol::backchannel_authentication::{
    self as wire, BackchannelResponse, DeliveryMode, MAX_JTI, MAX_SIGNED_LIFETIME,
    signed_parameters,
};
use crate::protocol::client_metadata::GrantType;
use crate::protocol::device_authorization::INTERVAL;
use crate::protocol::person_code::{PersonCode, wrong_user_code};
use crate::protocol::scope::DEVICE_SSO;
use crate::protocol::{ErrorCode, OAuthError, Params};
use crate::secret::{Handle, HashedSecret, PlainSecret, Purpose};
use crate::storage::{self, Repo};

/// How often in an hour a client is told that it named nobody.
pub const UNKNOWN_RATE: u32 = 30;

/// How often in an hour a client asks without the code that the person has set, or with a wrong one, whoever they are.
pub const MISS_RATE: u32 = 100;

/// The window in which requests are counted, in seconds.
const RATE_WINDOW: u32 = 3600;

/// So often in an hour.
pub(super) const fn hourly(attempts: u32) -> LockoutPolicy {
    LockoutPolicy {
        attempts,
        window: RATE_WINDOW,
    }
}

/// How much more all clients together may ask of a person than one of them.
const PERSON_FACTOR: u32 = 5;

/// No request is over before its person can have read it, in seconds.
const SHORTEST: u32 = 30;

/// Why nobody is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BackchannelRefusal {
    /// Nobody is meant by the hint.
    Unknown,
    /// The hint may mean somebody; it wasn't looked at.
    Throttled,
    /// The person was asked too often.
    TooFast,
    /// The person has enough to answer.
    Full,
    /// The person has set a code, and none came.
    CodeMissing,
    /// It isn't theirs.
    CodeWrong,
    /// Too many wrong codes, or none too often; this one wasn't looked at.
    CodeThrottled,
    /// The signed request was used before.
    Replayed,
    /// What somebody signed of the person was used before.
    HintReplayed,
}

impl From<BackchannelRefusal> for OAuthError {
    fn from(refusal: BackchannelRefusal) -> Self {
        let busy = |description| Self::new(ErrorCode::TooManyRequests, description);
        match refusal {
            BackchannelRefusal::Unknown => Self::new(
                ErrorCode::UnknownUserId,
                "the hint means nobody who could be asked here",
            ),
            BackchannelRefusal::Throttled => {
                busy("this client named too many people who aren't known; try again in an hour")
            }
            BackchannelRefusal::TooFast => {
                busy("this person is being asked too often; try again later")
            }
            BackchannelRefusal::Full => {
                busy("this person has other requests to answer first; try again in a minute")
            }
            BackchannelRefusal::CodeMissing => Self::new(
                ErrorCode::MissingUserCode,
                "this person is asked with their code alone; send it as user_code (the client registers backchannel_user_code_parameter for that)",
            ),
            BackchannelRefusal::CodeWrong => wrong_user_code(),
            BackchannelRefusal::CodeThrottled => {
                busy("people were asked for too often without the right code; try again later")
            }
            BackchannelRefusal::HintReplayed => Self::invalid_request(
                "the login_hint_token's jti was used before; get another from its issuer",
            ),
            BackchannelRefusal::Replayed => {
                Self::invalid_request("the signed request's jti was used before; sign another")
            }
        }
    }
}

/// Refuses a client that may ask nobody, or not any more; says how it gets its tokens.
pub(in crate::flows) fn check_permitted(
    tenant: &Tenant,
    client: &Client,
) -> Result<DeliveryMode, OAuthError> {
    if !tenant.settings().backchannel_authentication {
        return Err(OAuthError::unauthorized_client(
            "this tenant's people are not asked by the back channel; its administrators can allow it in its settings",
        ));
    }
    let mode = client.metadata.backchannel_token_delivery_mode;
    match mode.filter(|_| client.allows(GrantType::Ciba) && !client.is_public()) {
        Some(mode) => Ok(mode),
        None => Err(OAuthError::unauthorized_client(
            "the client may not ask people by the back channel; name urn:openid:params:grant-type:ciba in the client's grant_types",
        )),
    }
}

/// What a client is told with, as it is sealed beside its request.
#[derive(Serialize, Deserialize)]
pub(super) struct Notice {
    pub(super) auth_req_id: String,
    pub(super) client_notification_token: String,
}

/// Where that is sealed.
const fn notice_context(tenant: &Tenant, id: BackchannelRequestId) -> SealContext {
    SealContext {
        tenant: tenant.record.id.uuid(),
        table: "backchannel_requests",
        row: id.uuid(),
    }
}

/// Opens what a client is told with; none where it only polls.
pub(super) fn open_notice(
    tenant: &Tenant,
    request: &BackchannelRequest,
) -> Result<Option<Notice>, FlowError> {
    let Some(sealed) = &request.sealed_notice else {
        return Ok(None);
    };
    let json = tenant
        .data_key()
        .open(notice_context(tenant, request.id), sealed)?;
    serde_json::from_slice(&json)
        .map(Some)
        .map_err(|_| FlowError::Internal("what a client is told with can't be read"))
}

/// §13 has no code of its own for a signed request that isn't good.
fn without_code_of_its_own(error: OAuthError) -> OAuthError {
    match error.code {
        ErrorCode::InvalidRequestObject => {
            OAuthError::invalid_request(error.description().to_owned())
        }
        _ => error,
    }
}

/// What one use of a signed request is known by, and until when.
type Used = (HashedSecret, Timestamp);

/// What is to be written down; owned, as a write may run more than once.
struct Keeping {
    tenant: Arc<Tenant>,
    client: Arc<Client>,
    meant: Meant,
    user_code: Option<PersonCode>,
    /// Of nobody yet.
    request: BackchannelRequest,
    used: Option<Used>,
    origin: Origin,
}

impl Keeping {
    fn counter(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        *self.tenant.browser_key().mac(label, parts).as_bytes()
    }

    fn keep(&self, repo: &mut Repo<'_>) -> storage::Result<Result<(), BackchannelRefusal>> {
        let (settings, client) = (self.tenant.settings(), self.client.id);
        if let Some((jti, until)) = &self.used
            && !repo.consume_assertion(client, jti, *until)?
        {
            return Ok(Err(BackchannelRefusal::Replayed));
        }
        let own = client.uuid();
        let unknown = self.counter("people whom a client doesn't know", &[own.as_bytes()]);
        // Whoever types names of nobody at the client must not keep those from it of whom it holds a token.
        if self.meant.is_guess && repo.is_attempt_refused(&unknown, &hourly(UNKNOWN_RATE))? {
            return Ok(Err(BackchannelRefusal::Throttled));
        }
        // Whoever is asked for with a code alone is known here: it isn't told of anybody any more, then.
        if self.meant.is_guess && Limit::of_client(&self.tenant, &self.client).is_reached(repo)? {
            return Ok(Err(BackchannelRefusal::CodeThrottled));
        }
        let found = self.meant.sought.find(repo, &self.tenant, &self.client)?;
        // OpenID Connect Core §5.5.1: "If the sub Claim is requested with a specific value"
        let claims = self.request.claims.as_ref();
        let wanted = claims.and_then(|claims| claims.required_subject());
        let fits = |user: &User| {
            wanted.is_none_or(|sub| subject_of(&self.tenant, &self.client, user.id) == sub)
        };
        let Some(user) = found.filter(fits) else {
            if self.meant.is_guess {
                repo.admit_attempt(&unknown, &hourly(UNKNOWN_RATE))?;
            }
            return Ok(Err(BackchannelRefusal::Unknown));
        };
        // Before anything is counted for the person: whoever doesn't know their code takes nothing from those who do.
        let (asking, code) = ((&*self.tenant, &*self.client), self.user_code.as_ref());
        match look_at_code(repo, asking, user.id, code, &self.origin)? {
            CodeLook::Passed => {}
            CodeLook::Missing => return Ok(Err(BackchannelRefusal::CodeMissing)),
            CodeLook::Wrong => return Ok(Err(BackchannelRefusal::CodeWrong)),
            CodeLook::Refused => return Ok(Err(BackchannelRefusal::CodeThrottled)),
        }
        let person = user.id.uuid();
        let rate = settings.backchannel_request_rate;
        for (label, parts, attempts) in [
            (
                "requests of a client to a person",
                &[own.as_bytes().as_slice(), person.as_bytes()][..],
                rate,
            ),
            (
                "requests to a person",
                &[person.as_bytes().as_slice()][..],
                rate.saturating_mul(PERSON_FACTOR),
            ),
        ] {
            let counter = self.counter(label, parts);
            if repo.admit_attempt(&counter, &hourly(attempts))? == Admission::Refused {
                return Ok(Err(BackchannelRefusal::TooFast));
            }
        }
        // Counted, not reserved: on PostgreSQL, those of one moment may exceed it by as many as they are.
        let waiting = repo.clients_that_wait_for(user.id)?;
        let limit = usize::try_from(settings.backchannel_request_limit).unwrap_or(usize::MAX);
        let all = limit.saturating_mul(PERSON_FACTOR as usize);
        let ours = waiting.iter().filter(|asking| **asking == client).count();
        if ours >= limit || waiting.len() >= all {
            return Ok(Err(BackchannelRefusal::Full));
        }
        // Last: whoever is asked later, or with another code, needn't be named anew.
        if let Some((jti, until)) = &self.meant.once
            && !repo.consume_once(jti, *until)?
        {
            return Ok(Err(BackchannelRefusal::HintReplayed));
        }
        let request = BackchannelRequest {
            user_id: user.id,
            ..self.request.clone()
        };
        repo.insert_backchannel_request(&request)?;
        let mut said = serde_json::json!({
            "request": request.id, "scope": request.scope, "delivery_mode": request.delivery,
            "binding_message": request.binding_message, "expires_at": request.expires_at,
        });
        if !request.details.is_empty() {
            said["authorization_details"] = request.details.told();
        }
        repo.record(
            Event::new(Act::BackchannelRequested, Actor::Client(client))
                .user(user.id)
                .client(client)
                .from(&self.origin)
                .detail(said),
        )?;
        notifier_of(settings).notify(repo, &request)?;
        Ok(Ok(()))
    }
}

impl Provider {
    /// Has a person asked.
    pub async fn authenticate_by_backchannel(
        &self,
        at: &TenantAt,
        sent: Sent<'_>,
        body: &Params,
    ) -> Result<BackchannelResponse, TokenRefusal> {
        let (client, origin) = (self.authenticate_client(at, sent, body).await?, sent.origin);
        let tenant = &at.tenant;
        let mode = check_permitted(tenant, &client)?;
        // Whoever authenticates is as the profile demands.
        let profile = tenant.profile_of(&client);
        let signed = self.open_backchannel_request(at, &client, body).await?;
        let (params, used) = match &signed {
            Some((params, used)) => (params, Some(*used)),
            None => (body, None),
        };
        let asked = wire::BackchannelRequest::from_params(params, mode)?;
        // FAPI-CIBA §5.2.2: what is asked for has to be recognised by whoever is asked.
        if profile.is_fapi() && asked.binding_message.is_empty() {
            return Err(OAuthError::new(
                ErrorCode::InvalidBindingMessage,
                "binding_message is missing, which the security profile demands",
            )
            .into());
        }
        check_essential_acr(asked.claims.as_ref())?;
        check_acr_values(tenant, &client, &asked.acr_values)?;
        let user_code = asked.user_code.clone();
        // §7.1: "This parameter should only be present if client registration parameter […] indicates support for the user code."
        if user_code.is_some() && !client.metadata.backchannel_user_code_parameter {
            return Err(OAuthError::invalid_request(
                "the client isn't registered to send user_code; set its backchannel_user_code_parameter",
            )
            .into());
        }
        let meant = self.read_hint(at, &client, &asked.hint).await?;
        let request = self.new_backchannel_request(at, &client, mode, asked)?;
        // Before anybody is asked for an ID token that could never be given.
        let encryption = client.metadata.id_token_encryption();
        self.check_recipient(tenant, &client, encryption).await?;
        let (handle, request) = request;
        let expires_in = u32::try_from((request.expires_at - request.created_at).num_seconds())
            .unwrap_or(SHORTEST);
        let keeping = Keeping {
            tenant: Arc::clone(tenant),
            client,
            meant,
            user_code,
            request,
            used,
            origin: origin.clone(),
        };
        let kept = self
            .db
            .write(&**tenant, move |repo| keeping.keep(repo))
            .await?;
        kept.map_err(OAuthError::from)?;
        Ok(BackchannelResponse {
            auth_req_id: handle
                .to_text(Purpose::BackchannelRequest)
                .expose()
                .to_owned(),
            expires_in,
            // §7.3: "This parameter is used by Clients in Poll or Ping mode."
            interval: (mode != DeliveryMode::Push).then_some(INTERVAL),
        })
    }

    /// The request as it is kept, of nobody yet, with what it is known by to its client.
    fn new_backchannel_request(
        &self,
        at: &TenantAt,
        client: &Client,
        mode: DeliveryMode,
        asked: wire::BackchannelRequest,
    ) -> Result<(Handle, BackchannelRequest), TokenRefusal> {
        let tenant = &at.tenant;
        let rules = Rules::new(self, tenant, client);
        rules.check_scope(&asked.scope)?;
        let named = rules.check_resources(&asked.resources)?;
        let resources = rules.check_details(&asked.details, named)?;
        let scope = rules.scope_to_ask_for(&asked.scope, &resources)?;
        // Whoever allows it isn't at the application: nobody's administration is given away like that.
        if scope.contains(ADMIN) {
            return Err(OAuthError::invalid_scope(
                "tessera:admin isn't given by the back channel; use the authorization code grant",
            )
            .into());
        }
        // Whoever asks is on no device that others share.
        let scope = scope.without(DEVICE_SSO);
        let longest = tenant.settings().backchannel_request_lifetime;
        let lifetime = asked
            .requested_expiry
            .map_or(longest, |wanted| wanted.clamp(SHORTEST, longest));
        let (handle, now) = (Handle::generate(&self.clock), self.now());
        let id = BackchannelRequestId::from(handle.id());
        let sealed_notice = asked
            .client_notification_token
            .map(|token| self.seal_notice(tenant, &handle, &token))
            .transpose()?;
        let request = BackchannelRequest {
            id,
            client_id: client.id,
            user_id: UserId::from(uuid::Uuid::nil()),
            proof: handle.hash(tenant.handle_key(), Purpose::BackchannelRequest),
            issuer: at.issuer.to_string(),
            scope,
            resources,
            claims: asked.claims,
            details: asked.details,
            binding_message: asked.binding_message,
            delivery: mode,
            sealed_notice,
            interval: INTERVAL,
            stage: BackchannelStage::Pending,
            created_at: now,
            expires_at: now + Duration::seconds(i64::from(lifetime)),
        };
        Ok((handle, request))
    }

    fn seal_notice(
        &self,
        tenant: &Tenant,
        handle: &Handle,
        token: &PlainSecret,
    ) -> Result<Vec<u8>, FlowError> {
        let notice = Notice {
            auth_req_id: handle
                .to_text(Purpose::BackchannelRequest)
                .expose()
                .to_owned(),
            client_notification_token: token.expose().to_owned(),
        };
        let json = serde_json::to_vec(&notice)
            .map(Zeroizing::new)
            .map_err(|_| FlowError::Internal("what a client is told with can't be written"))?;
        let context = notice_context(tenant, BackchannelRequestId::from(handle.id()));
        Ok(tenant.data_key().seal(context, &json, &self.clock)?)
    }

    /// The parameters of a signed request (§7.1.1), where the client signs; and what its one use is known by.
    async fn open_backchannel_request(
        &self,
        at: &TenantAt,
        client: &Client,
        body: &Params,
    ) -> Result<Option<(Params, Used)>, TokenRefusal> {
        let registered = client
            .metadata
            .backchannel_authentication_request_signing_alg;
        let (object, algorithm) = match (body.get("request")?, registered) {
            (None, None) => return Ok(None),
            // §4: "When omitted, the Client will not send signed authentication requests."
            (Some(_), None) => {
                return Err(OAuthError::invalid_request(
                    "the client signs no requests; register its backchannel_authentication_request_signing_alg",
                )
                .into());
            }
            (None, Some(_)) => {
                return Err(OAuthError::invalid_request(
                    "this client must send its request signed, in the parameter request",
                )
                .into());
            }
            (Some(object), Some(algorithm)) => (object, algorithm),
        };
        let verified = self
            .verify_backchannel_request(at, client, object, algorithm)
            .await;
        let (claims, used) = verified.map_err(|refusal| match refusal {
            ObjectRefusal::Failed(error) => TokenRefusal::Failed(error),
            refusal => {
                tracing::info!(client = %client.id, reason = %refusal, "a signed request was refused");
                without_code_of_its_own(refusal.into()).into()
            }
        })?;
        let params = signed_parameters(&claims, body).map_err(without_code_of_its_own)?;
        Ok(Some((params, used)))
    }

    async fn verify_backchannel_request(
        &self,
        at: &TenantAt,
        client: &Client,
        object: &str,
        algorithm: crate::protocol::SigningAlgorithm,
    ) -> Result<(crate::jose::claims::Claims, Used), ObjectRefusal> {
        let algorithms = [algorithm];
        let unverified = UnverifiedRequestObject::parse(object, &algorithms)?;
        let keys = self
            .keys_of_client(&at.tenant, client, unverified.kid())
            .await?;
        let rules = RequestObjectRules {
            client_id: &client.id.to_string(),
            issuer: &at.issuer,
            algorithms: &algorithms,
            max_lifetime: Some(MAX_SIGNED_LIFETIME),
            unix: self.clock.unix(),
        };
        let claims = unverified.verify(&keys, rules)?;
        // §7.1.1: each of them is required, and `verify` has seen to `iss`, `aud`, `exp` and `nbf`.
        let malformed = |description: &'static str| {
            ObjectRefusal::from(OAuthError::invalid_request(description))
        };
        load_date(&claims, "iat")
            .map_err(|_| malformed("the claim iat is missing or malformed"))?;
        let jti = load_string(&claims, "jti")
            .ok()
            .filter(|jti| (1..=MAX_JTI).contains(&jti.len()))
            .ok_or_else(|| malformed("the claim jti is missing, empty or longer than 256 bytes"))?;
        let jti = at
            .tenant
            .handle_key()
            .mac("signed backchannel request", &[jti.as_bytes()]);
        // As long as it would be taken, leeway included; it can't be good for longer than an hour.
        let until = DateTime::from_timestamp(self.clock.unix() + MAX_SIGNED_LIFETIME + 60, 0)
            .ok_or(FlowError::Internal("the time is out of bounds"))?;
        Ok((claims, (jti, until)))
    }
}
