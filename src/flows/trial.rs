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

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::form_urlencoded::Serializer;
use uuid::{Builder, Uuid};

use super::admin::{AdminError, By};
use super::browser::issuer_path;
use super::client_authentication::Sent;
use super::console::{self, PATH};
use super::grants::TokenRefusal;
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
use crate::protocol::discovery::paths;
use crate::protocol::fapi::SecurityProfile;
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
    nonce: String,
    code_verifier: String,
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

/// The stand-in's metadata: the client's own, less what a trial doesn't need and must not have.
fn stand_in(client: &Client, issuer: &str, admin_api: &str) -> ClientMetadata {
    let own = &client.metadata;
    let scope = own.scope.iter().flat_map(|scope| scope.iter());
    ClientMetadata {
        redirect_uris: vec![callback(issuer)],
        post_logout_redirect_uris: Vec::new(),
        grant_types: vec![GrantType::AuthorizationCode],
        response_types: vec![ResponseType::Code],
        scope: Some(
            scope
                .filter(|token| ![ADMIN, OFFLINE_ACCESS].contains(token))
                .collect(),
        ),
        token_endpoint_auth_method: TokenEndpointAuthMethod::None,
        token_endpoint_auth_signing_alg: None,
        jwks: None,
        jwks_uri: None,
        resources: own
            .resources
            .iter()
            .filter(|resource| *resource != admin_api)
            .cloned()
            .collect(),
        default_audience: own
            .default_audience
            .clone()
            .filter(|audience| audience != admin_api),
        application_type: ApplicationType::Web,
        initiate_login_uri: None,
        allowed_origins: Vec::new(),
        backchannel_logout_uri: None,
        backchannel_logout_session_required: false,
        frontchannel_logout_uri: None,
        frontchannel_logout_session_required: false,
        backchannel_token_delivery_mode: None,
        backchannel_client_notification_endpoint: None,
        backchannel_authentication_request_signing_alg: None,
        require_pkce: true,
        require_pushed_authorization_requests: false,
        require_signed_request_object: false,
        request_object_signing_alg: None,
        request_object_encryption_alg: None,
        request_object_encryption_enc: None,
        request_uris: Vec::new(),
        // The page that shows what came has none of the client's keys.
        id_token_encrypted_response_alg: None,
        id_token_encrypted_response_enc: None,
        authorization_encrypted_response_alg: None,
        authorization_encrypted_response_enc: None,
        userinfo_encrypted_response_alg: None,
        userinfo_encrypted_response_enc: None,
        introspection_encrypted_response_alg: None,
        introspection_encrypted_response_enc: None,
        dpop_bound_access_tokens: false,
        tls_client_auth_subject_dn: None,
        tls_client_auth_san_dns: None,
        tls_client_auth_san_uri: None,
        tls_client_auth_san_ip: None,
        tls_client_auth_san_email: None,
        tls_client_certificate_bound_access_tokens: false,
        security_profile: SecurityProfile::None,
        require_dpop_nonce: false,
        token_exchange_subjects: Vec::new(),
        token_exchange_targets: Vec::new(),
        token_exchange_scope: None,
        token_exchange_impersonation: false,
        token_exchange_issuers: Vec::new(),
        token_exchange_may_act: None,
        native_sso_group: None,
        refresh_token_lifetime: None,
        refresh_token_leeway: 0,
        software_id: Some(SOFTWARE_ID.to_owned()),
        software_version: None,
        ..own.clone()
    }
}

/// A part of a JWT of our own as JSON.
fn part(token: &str, index: usize) -> Option<Value> {
    let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(index)?).ok()?;
    serde_json::from_slice(&part).ok()
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
        let random = || URL_SAFE_NO_PAD.encode(self.clock.random_bytes::<32>());
        let waiting = Waiting {
            client: client.id.uuid(),
            sid: request.sid,
            nonce: random(),
            code_verifier: random(),
            issuer: at.issuer.to_string(),
            until: self.clock.unix() + LIFETIME,
        };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&waiting.code_verifier));
        let mut query = Serializer::new(String::new());
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &stand_in_id(client.id).to_string())
            .append_pair("redirect_uri", &callback(&at.issuer))
            .append_pair("scope", &scope.to_string())
            .append_pair(
                "state",
                &console::seal(&at.tenant, STATE, &waiting, &self.clock)?,
            )
            .append_pair("nonce", &waiting.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        if let Some(resource) = &request.resource {
            query.append_pair("resource", resource);
        }
        if request.sign_in_anew {
            query.append_pair("prompt", "login");
        }
        Ok(format!(
            "{}{}?{}",
            issuer_path(&at.issuer),
            paths::AUTHORIZE,
            query.finish()
        ))
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
        let stand_in = stand_in_id(client);
        let refused = |reason: String| TrialRefusal::Code { client, reason };
        let (redirect_uri, id) = (callback(&at.issuer), stand_in.to_string());
        let body: Params = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", &waiting.code_verifier),
            ("client_id", &id),
        ]
        .into_iter()
        .collect();
        let answer = match self.token(at, Sent::alone(&by.origin), &body).await {
            Ok(answer) => answer.response,
            Err(TokenRefusal::Failed(error)) => return Err(error.into()),
            Err(refusal) => return Err(refused(refusal.to_string())),
        };
        let id_token = answer.id_token.as_deref().and_then(|token| part(token, 1));
        let nonce =
            |claims: &Value| claims.get("nonce").and_then(Value::as_str) == Some(&*waiting.nonce);
        if id_token.as_ref().is_some_and(|claims| !nonce(claims)) {
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
            stand_in,
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
