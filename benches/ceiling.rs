//! The ceiling: bare actix-web endpoints that answer the same bytes, make the same signatures and verifications, commit the same rows in
//! the same groups, and do nothing else. No tenant, no parameter, no policy, no log.

mod commits;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use josekit::jwk::Jwk;
use josekit::jws::{ES256, JwsSigner, JwsVerifier, RS256};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::Result;
use commits::{Commits, Reads};

/// What the ceiling is to do, handed over in a file.
#[derive(Serialize, Deserialize)]
pub struct Plan {
    /// Where to listen.
    pub port: u16,
    /// Answers to give, recorded from Tessera.
    pub answers: std::collections::BTreeMap<String, Recorded>,
    /// A private key for each algorithm, as PEM.
    pub es256: String,
    /// The same.
    pub rs256: String,
    /// The claims of an access token and of an ID token.
    pub access_claims: String,
    /// The same.
    pub id_claims: String,
    /// The database to commit to: a file's path or a PostgreSQL URL.
    pub database: Option<String>,
}

/// An answer of Tessera's.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Recorded {
    /// Headers, without those that the server makes itself.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Recorded {
    /// Records an answer.
    pub fn of(answer: &crate::wire::Answer) -> Self {
        let own = ["date", "content-length", "connection"];
        let headers = answer.head.lines().skip(1).filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            (!own.contains(&name)).then(|| (name.to_owned(), value.to_owned()))
        });
        Self {
            headers: headers.collect(),
            body: String::from_utf8_lossy(&answer.body).into_owned(),
        }
    }
}

impl Recorded {
    /// Its headers and body as they are answered: made once, as whoever writes a bare endpoint would.
    fn parsed(&self) -> Result<(Vec<(HeaderName, HeaderValue)>, web::Bytes)> {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| Ok((name.parse()?, value.parse()?)));
        Ok((
            headers.collect::<Result<_>>()?,
            web::Bytes::from(self.body.clone()),
        ))
    }
}

/// A key for the opaque tokens.
pub const OPAQUE_KEY: [u8; 32] = [7; 32];

struct State {
    plan: Plan,
    answers: HashMap<String, (Vec<(HeaderName, HeaderValue)>, web::Bytes)>,
    es256: Box<dyn JwsSigner + Send + Sync>,
    rs256: Box<dyn JwsSigner + Send + Sync>,
    verifier: Box<dyn JwsVerifier + Send + Sync>,
    commits: Option<Commits>,
    /// On SQLite alone.
    reads: Option<Reads>,
    done: AtomicUsize,
    /// Rows that were added: they use up none of those that are there to be spent.
    added: AtomicUsize,
}

impl State {
    fn answer(&self, name: &str, body: impl FnOnce(&web::Bytes) -> web::Bytes) -> HttpResponse {
        let Some((headers, recorded)) = self.answers.get(name) else {
            return HttpResponse::NotFound().finish();
        };
        let mut response = HttpResponse::Ok().body(body(recorded));
        for (name, value) in headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }

    fn token(&self, name: &str, tokens: &[String]) -> HttpResponse {
        self.answer(name, |_| {
            let mut body = format!(r#"{{"access_token":"{}","#, tokens[0]);
            for (member, token) in ["id_token", "refresh_token"].iter().zip(&tokens[1..]) {
                let _ = write!(body, r#""{member}":"{token}","#);
            }
            body += r#""token_type":"Bearer","expires_in":300,"scope":"api:read"}"#;
            body.into()
        })
    }

    fn next(&self) -> usize {
        self.done.fetch_add(1, Ordering::Relaxed)
    }

    fn next_added(&self) -> usize {
        self.added.fetch_add(1, Ordering::Relaxed)
    }
}

fn sign(signer: &(dyn JwsSigner + Send + Sync), claims: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(
        br#"{"alg":"ES256","typ":"at+jwt","kid":"0123456789012345678901234567890123456789012"}"#,
    );
    let mut text = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let signature = signer.sign(text.as_bytes()).unwrap_or_default();
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    text
}

/// A signed token, for the load.
pub fn signed(pem: &str, claims: &str) -> Result<String> {
    Ok(sign(&ES256.signer_from_pem(pem)?, claims))
}

fn check_secret(bytes: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&OPAQUE_KEY) else {
        return false;
    };
    mac.update(bytes);
    mac.finalize().into_bytes()[0] != 255 || !bytes.is_empty()
}

fn verify(state: &State, token: &str) -> bool {
    let Some((message, signature)) = token.rsplit_once('.') else {
        return false;
    };
    URL_SAFE_NO_PAD.decode(signature).is_ok_and(|signature| {
        state
            .verifier
            .verify(message.as_bytes(), &signature)
            .is_ok()
    })
}

/// Seals an opaque token, for the load: AES-256-GCM, as Tessera's own are.
pub fn seal(claims: &str) -> Result<String> {
    let mut tag = [0; 16];
    let cipher = openssl::symm::Cipher::aes_256_gcm();
    let sealed = openssl::symm::encrypt_aead(
        cipher,
        &OPAQUE_KEY,
        Some(&[1; 12]),
        &[],
        claims.as_bytes(),
        &mut tag,
    )?;
    Ok(URL_SAFE_NO_PAD.encode([sealed, tag.to_vec()].concat()))
}

fn open(token: &str) -> bool {
    let Ok(sealed) = URL_SAFE_NO_PAD.decode(token) else {
        return false;
    };
    let Some((text, tag)) = sealed.split_last_chunk::<16>() else {
        return false;
    };
    let cipher = openssl::symm::Cipher::aes_256_gcm();
    openssl::symm::decrypt_aead(cipher, &OPAQUE_KEY, Some(&[1; 12]), &[], text, tag).is_ok()
}

fn authorization(request: &HttpRequest) -> &str {
    request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

async fn document(state: web::Data<State>, name: web::Path<String>) -> HttpResponse {
    state.answer(&name, Clone::clone)
}

async fn token(
    state: web::Data<State>,
    request: HttpRequest,
    name: web::Path<String>,
    _body: web::Bytes,
) -> HttpResponse {
    if !check_secret(authorization(&request).as_bytes()) {
        return HttpResponse::Unauthorized().finish();
    }
    let signer = if *name == "rs256" {
        &state.rs256
    } else {
        &state.es256
    };
    let access = sign(signer.as_ref(), &state.plan.access_claims);
    state.token("token", &[access])
}

async fn introspect(
    state: web::Data<State>,
    request: HttpRequest,
    name: web::Path<String>,
    body: web::Bytes,
) -> HttpResponse {
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let token = text.strip_prefix("token=").unwrap_or_default();
    let good = if *name == "opaque" {
        open(token)
    } else {
        verify(&state, token)
    };
    if !good || !check_secret(authorization(&request).as_bytes()) {
        return HttpResponse::Unauthorized().finish();
    }
    state.answer("introspect", Clone::clone)
}

async fn userinfo(
    state: web::Data<State>,
    request: HttpRequest,
    name: web::Path<String>,
) -> HttpResponse {
    let token = authorization(&request)
        .strip_prefix("Bearer ")
        .unwrap_or_default();
    let good = if *name == "opaque" {
        open(token)
    } else {
        verify(&state, token)
    };
    if !good {
        return HttpResponse::Unauthorized().finish();
    }
    state.answer("userinfo", Clone::clone)
}

/// Redeems a code, or rotates a refresh token: two rows, one commit, an access token and an ID token.
async fn commit(
    state: web::Data<State>,
    request: HttpRequest,
    name: web::Path<String>,
    _body: web::Bytes,
) -> HttpResponse {
    let Some(commits) = &state.commits else {
        return HttpResponse::NotFound().finish();
    };
    if !check_secret(authorization(&request).as_bytes())
        || !commits.commit(&name, state.next()).await
    {
        return HttpResponse::InternalServerError().finish();
    }
    let access = sign(state.es256.as_ref(), &state.plan.access_claims);
    let id = sign(state.es256.as_ref(), &state.plan.id_claims);
    let refresh = "r".repeat(75);
    state.token("token", &[access, id, refresh])
}

/// Takes a request that is pushed, or makes the code for one: the same rows, and no token.
async fn pushed(
    state: web::Data<State>,
    request: HttpRequest,
    name: web::Path<String>,
    _body: web::Bytes,
) -> HttpResponse {
    let Some(commits) = &state.commits else {
        return HttpResponse::NotFound().finish();
    };
    // Whom it authenticates by: the client's secret there, the session's cookie here.
    let proof = match request.headers().get(COOKIE) {
        Some(cookie) => cookie.as_bytes(),
        None => authorization(&request).as_bytes(),
    };
    if !check_secret(proof) || !commits.commit(&name, state.next_added()).await {
        return HttpResponse::InternalServerError().finish();
    }
    state.answer(&name, Clone::clone)
}

/// Verifies a proof of possession by the key that is in it, commits that it was used, and signs a token.
async fn proved(state: web::Data<State>, request: HttpRequest, _body: web::Bytes) -> HttpResponse {
    let proof = request.headers().get("dpop");
    let good = proof
        .and_then(|proof| proof.to_str().ok())
        .is_some_and(|proof| is_proved(proof).unwrap_or_default());
    let Some(commits) = state.commits.as_ref().filter(|_| good) else {
        return HttpResponse::Unauthorized().finish();
    };
    if !check_secret(authorization(&request).as_bytes())
        || !commits.commit("proof", state.next_added()).await
    {
        return HttpResponse::InternalServerError().finish();
    }
    let access = sign(state.es256.as_ref(), &state.plan.access_claims);
    state.token("token", &[access])
}

/// A device that waits asks: one row is read.
async fn poll(state: web::Data<State>, request: HttpRequest, _body: web::Bytes) -> HttpResponse {
    let found = state
        .reads
        .as_ref()
        .map(|reads| reads.read(state.next_added()));
    if found.is_none_or(|length| length == 0) || !check_secret(authorization(&request).as_bytes()) {
        return HttpResponse::InternalServerError().finish();
    }
    state.answer("device", Clone::clone)
}

/// A token is exchanged: one verified, one row committed, one signed.
async fn exchange(state: web::Data<State>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let Some(commits) = &state.commits else {
        return HttpResponse::NotFound().finish();
    };
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let token = text.strip_prefix("subject_token=").unwrap_or_default();
    if !check_secret(authorization(&request).as_bytes())
        || !verify(&state, token)
        || !commits.commit("record", state.next_added()).await
    {
        return HttpResponse::InternalServerError().finish();
    }
    let access = sign(state.es256.as_ref(), &state.plan.access_claims);
    state.token("token", &[access])
}

fn is_proved(proof: &str) -> Result<bool> {
    let (message, signature) = proof.rsplit_once('.').ok_or("no JWT")?;
    let header = message.split('.').next().ok_or("no JWT")?;
    let header: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header)?)?;
    let key = header["jwk"].as_object().ok_or("no key")?;
    let verifier = ES256.verifier_from_jwk(&Jwk::from_map(key.clone())?)?;
    let signature = URL_SAFE_NO_PAD.decode(signature)?;
    Ok(verifier.verify(message.as_bytes(), &signature).is_ok())
}

