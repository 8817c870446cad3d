//! The console as a client of its tenant: a built-in public client (authorization code with PKCE) and a session of its own, which is
//! nothing but an access token for the administration API, sealed into a cookie.
//!
//! So the console is let in by the same checks as any program: a disabled person, a role taken away, a revoked grant or an ended
//! session count at the next request. The client is made when somebody first comes by; its identifier is the same in every tenant, so that
//! nodes that make it at once make the same row.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use super::access::AccessRefusal;
use super::admin::{AdminError, DoorError, Principal};
use super::browser::issuer_path;
use super::grants::TokenRefusal;
use super::own_sign_in::{OwnClient, Remembered, location, part, random};
use super::provider::{FlowError, Provider};
use super::scopes::{ADMIN, admin_api};
use super::tenancy::{Tenant, TenantAt};
use crate::clock::Clock;
use crate::domain::audit::{Act, Actor, Event, Origin};
use crate::domain::client::Client;
use crate::domain::ids::ClientId;
use crate::domain::user::User;
use crate::jose::seal::SealContext;
use crate::protocol::Params;
use crate::protocol::client_metadata::{
    AccessTokenFormat, ClientMetadata, ResponseType, TokenEndpointAuthMethod,
};
use crate::protocol::discovery::paths;
use crate::protocol::step_up::Demand;
use crate::storage::{self, Repo};

/// What marks the console's client: nobody registers, changes or deletes a client with this `software_id`.
pub const SOFTWARE_ID: &str = "tessera-console";

/// The console's path under an issuer.
pub const PATH: &str = "/console";

/// How long one goes on without asking the authorization endpoint again, in seconds: twice the time after which a page is renewed silently.
const ACCESS_TOKEN_LIFETIME: u32 = 3600;

/// The least age at which a session is renewed, in seconds: what is renewed is always older than what just came.
const RENEWED_AFTER: i64 = 60;

/// How long a sign-in may take, in seconds; as long as a pending authorization request.
pub const SIGN_IN_LIFETIME: u32 = 3600;

/// The longest address that is returned to, in bytes.
const RETURN_TO_MAX: usize = 1024;

const SCOPE: &str = "openid profile email tessera:admin";

/// The `client_id` of the console, the same in each tenant.
pub fn client_id() -> ClientId {
    // A UUID of version 8 (RFC 9562 §5.8), which nothing else here makes.
    Uuid::from_u128(0x7465_7373_6572_8061_8063_6f6e_736f_6c65).into()
}

/// Where the code is sent.
fn callback(issuer: &str) -> String {
    format!("{issuer}{PATH}/callback")
}

/// The console's client, as it signs in.
fn own_client(issuer: &str) -> OwnClient {
    OwnClient {
        id: client_id(),
        redirect_uri: callback(issuer),
    }
}

/// Where whoever signed out is sent.
fn signed_out(issuer: &str) -> String {
    format!("{issuer}{PATH}/signed-out")
}

/// A value that only we can make and read, for one use.
pub fn seal<T: Serialize>(
    tenant: &Tenant,
    purpose: &'static str,
    value: &T,
    clock: &Clock,
) -> Result<String, FlowError> {
    let json = serde_json::to_vec(value)
        .map_err(|_| FlowError::Internal("the console's state can't be written"))?;
    let sealed = tenant
        .data_key()
        .seal(context(tenant, purpose), &json, clock)?;
    Ok(URL_SAFE_NO_PAD.encode(sealed))
}

/// Opens what [`seal`] made for the same tenant and use.
pub fn open<T: DeserializeOwned>(tenant: &Tenant, purpose: &'static str, text: &str) -> Option<T> {
    let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
    let json = tenant
        .data_key()
        .open(context(tenant, purpose), &sealed)
        .ok()?;
    serde_json::from_slice(&json).ok()
}

fn context(tenant: &Tenant, purpose: &'static str) -> SealContext {
    SealContext {
        tenant: tenant.id().uuid(),
        table: purpose,
        row: Uuid::nil(),
    }
}

const WAITING: &str = "console sign-in";
const SESSION: &str = "console session";

