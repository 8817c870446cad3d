//! A client as an application would be one: begins flows, redeems codes, refreshes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use super::app::{TestApp, TestClient, TestTenant, TestUser};
use super::browser::{Browser, Page};
use super::dpop::Prover;
use super::http::{Answer, Http, Request};

/// The verifier that every flow of a test uses unless it says otherwise.
pub const VERIFIER: &str = "a-code-verifier-of-a-test-that-is-long-enough-0123456789";

/// A client of one tenant.
#[derive(Clone)]
pub struct RelyingParty {
    http: Http,
    pub issuer: String,
    pub client: TestClient,
    /// What it asks for.
    pub scope: String,
}

/// What a token endpoint gave.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access_token: String,
    pub refresh_token: Option<String>,
    pub id_token: Option<String>,
    pub body: Value,
}

impl Tokens {
    fn of(answer: &Answer) -> Self {
        let body = answer.json();
        let text = |name: &str| {
            body.get(name)
                .and_then(Value::as_str)
                .map(ToOwned::to_owned)
        };
        Self {
            access_token: text("access_token").unwrap_or_default(),
            refresh_token: text("refresh_token"),
            id_token: text("id_token"),
            body,
        }
    }

    /// The refresh token, which must be there.
    #[track_caller]
    pub fn refresh(&self) -> &str {
        self.refresh_token.as_deref().expect("a refresh token")
    }

    /// The claims of the ID token, unverified.
    #[track_caller]
    pub fn id_claims(&self) -> Value {
        claims(self.id_token.as_deref().expect("an ID token"))
    }

    /// The claims of the access token, unverified.
    pub fn access_claims(&self) -> Value {
        claims(&self.access_token)
    }
}

