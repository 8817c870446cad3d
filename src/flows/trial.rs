//! Trying a client out from the console: a sign-in whose tokens are shown, taken apart, to whoever administers it.
//!
//! The client itself isn't touched: no redirect URI of ours is added to it, and its secret isn't needed, which nobody here has anyway.
//! Instead a *stand-in* is registered for the time of one sign-in: a public client with PKCE that has the client's name, scopes,
//! resources and kinds of tokens, and the one redirect URI `{issuer}/console/try-it/callback`. A code that goes there is worth nothing
//! without the `code_verifier`, which travels sealed in the `state`, and the state counts only in the session of the console that began.
//! Once the tokens are shown the stand-in is deleted, and with it the grant: our endpoints refuse the tokens from then on.
//!
//! What differs from the real thing: `client_id` and the ID token's `aud` name the stand-in, and a pairwise `sub` is made for our own
//! host. The scope `tessera:admin` and refresh tokens are left out, so that a trial is no way to administer or to stay.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::admin::{AdminError, By};
use super::console::{self, PATH};
use super::grants::TokenRefusal;
use super::own_sign_in::{OwnClient, Remembered, location, part};
use super::provider::{FlowError, Provider};
use super::scopes::{ADMIN, admin_api};
use super::tenancy::TenantAt;
use super::userinfo::{UserInfoAnswer, UserInfoRefusal};
use crate::domain::audit::{Act, Event};
use crate::domain::client::Client;
use crate::domain::ids::ClientId;
use crate::protocol::Params;
use crate::protocol::client_metadata::{
    ApplicationType, ClientMetadata, GrantType, ResponseType, TokenEndpointAuthMethod,
};
use crate::protocol::scope::OFFLINE_ACCESS;

/// What marks a stand-in: nobody registers, changes or deletes a client with this `software_id`.
pub const SOFTWARE_ID: &str = "tessera-try-it";

/// Where the code is sent, under an issuer.
pub const CALLBACK: &str = "/try-it/callback";

/// How long a trial may take, in seconds; as long as a pending authorization request.
const LIFETIME: i64 = 3600;

const STATE: &str = "console trial";

/// Whether a client stands in for another one.
pub fn is_stand_in(client: &Client) -> bool {
    client.metadata.software_id.as_deref() == Some(SOFTWARE_ID)
}

/// The `client_id` of the stand-in for a client: always the same, so that what an abandoned trial left is found by the next one.
pub fn stand_in_id(client: ClientId) -> ClientId {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(SOFTWARE_ID)
        .chain_update(client.uuid().as_bytes())
        .finalize()
        .into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    // A UUID of version 8 (RFC 9562 §5.8), as the console's own.
    Builder::from_custom_bytes(bytes).into_uuid().into()
}

/// What a trial is to be.
#[derive(Clone, Debug)]
pub struct TrialRequest {
    /// For which client.
    pub client: Client,
    /// The session of the console that it belongs to.
    pub sid: Uuid,
    /// The API that the access token is to be for, if one was chosen.
    pub resource: Option<String>,
    /// Whether whoever tries is asked to sign in though they are signed in.
    pub sign_in_anew: bool,
}

/// What the sealed `state` holds.
#[derive(Serialize, Deserialize)]
struct Waiting {
    client: Uuid,
    sid: Uuid,
    #[serde(flatten)]
    sign_in: Remembered,
    issuer: String,
    until: i64,
}

/// What came of a trial.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The client that was tried.
    pub client: ClientId,
    /// Its stand-in, which the tokens name.
    pub stand_in: ClientId,
    /// The ID token's claims, if there was one.
    pub id_token: Option<Value>,
    /// The access token's header and claims; `None` where it is opaque.
    pub access_token: Option<(Value, Value)>,
    /// The rest of the token endpoint's answer.
    pub answer: Value,
    /// What userinfo says, where the scope allows to ask.
    pub userinfo: Option<Value>,
}