/// A sign-in on its way.
#[derive(Serialize, Deserialize)]
struct Waiting {
    state: String,
    #[serde(flatten)]
    sign_in: Remembered,
    return_to: String,
    issuer: String,
}

/// What the session's cookie holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    access_token: String,
    id_token: String,
    issuer: String,
}

/// A sign-in that begins: where to send the browser, and what it has to keep meanwhile.
pub struct Begun {
    /// The authorization request.
    pub location: String,
    /// The cookie's value.
    pub cookie: String,
}

/// A sign-in that ended well.
pub struct Arrived {
    /// The session's cookie.
    pub cookie: String,
    /// The path and query below the issuer to go on at.
    pub return_to: String,
}

/// Why a sign-in didn't end well.
#[derive(Debug, thiserror::Error)]
pub enum CallbackRefusal {
    /// The browser doesn't wait for this answer: it took too long, or another sign-in began since.
    #[error("the browser doesn't wait for this answer")]
    Unexpected,
    /// The authorization endpoint said no.
    #[error("the authorization endpoint refused: {0}")]
    Denied(String),
    /// The code or what came of it isn't good.
    #[error("the code isn't good: {0}")]
    Code(String),
    /// A failure of ours.
    #[error(transparent)]
    Failed(#[from] FlowError),
}

/// Somebody at the console.
pub struct ConsoleSession {
    /// What they may do.
    pub principal: Principal,
    /// Who they are.
    pub user: User,
    /// The session in which they signed in: forms are bound to it.
    pub sid: Uuid,
    /// Whether a page should be fetched by way of the authorization endpoint, to go on for longer.
    pub wants_renewal: bool,
    id_token: String,
}

/// How the door is.
pub enum Door {
    /// Somebody who administers.
    Open(Box<ConsoleSession>),
    /// Somebody who is signed in and administers nothing.
    NoRole(Box<User>),
    /// Nobody.
    Shut,
}

impl ConsoleSession {
    /// Where to send the browser to sign out (`OpenID` Connect RP-Initiated Logout 1.0 §2).
    pub fn sign_out_location(&self, at: &TenantAt) -> String {
        let query = Serializer::new(String::new())
            .append_pair("id_token_hint", &self.id_token)
            .append_pair("post_logout_redirect_uri", &signed_out(&at.issuer))
            .finish();
        format!("{}{}?{query}", issuer_path(&at.issuer), paths::LOGOUT)
    }
}

/// Whether a path with its query lies under the console.
fn is_ours(return_to: &str) -> bool {
    return_to.len() <= RETURN_TO_MAX
        && return_to
            .strip_prefix(PATH)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        && !return_to
            .bytes()
            .any(|byte| byte.is_ascii_control() || byte == b'\\')
}

/// The page to return to: the one that is named, or the first where that is none of the console's.
pub fn page_to_return_to(return_to: &str) -> &str {
    if is_ours(return_to) { return_to } else { PATH }
}

fn metadata(issuers: &[&str], admin_api: &str) -> ClientMetadata {
    ClientMetadata {
        client_name: Some("Console".to_owned()),
        redirect_uris: issuers.iter().map(|issuer| callback(issuer)).collect(),
        post_logout_redirect_uris: issuers.iter().map(|issuer| signed_out(issuer)).collect(),
        response_types: vec![ResponseType::Code],
        scope: SCOPE.parse().ok(),
        token_endpoint_auth_method: TokenEndpointAuthMethod::None,
        access_token_format: AccessTokenFormat::Opaque,
        access_token_lifetime: Some(ACCESS_TOKEN_LIFETIME),
        resources: vec![admin_api.to_owned()],
        skip_consent: true,
        software_id: Some(SOFTWARE_ID.to_owned()),
        ..ClientMetadata::default()
    }
}

/// The client as it has to be for this address, if that is another than it is.
fn changed(client: &Client, issuer: &str, admin_api: &str) -> Option<Client> {
    let fits = client.metadata.redirect_uris.contains(&callback(issuer))
        && client.metadata.resources == [admin_api];
    if fits {
        return None;
    }
    let mut wanted = metadata(&[issuer], admin_api);
    let add = |list: &mut Vec<String>, known: &[String]| {
        list.extend(
            known
                .iter()
                .filter(|uri| !list.contains(uri))
                .cloned()
                .collect::<Vec<_>>(),
        );
    };
    add(&mut wanted.redirect_uris, &client.metadata.redirect_uris);
    add(
        &mut wanted.post_logout_redirect_uris,
        &client.metadata.post_logout_redirect_uris,
    );
    Some(Client {
        metadata: wanted,
        ..client.clone()
    })
}

/// Writes the client as it has to be; whoever comes second finds nothing left to do.
fn store(repo: &mut Repo<'_>, issuer: &str, admin_api: &str) -> storage::Result<()> {
    let id = client_id();
    let act = if let Some(client) = repo.find_client(id)? {
        match changed(&client, issuer, admin_api) {
            Some(client) if repo.update_client(&client)? => Act::ClientUpdated,
            _ => return Ok(()),
        }
    } else {
        let metadata = metadata(&[issuer], admin_api);
        repo.insert_client(&Client::new(id, metadata, repo.now()))?;
        Act::ClientCreated
    };
    let detail = json!({ "client_name": "Console", "software_id": SOFTWARE_ID, "issuer": issuer });
    repo.record(Event::new(act, Actor::System).client(id).detail(detail))
}

impl Provider {
    /// Makes the console's client where it isn't there yet, and has it know this address.
    pub async fn ensure_console_client(&self, at: &TenantAt) -> Result<(), FlowError> {
        let admin_api = admin_api(self);
        if let Some(client) = self.find_client(&at.tenant, client_id()).await?
            && changed(&client, &at.issuer, &admin_api).is_none()
        {
            return Ok(());
        }
        let issuer = Arc::clone(&at.issuer);
        let stored = self
            .db
            .write(&*at.tenant, move |repo| store(repo, &issuer, &admin_api))
            .await;
        match stored {
            // Another node was quicker.
            Err(error) if error.is_conflict() => Ok(()),
            stored => Ok(stored?),
        }
    }

