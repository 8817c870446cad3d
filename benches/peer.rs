//! The peer: `oidc-provider` on Node.js, in memory, doing the same work (`benches/peer/server.mjs`).

use serde_json::Value;

use crate::load::ask;
use crate::process::{Process, free_port};
use crate::wire::{basic, bearer, get, post};
use crate::{Options, Result};

const SECRET: &str = "a-secret-that-is-long-enough-for-a-benchmark";
const VERIFIER: &str = "a-code-verifier-of-a-benchmark-that-is-long-enough-0123456789";
const REDIRECT: &str = "https://app.example/cb";

/// Makes the request that uses a refresh token.
pub type Refreshing = Box<dyn Fn(&str) -> Vec<u8>>;

/// A peer that serves.
pub struct Peer {
    /// Its process.
    pub server: Process,
}

impl Peer {
    /// Starts it, where it is installed.
    pub fn start(options: &Options) -> Result<Option<Self>> {
        let Some(folder) = &options.peer else {
            return Ok(None);
        };
        let port = free_port()?;
        let server = Process::start(
            &options.node,
            |command| {
                command
                    .arg(folder.join("server.mjs"))
                    .env("PORT", port.to_string())
                    .env("NODE_ENV", "production");
            },
            options.server_core,
            port,
            "/jwks",
        )?;
        Ok(Some(Self { server }))
    }

    /// Its `Host`.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.server.port)
    }

    /// A request for a token of a client of its own.
    pub fn client_credentials(&self, kind: &str) -> Vec<u8> {
        let resource = format!("https://{kind}.acme.example");
        post(
            &self.host(),
            "/token",
            &basic("machine", SECRET),
            &[
                ("grant_type", "client_credentials"),
                ("resource", &resource),
                ("scope", "api:read"),
            ],
        )
    }

    fn made(&self, what: &str, count: usize) -> Result<Vec<String>> {
        let answer = ask(
            self.server.port,
            &get(&self.host(), &format!("/made/{what}?count={count}"), ""),
        )?;
        let Value::Array(items) = answer.json()? else {
            return Err("the peer made nothing".into());
        };
        Ok(items
            .iter()
            .filter_map(|item| item.as_str().map(ToOwned::to_owned))
            .collect())
    }

    /// Introspections of opaque tokens.
    pub fn introspections(&self, count: usize) -> Result<Vec<Vec<u8>>> {
        let tokens = self.made("tokens", count)?;
        Ok(tokens
            .iter()
            .map(|token| {
                post(
                    &self.host(),
                    "/token/introspection",
                    &basic("web", SECRET),
                    &[("token", token)],
                )
            })
            .collect())
    }

    /// Requests at userinfo.
    pub fn userinfos(&self, count: usize) -> Result<Vec<Vec<u8>>> {
        let tokens = self.made("tokens", count)?;
        Ok(tokens
            .iter()
            .map(|token| get(&self.host(), "/me", &bearer(token)))
            .collect())
    }

    /// Redemptions of codes.
    pub fn redemptions(&self, count: usize) -> Result<Vec<Vec<u8>>> {
        let codes = self.made("codes", count)?;
        let fields = |code| {
            [
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", REDIRECT),
                ("code_verifier", VERIFIER),
            ]
        };
        Ok(codes
            .iter()
            .map(|code| {
                post(
                    &self.host(),
                    "/token",
                    &basic("web", SECRET),
                    &fields(code.as_str()),
                )
            })
            .collect())
    }

    /// Refresh tokens of a public client, and what uses them.
    pub fn refreshes(&self, count: usize) -> Result<(Vec<String>, Refreshing)> {
        let host = self.host();
        let request = move |token: &str| {
            post(
                &host,
                "/token",
                "",
                &[
                    ("grant_type", "refresh_token"),
                    ("refresh_token", token),
                    ("client_id", "public"),
                ],
            )
        };
        Ok((self.made("refresh-tokens", count)?, Box::new(request)))
    }
}