/// Why a trial didn't come to its end.
#[derive(Debug, thiserror::Error)]
pub enum TrialRefusal {
    /// No trial of this session waits for this answer.
    #[error("no trial of this session waits for this answer")]
    Unexpected,
    /// The authorization endpoint said no.
    #[error("{error}: {description}")]
    Denied {
        /// The trial's client.
        client: ClientId,
        /// `error`.
        error: String,
        /// `error_description`.
        description: String,
    },
    /// The code or what came of it isn't good.
    #[error("{reason}")]
    Code {
        /// The trial's client.
        client: ClientId,
        /// Why.
        reason: String,
    },
    /// A failure of ours.
    #[error(transparent)]
    Failed(#[from] FlowError),
}

fn callback(issuer: &str) -> String {
    format!("{issuer}{PATH}{CALLBACK}")
}

/// The stand-in for a client, as it signs in.
fn own_client(client: ClientId, issuer: &str) -> OwnClient {
    OwnClient {
        id: stand_in_id(client),
        redirect_uri: callback(issuer),
    }
}

/// The stand-in's metadata: of the client's own what a sign-in and its tokens show, and nothing that a trial doesn't need.
fn stand_in(client: &Client, issuer: &str, admin_api: &str) -> ClientMetadata {
    let own = &client.metadata;
    let scope = own.scope.iter().flat_map(|scope| scope.iter());
    let is_tried = |api: &&String| *api != admin_api;
    ClientMetadata {
        client_name: own.client_name.clone(),
        client_uri: own.client_uri.clone(),
        logo_uri: own.logo_uri.clone(),
        policy_uri: own.policy_uri.clone(),
        tos_uri: own.tos_uri.clone(),
        localized: own.localized.clone(),
        redirect_uris: vec![callback(issuer)],
        grant_types: vec![GrantType::AuthorizationCode],
        response_types: vec![ResponseType::Code],
        token_endpoint_auth_method: TokenEndpointAuthMethod::None,
        application_type: ApplicationType::Web,
        require_pkce: true,
        scope: Some(
            scope
                .filter(|token| ![ADMIN, OFFLINE_ACCESS].contains(token))
                .collect(),
        ),
        resources: own.resources.iter().filter(is_tried).cloned().collect(),
        default_audience: own.default_audience.iter().find(is_tried).cloned(),
        authorization_details_types: own.authorization_details_types.clone(),
        // Signed as the client's are, but encrypted to nobody: the page that shows what came has none of the client's keys.
        id_token_signed_response_alg: own.id_token_signed_response_alg,
        authorization_signed_response_alg: own.authorization_signed_response_alg,
        userinfo_signed_response_alg: own.userinfo_signed_response_alg,
        introspection_signed_response_alg: own.introspection_signed_response_alg,
        access_token_format: own.access_token_format,
        access_token_signed_response_alg: own.access_token_signed_response_alg,
        access_token_lifetime: own.access_token_lifetime,
        subject_type: own.subject_type,
        default_max_age: own.default_max_age,
        require_auth_time: own.require_auth_time,
        default_acr_values: own.default_acr_values.clone(),
        skip_consent: own.skip_consent,
        software_id: Some(SOFTWARE_ID.to_owned()),
        ..ClientMetadata::default()
    }
}

impl Provider {
    /// Begins a trial: registers the stand-in and says where to send the browser.
    pub async fn begin_trial(
        &self,
        at: &TenantAt,
        request: TrialRequest,
        by: &By,
    ) -> Result<String, AdminError> {
        let client = &request.client;
        let built_in = client.id == console::client_id() || is_stand_in(client);
        if built_in || !client.metadata.has_people_sign_in() {
            return Err(AdminError::Refused(
                "nobody signs in with this client, so there is nothing to try".to_owned(),
            ));
        }
        let metadata = stand_in(client, &at.issuer, &admin_api(self));
        let scope = metadata.scope.clone().unwrap_or_default();
        self.register_stand_in(at, client, metadata, by).await?;
        let waiting = Waiting {
            client: client.id.uuid(),
            sid: request.sid,
            sign_in: Remembered::new(&self.clock),
            issuer: at.issuer.to_string(),
            until: self.clock.unix() + LIFETIME,
        };
        let state = console::seal(&at.tenant, STATE, &waiting, &self.clock)?;
        let own = own_client(client.id, &at.issuer);
        let mut query = waiting.sign_in.request(&own, &scope.to_string(), &state);
        if let Some(resource) = &request.resource {
            query.append_pair("resource", resource);
        }
        if request.sign_in_anew {
            query.append_pair("prompt", "login");
        }
        Ok(location(at, query))
    }