    /// Begins a sign-in that returns to a page of the console. `renewed` is the session that is to go on for longer; `demand` is how recent
    /// the sign-in has to be.
    pub async fn begin_console_session(
        &self,
        at: &TenantAt,
        return_to: &str,
        renewed: Option<&ConsoleSession>,
        demand: Option<Demand>,
    ) -> Result<Begun, FlowError> {
        self.ensure_console_client(at).await?;
        let waiting = Waiting {
            state: random(&self.clock),
            sign_in: Remembered::new(&self.clock),
            return_to: page_to_return_to(return_to).to_owned(),
            issuer: at.issuer.to_string(),
        };
        let client = own_client(&at.issuer);
        let mut query = waiting.sign_in.request(&client, SCOPE, &waiting.state);
        query.append_pair("resource", &admin_api(self));
        if let Some(session) = renewed {
            // Nobody else takes over silently.
            query.append_pair("id_token_hint", &session.id_token);
        }
        if let Some(demand) = demand {
            query.append_pair("max_age", &demand.max_age.to_string());
        }
        Ok(Begun {
            location: location(at, query),
            cookie: seal(&at.tenant, WAITING, &waiting, &self.clock)?,
        })
    }

    /// Takes the answer of the authorization endpoint, and redeems the code as any client would.
    pub async fn finish_console_session(
        &self,
        at: &TenantAt,
        cookie: Option<&str>,
        params: &Params,
        origin: &Origin,
    ) -> Result<Arrived, CallbackRefusal> {
        let given = |name| params.get(name).ok().flatten().unwrap_or_default();
        let waiting: Waiting = cookie
            .and_then(|text| open(&at.tenant, WAITING, text))
            .filter(|waiting: &Waiting| {
                waiting.state == given("state") && *waiting.issuer == *at.issuer
            })
            .ok_or(CallbackRefusal::Unexpected)?;
        // RFC 9207 §2.4
        if given("iss") != &*at.issuer {
            return Err(CallbackRefusal::Unexpected);
        }
        if params.contains("error") {
            return Err(CallbackRefusal::Denied(given("error").to_owned()));
        }
        let own = (&own_client(&at.issuer), &waiting.sign_in);
        let answer = match self.redeem_own_code(at, own, given("code"), origin).await {
            Ok(answer) => answer,
            Err(TokenRefusal::Failed(error)) => return Err(error.into()),
            Err(refusal) => return Err(CallbackRefusal::Code(refusal.to_string())),
        };
        let answers = |token: &String| {
            part(token, 1).is_some_and(|claims| waiting.sign_in.is_answered_by(&claims))
        };
        let id_token = answer
            .id_token
            .filter(answers)
            .ok_or_else(|| CallbackRefusal::Code("the nonce is another one".to_owned()))?;
        let kept = Kept {
            access_token: answer.access_token,
            id_token,
            issuer: waiting.issuer,
        };
        Ok(Arrived {
            cookie: seal(&at.tenant, SESSION, &kept, &self.clock)?,
            return_to: waiting.return_to,
        })
    }

