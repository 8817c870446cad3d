//! What an issuer says of itself, and asking it for tokens.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use awc::http::header::{ACCEPT, AUTHORIZATION};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::app::DemoTenant;
use super::problem::Problem;
use super::verify::TokenProblem;
use crate::jose::jws::JwsError;
use crate::jose::keys::VerificationKeys;

/// How long discovery and keys are believed.
const FRESH_FOR: Duration = Duration::from_mins(5);
/// How often an unknown key may make the keys be fetched.
const REFETCH_AFTER: Duration = Duration::from_secs(5);
const MAX_ANSWER: usize = 256 * 1024;

/// The parts of a discovery document that are used here.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    pub(super) authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    pub(super) end_session_endpoint: Option<String>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// An answer of the token endpoint.
#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the specification's names")]
pub(super) struct Tokens {
    pub(super) access_token: String,
    pub(super) id_token: Option<String>,
    pub(super) refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

type Kept<T> = RefCell<Option<(Rc<T>, Instant)>>;

pub(super) struct Provider {
    issuer: String,
    http: awc::Client,
    metadata: Kept<Metadata>,
    keys: Kept<VerificationKeys>,
}

impl Provider {
    pub(super) fn new(issuer: String, http: awc::Client) -> Self {
        Self {
            issuer,
            http,
            metadata: RefCell::default(),
            keys: RefCell::default(),
        }
    }

    /// OpenID Connect Discovery §4; the document must name the issuer that it was fetched for (§4.3).
    pub(super) async fn metadata(&self) -> Result<Rc<Metadata>, Problem> {
        if let Some(kept) = younger_than(&self.metadata, FRESH_FOR) {
            return Ok(kept);
        }
        let metadata: Metadata = self
            .get(&format!("{}/.well-known/openid-configuration", self.issuer))
            .await?;
        if metadata.issuer != self.issuer {
            return Err(self.unreachable("its discovery document names another issuer"));
        }
        Ok(keep(&self.metadata, metadata))
    }

    /// Checks a token by the issuer's keys, which are fetched anew once if they lack the token's.
    pub(super) async fn verify<T>(
        &self,
        check: impl Fn(&VerificationKeys) -> Result<T, TokenProblem>,
    ) -> Result<Result<T, TokenProblem>, Problem> {
        let keys = match younger_than(&self.keys, FRESH_FOR) {
            Some(keys) => keys,
            None => self.fetch_keys().await?,
        };
        match check(&keys) {
            Err(TokenProblem::Jws(JwsError::UnknownKey))
                if younger_than(&self.keys, REFETCH_AFTER).is_none() =>
            {
                Ok(check(&*self.fetch_keys().await?))
            }
            checked => Ok(checked),
        }
    }

    async fn fetch_keys(&self) -> Result<Rc<VerificationKeys>, Problem> {
        let jwks: Value = self.get(&self.metadata().await?.jwks_uri).await?;
        let keys = VerificationKeys::from_jwks(&jwks)
            .map_err(|error| self.unreachable(&error.to_string()))?;
        Ok(keep(&self.keys, keys))
    }

    /// A request to the token endpoint, with the client's secret in the `Authorization` header (RFC 6749 §2.3.1).
    pub(super) async fn tokens(
        &self,
        client: &DemoTenant,
        parameters: &[(&str, &str)],
    ) -> Result<Tokens, Problem> {
        let endpoint = &self.metadata().await?.token_endpoint;
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(parameters);
        let mut request = self
            .http
            .post(endpoint.as_str())
            .insert_header((ACCEPT, "application/json"));
        match &client.client_secret {
            Some(secret) => {
                let encode = |text: &str| {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                };
                let credentials = STANDARD.encode(format!(
                    "{}:{}",
                    encode(&client.client_id),
                    encode(secret.expose())
                ));
                request = request.insert_header((AUTHORIZATION, format!("Basic {credentials}")));
            }
            None => {
                body.append_pair("client_id", &client.client_id);
            }
        }
        let sent = request
            .content_type("application/x-www-form-urlencoded")
            .send_body(body.finish())
            .await;
        let mut answer = sent.map_err(|error| self.unreachable(&error.to_string()))?;
        let text = answer
            .body()
            .limit(MAX_ANSWER)
            .await
            .map_err(|error| self.unreachable(&error.to_string()))?;
        if !answer.status().is_success() {
            return Err(match serde_json::from_slice::<Refusal>(&text) {
                Ok(Refusal {
                    error,
                    error_description,
                }) => Problem::Refused {
                    error,
                    description: error_description,
                },
                Err(_) => self.unreachable(&format!(
                    "the token endpoint answered with status {}",
                    answer.status()
                )),
            });
        }
        serde_json::from_slice(&text)
            .map_err(|_| self.unreachable("the token endpoint's answer is malformed"))
    }

    /// What the issuer tells of the person, if it does; the `sub` must be the ID token's (OpenID Connect Core §5.3.2).
    pub(super) async fn userinfo(
        &self,
        access_token: &str,
        subject: &str,
    ) -> Option<Map<String, Value>> {
        let metadata = self.metadata().await.ok()?;
        let request = self
            .http
            .get(metadata.userinfo_endpoint.as_deref()?)
            .bearer_auth(access_token);
        let mut answer = request.send().await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        let claims: Map<String, Value> =
            serde_json::from_slice(&answer.body().limit(MAX_ANSWER).await.ok()?).ok()?;
        (claims.get("sub").and_then(Value::as_str) == Some(subject)).then_some(claims)
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, Problem> {
        let sent = self
            .http
            .get(url)
            .insert_header((ACCEPT, "application/json"))
            .send()
            .await;
        let mut answer = sent.map_err(|error| self.unreachable(&error.to_string()))?;
        if !answer.status().is_success() {
            return Err(
                self.unreachable(&format!("{url} answered with status {}", answer.status()))
            );
        }
        let text = answer
            .body()
            .limit(MAX_ANSWER)
            .await
            .map_err(|error| self.unreachable(&error.to_string()))?;
        serde_json::from_slice(&text)
            .map_err(|_| self.unreachable(&format!("{url} answered with something malformed")))
    }

    fn unreachable(&self, reason: &str) -> Problem {
        Problem::Unreachable {
            issuer: self.issuer.clone(),
            reason: reason.to_owned(),
        }
    }
}

fn younger_than<T>(kept: &Kept<T>, age: Duration) -> Option<Rc<T>> {
    kept.borrow()
        .as_ref()
        .filter(|(_, since)| since.elapsed() < age)
        .map(|(value, _)| Rc::clone(value))
}

fn keep<T>(kept: &Kept<T>, value: T) -> Rc<T> {
    let value = Rc::new(value);
    *kept.borrow_mut() = Some((Rc::clone(&value), Instant::now()));
    value
}