/// The payload of a JWT, unverified.
#[track_caller]
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a JWT, unverified.
#[track_caller]
pub fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, index: usize) -> Value {
    let part = token
        .split('.')
        .nth(index)
        .unwrap_or_else(|| panic!("no JWT: {token}"));
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

/// The S256 challenge of a verifier.
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

impl RelyingParty {
    pub fn new(app: &TestApp, tenant: &TestTenant, client: &TestClient) -> Self {
        Self {
            http: app.http.clone(),
            issuer: tenant.issuer.clone(),
            client: client.clone(),
            scope: "openid profile email".into(),
        }
    }

    /// Asks for other scopes.
    pub fn with_scope(mut self, scope: &str) -> Self {
        scope.clone_into(&mut self.scope);
        self
    }

    /// Speaks to another node from now on.
    pub fn move_to(&mut self, http: &Http) {
        self.http = http.clone();
    }

    /// The authorization request's parameters; `more` replaces or adds some, an empty value takes one out.
    pub fn parameters(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let (id, challenge) = (self.client.client_id(), challenge(VERIFIER));
        let usual = [
            ("client_id", id.as_str()),
            ("redirect_uri", self.client.redirect_uri()),
            ("response_type", "code"),
            ("scope", &self.scope),
            ("state", "a-state"),
            ("nonce", "a-nonce"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let kept = usual
            .into_iter()
            .filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
        let added = more.iter().copied().filter(|(_, value)| !value.is_empty());
        kept.chain(added)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// The authorization request as an address.
    pub fn authorization_url(&self, more: &[(&str, &str)]) -> String {
        let mut url = Url::parse(&format!("{}/authorize", self.issuer)).expect("a URL");
        url.query_pairs_mut().extend_pairs(self.parameters(more));
        url.into()
    }

    /// Pushes the authorization request (RFC 9126), authenticated as the client is registered.
    pub async fn push(&self, more: &[(&str, &str)]) -> Answer {
        let parameters = self.parameters(more);
        let form: Vec<_> = parameters
            .iter()
            // A public client is named by its authentication.
            .filter(|(name, _)| name != "client_id" || self.client.secret.is_some())
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.authenticated("/par", &form).send().await
    }

    /// The address of a pushed request; `more` stands beside it.
    pub fn pushed_url(&self, request_uri: &str, more: &[(&str, &str)]) -> String {
        let mut url = Url::parse(&format!("{}/authorize", self.issuer)).expect("a URL");
        url.query_pairs_mut()
            .append_pair("client_id", &self.client.client_id())
            .append_pair("request_uri", request_uri)
            .extend_pairs(more);
        url.into()
    }

    /// Pushes it and gives the address to go on with.
    pub async fn pushed(&self, more: &[(&str, &str)]) -> String {
        let answer = self.push(more).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let body = answer.json();
        let name = body["request_uri"].as_str().expect("a request_uri");
        self.pushed_url(name, &[])
    }

    /// Sends the browser to sign in and gives the redirect that it ends with.
    pub async fn authorize(
        &self,
        browser: &mut Browser,
        user: &TestUser,
        more: &[(&str, &str)],
    ) -> Page {
        let page = browser.open(&self.authorization_url(more)).await;
        browser.pass(page, user).await
    }

    /// A fresh code.
    pub async fn code(&self, browser: &mut Browser, user: &TestUser) -> String {
        let page = self.authorize(browser, user, &[]).await;
        page.answer.location_param("code").unwrap_or_else(|| {
            panic!(
                "no code: {:?} {}",
                page.answer.header("location"),
                page.answer.body
            )
        })
    }

    /// A whole flow.
    pub async fn sign_in(&self, browser: &mut Browser, user: &TestUser) -> Tokens {
        let code = self.code(browser, user).await;
        Tokens::of(&self.redeem(&code).await.expect_ok())
    }

    /// What redeems a code.
    pub fn redemption<'a>(&'a self, code: &'a str) -> [(&'static str, &'a str); 4] {
        [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.client.redirect_uri()),
            ("code_verifier", VERIFIER),
        ]
    }

    /// Redeems a code.
    pub async fn redeem(&self, code: &str) -> Answer {
        self.token(&self.redemption(code)).await
    }

    /// A token request with a proof of possession.
    pub async fn proved(&self, prover: &Prover, form: &[(&str, &str)]) -> Answer {
        let proof = prover.proof("POST", &format!("{}/token", self.issuer));
        self.with_proof(&proof, form).await
    }

    /// A token request with whatever is said to be a proof.
    pub async fn with_proof(&self, proof: &str, form: &[(&str, &str)]) -> Answer {
        self.authenticated("/token", form)
            .header("dpop", proof)
            .send()
            .await
    }

    /// Refreshes.
    pub async fn refresh(&self, refresh_token: &str) -> Answer {
        self.token(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
        ])
        .await
    }

    /// Refreshes, and it must work.
    pub async fn refreshed(&self, refresh_token: &str) -> Tokens {
        Tokens::of(&self.refresh(refresh_token).await.expect_ok())
    }

    /// Client credentials, and they must work.
    pub async fn client_credentials(&self, more: &[(&str, &str)]) -> Tokens {
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend_from_slice(more);
        Tokens::of(&self.token(&form).await.expect_ok())
    }

    /// A token request with the client's own authentication.
    pub async fn token(&self, form: &[(&str, &str)]) -> Answer {
        self.authenticated("/token", form).send().await
    }

    /// A request to an endpoint, authenticated as the client is registered.
    pub fn authenticated(&self, path: &str, form: &[(&str, &str)]) -> Request {
        let url = format!("{}{path}", self.issuer);
        let id = self.client.client_id();
        if self.client.secret.is_some() {
            self.http
                .post(&url)
                .form(form)
                .basic(&id, self.client.secret())
        } else {
            let mut form = form.to_vec();
            form.push(("client_id", &id));
            self.http.post(&url).form(&form)
        }
    }

    /// Asks for the claims of a person.
    pub async fn userinfo(&self, access_token: &str) -> Answer {
        self.http
            .get(&format!("{}/userinfo", self.issuer))
            .bearer(access_token)
            .send()
            .await
    }

    /// Asks whether a token is good.
    pub async fn introspect(&self, token: &str) -> Value {
        self.authenticated("/introspect", &[("token", token)])
            .send()
            .await
            .expect_ok()
            .json()
    }

    /// Says that a token of this client isn't good any more.
    #[track_caller]
    pub fn expect_inactive(body: &Value) {
        assert_eq!(body, &serde_json::json!({ "active": false }));
    }
}