    /// Who is at the console, by the cookie that their browser brought.
    pub async fn find_console_session(
        &self,
        at: &TenantAt,
        cookie: Option<&str>,
    ) -> Result<Door, FlowError> {
        let kept = cookie
            .and_then(|text| open::<Kept>(&at.tenant, SESSION, text))
            .filter(|kept| *kept.issuer == *at.issuer);
        let Some(kept) = kept else {
            return Ok(Door::Shut);
        };
        let access = match self.check_access(&at.tenant, &kept.access_token).await {
            Ok(access) => access,
            Err(AccessRefusal::Failed(error)) => return Err(error),
            Err(refusal) => {
                tracing::info!(%refusal, "a session of the console ended");
                return Ok(Door::Shut);
            }
        };
        let Some(person) = access.person.as_ref().map(|person| person.id) else {
            return Ok(Door::Shut);
        };
        let found = self
            .db
            .read(&*at.tenant, move |repo| repo.find_user(person))
            .await?;
        let Some(user) = found else {
            return Ok(Door::Shut);
        };
        let claims = &access.claims;
        let sid = claims
            .sid
            .as_deref()
            .and_then(|sid| Uuid::try_parse(sid).ok());
        // A token for another address of the administration API is of no use any more: a new one is asked for.
        let fits = access.client.id == client_id()
            && claims.aud.contains(&admin_api(self))
            && claims.scope.contains(ADMIN);
        let (Some(sid), true) = (sid, fits) else {
            return Ok(Door::Shut);
        };
        let age = self.clock.unix() - claims.iat;
        let wants_renewal = age > ((claims.exp - claims.iat) / 2).max(RENEWED_AFTER);
        match Principal::new(self, Arc::clone(&at.tenant), &access) {
            Ok(principal) => Ok(Door::Open(Box::new(ConsoleSession {
                principal,
                user,
                sid,
                wants_renewal,
                id_token: kept.id_token,
            }))),
            Err(DoorError::Admin(AdminError::Failed(error))) => Err(error),
            Err(_) => Ok(Door::NoRole(Box::new(user))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_the_console_are_returned_to() {
        for good in ["/console", "/console/users?q=a&after=b", "/console?x"] {
            assert!(is_ours(good), "{good}");
        }
        for bad in [
            "",
            "/",
            "/consolette",
            "//evil.example",
            "/account",
            "/console\\..",
            "/console\n",
        ] {
            assert!(!is_ours(bad), "{bad}");
        }
    }

    #[test]
    fn the_client_is_one_that_anybody_could_register() {
        let written = metadata(&["https://id.example/t/acme"], "https://id.example/api/v1");
        let read = written.clone().validate().unwrap();
        assert_eq!(read.redirect_uris, written.redirect_uris);
        assert!(read.is_public() && read.require_pkce && read.scope.is_some());
    }

    #[test]
    fn further_addresses_are_added_and_none_is_lost() {
        let metadata = metadata(&["https://a.example"], "https://a.example/api/v1");
        let client = Client::new(client_id(), metadata, crate::clock::Timestamp::UNIX_EPOCH);
        assert!(changed(&client, "https://a.example", "https://a.example/api/v1").is_none());
        let more = changed(&client, "https://b.example", "https://a.example/api/v1").unwrap();
        assert_eq!(more.metadata.redirect_uris.len(), 2);
        assert_eq!(more.metadata.post_logout_redirect_uris.len(), 2);
    }
}