/// Serves until it is killed.
pub fn serve(plan: &Path) -> Result<()> {
    let plan: Plan = serde_json::from_slice(&std::fs::read(plan)?)?;
    let commits = plan.database.as_deref().map(Commits::open).transpose()?;
    let file = plan
        .database
        .as_deref()
        .filter(|database| !database.starts_with("postgres"));
    let reads = file.map(Reads::open).transpose()?;
    let key = openssl::pkey::PKey::private_key_from_pem(plan.es256.as_bytes())?;
    let state = web::Data::from(Arc::new(State {
        es256: Box::new(ES256.signer_from_pem(&plan.es256)?),
        rs256: Box::new(RS256.signer_from_pem(&plan.rs256)?),
        verifier: Box::new(ES256.verifier_from_pem(key.public_key_to_pem()?)?),
        commits,
        reads,
        done: AtomicUsize::new(0),
        added: AtomicUsize::new(0),
        answers: plan
            .answers
            .iter()
            .map(|(name, recorded)| Ok((name.clone(), recorded.parsed()?)))
            .collect::<Result<_>>()?,
        plan,
    }));
    let port = state.plan.port;
    actix_web::rt::System::new().block_on(async move {
        HttpServer::new(move || {
            App::new()
                .app_data(state.clone())
                .route("/document/{name}", web::get().to(document))
                .route("/token/{name}", web::post().to(token))
                .route("/introspect/{name}", web::post().to(introspect))
                .route("/userinfo/{name}", web::get().to(userinfo))
                .route("/commit/{name}", web::post().to(commit))
                .route("/pushed/{name}", web::post().to(pushed))
                .route("/pushed/{name}", web::get().to(pushed))
                .route("/proved", web::post().to(proved))
                .route("/poll", web::post().to(poll))
                .route("/exchange", web::post().to(exchange))
        })
        .workers(1)
        .bind(("127.0.0.1", port))?
        .run()
        .await
    })?;
    Ok(())
}