    /// Writes the stand-in as it has to be; whoever comes second finds nothing left to do.
    async fn register_stand_in(
        &self,
        at: &TenantAt,
        client: &Client,
        metadata: ClientMetadata,
        by: &By,
    ) -> Result<(), AdminError> {
        let (tried, by) = (client.id, by.clone());
        let id = stand_in_id(tried);
        let written = self.db.write(&*at.tenant, move |repo| {
            let now = repo.now();
            let known = repo.find_client(id)?;
            if known.as_ref().is_some_and(|known| known.metadata == metadata) {
                return Ok(());
            }
            if known.is_some() {
                // What an abandoned trial left, of a client that has changed since.
                repo.delete_client(id)?;
            }
            repo.insert_client(&Client::new(id, metadata.clone(), now))?;
            let detail = json!({ "client_name": metadata.client_name, "software_id": SOFTWARE_ID, "stands_in_for": tried });
            repo.record(
                Event::new(Act::ClientCreated, by.actor.clone())
                    .from(&by.origin)
                    .client(id)
                    .detail(detail),
            )
        });
        match written.await {
            Err(error) if error.is_conflict() => Ok(()),
            written => Ok(written?),
        }
    }

    /// Takes the answer of the authorization endpoint, redeems the code as any client would, and deletes the stand-in.
    pub async fn finish_trial(
        &self,
        at: &TenantAt,
        sid: Uuid,
        params: &Params,
        by: &By,
    ) -> Result<Trial, TrialRefusal> {
        let given = |name| params.get(name).ok().flatten().unwrap_or_default();
        let waiting: Waiting = console::open(&at.tenant, STATE, given("state"))
            .filter(|waiting: &Waiting| {
                waiting.sid == sid
                    && *waiting.issuer == *at.issuer
                    && waiting.until > self.clock.unix()
            })
            // RFC 9207 §2.4
            .filter(|_| given("iss") == &*at.issuer)
            .ok_or(TrialRefusal::Unexpected)?;
        let client = ClientId::from(waiting.client);
        let outcome = if params.contains("error") {
            Err(TrialRefusal::Denied {
                client,
                error: given("error").to_owned(),
                description: given("error_description").to_owned(),
            })
        } else {
            self.redeem_trial(at, &waiting, given("code"), by).await
        };
        self.end_trial(at, client, by).await?;
        outcome
    }

    async fn redeem_trial(
        &self,
        at: &TenantAt,
        waiting: &Waiting,
        code: &str,
        by: &By,
    ) -> Result<Trial, TrialRefusal> {
        let client = ClientId::from(waiting.client);
        let refused = |reason: String| TrialRefusal::Code { client, reason };
        let own = own_client(client, &at.issuer);
        let redeemed = self.redeem_own_code(at, (&own, &waiting.sign_in), code, &by.origin);
        let answer = match redeemed.await {
            Ok(answer) => answer,
            Err(TokenRefusal::Failed(error)) => return Err(error.into()),
            Err(refusal) => return Err(refused(refusal.to_string())),
        };
        let id_token = answer.id_token.as_deref().and_then(|token| part(token, 1));
        let is_another = |claims: &Value| !waiting.sign_in.is_answered_by(claims);
        if id_token.as_ref().is_some_and(is_another) {
            return Err(refused("the nonce is another one".to_owned()));
        }
        let told = match self.check_access(&at.tenant, &answer.access_token).await {
            Ok(access) => self.userinfo_of(at, access).await,
            Err(refusal) => Err(refusal.into()),
        };
        let userinfo = match told {
            Ok(UserInfoAnswer::Plain(info)) => serde_json::to_value(&info).ok(),
            Ok(UserInfoAnswer::Jwt(jwt)) => part(&jwt, 1),
            Err(UserInfoRefusal::Scope) => None,
            Err(refusal) => return Err(refused(refusal.to_string())),
        };
        let access_token = part(&answer.access_token, 0).zip(part(&answer.access_token, 1));
        let mut rest = serde_json::to_value(&answer).unwrap_or_default();
        if let Value::Object(members) = &mut rest {
            // Nobody needs the tokens themselves, and nobody takes from a page what isn't on it.
            for token in ["access_token", "id_token", "refresh_token"] {
                if let Some(text) = members.get_mut(token) {
                    *text = "…".into();
                }
            }
        }
        Ok(Trial {
            client,
            stand_in: own.id,
            id_token,
            access_token,
            answer: rest,
            userinfo,
        })
    }

    async fn end_trial(&self, at: &TenantAt, client: ClientId, by: &By) -> Result<(), FlowError> {
        let by = by.clone();
        let id = stand_in_id(client);
        Ok(self
            .db
            .write(&*at.tenant, move |repo| {
                if !repo.delete_client(id)? {
                    return Ok(());
                }
                repo.record(
                    Event::new(Act::ClientDeleted, by.actor.clone())
                        .from(&by.origin)
                        .client(id)
                        .detail(json!({ "software_id": SOFTWARE_ID, "stands_in_for": client })),
                )
            })
            .await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn client(metadata: Value) -> Client {
        let metadata = ClientMetadata::from_json(metadata).unwrap();
        Client::new(Uuid::from_u128(7).into(), metadata, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_stand_in_is_a_client_that_could_be_registered_and_has_no_more_than_it_needs() {
        let api = "https://id.example/api/v1";
        let tried = client(json!({
            "client_name": "Shop", "client_name#de": "Laden", "redirect_uris": ["https://shop.example/cb"],
            "grant_types": ["authorization_code", "refresh_token", "client_credentials", "implicit"],
            "response_types": ["code id_token"],
            "scope": "openid email offline_access tessera:admin", "default_audience": api, "resources": [api],
            "allowed_origins": ["https://shop.example"], "initiate_login_uri": "https://shop.example/login",
            "access_token_format": "opaque", "refresh_token_leeway": 5, "require_pkce": false, "subject_type": "pairwise",
            "sector_identifier_uri": "https://sector.example/uris.json",
            "require_pushed_authorization_requests": true, "require_signed_request_object": true,
            "request_object_signing_alg": "ES256", "jwks_uri": "https://shop.example/jwks", "dpop_bound_access_tokens": true,
        }));
        let made = stand_in(&tried, "https://id.example/t/acme", api);
        assert_eq!(
            made.redirect_uris,
            ["https://id.example/t/acme/console/try-it/callback"]
        );
        assert_eq!(made.scope.as_ref().unwrap().to_string(), "openid email");
        assert!(made.is_public() && made.require_pkce && made.resources.is_empty());
        assert!(!made.dpop_bound_access_tokens);
        assert!(made.default_audience.is_none() && made.allowed_origins.is_empty());
        assert_eq!(made.grant_types, [GrantType::AuthorizationCode]);
        assert_eq!(
            made.sector().as_deref(),
            Some("id.example"),
            "a person is somebody else at the host that tries"
        );
        assert_eq!(made.client_name, tried.metadata.client_name);
        assert_eq!(made.localized, tried.metadata.localized);
        assert_eq!(made.clone().validate().unwrap(), made);
    }

    #[test]
    fn a_client_has_one_stand_in() {
        let (one, two) = (Uuid::from_u128(1).into(), Uuid::from_u128(2).into());
        assert_eq!(stand_in_id(one), stand_in_id(one));
        assert_ne!(stand_in_id(one), stand_in_id(two));
        assert_eq!(stand_in_id(one).uuid().get_version_num(), 8);
    }
}
