//! A tenant with people and clients, and what these do: sign in, get codes, redeem them, refresh, revoke, administer.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::http::{Answer, Body, HOST, Http, form};
use super::site::Site;

const PASSWORD: &str = "correct horse battery";
const REDIRECT_URI: &str = "https://board.example/callback";
const VERIFIER: &str = "a-code-verifier-that-is-long-enough-for-anybody-0123456789";
const TENANT: &str = "/t/acme";

/// A client's name and secret.
#[derive(Clone)]
pub struct Client {
    pub id: String,
    pub secret: String,
}

/// Who and what there is.
#[derive(Clone)]
pub struct Scene {
    /// Public: its refresh tokens rotate.
    pub public: Client,
    pub machine: Client,
    pub operator: Client,
    people: usize,
}

impl Scene {
    /// Makes all of it by the command line.
    pub fn new(site: &Site, people: usize) -> Self {
        site.json(&["tenant", "create", "acme", "--name", "Acme"]);
        // An attempt is counted before the password is looked at, and one that a kill interrupts stays counted. Nobody is to be locked out for it.
        site.json(&[
            "tenant",
            "update",
            "acme",
            "--set",
            "lockout.attempts=100",
            "--set",
            "lockout.window=60",
        ]);
        for number in 0..people {
            let email = email(number);
            site.json_with(
                PASSWORD,
                &[
                    "user",
                    "create",
                    "--tenant",
                    "acme",
                    "--email",
                    &email,
                    "--password-stdin",
                ],
            );
        }
        let file = site.path("public.json");
        let metadata = json!({
            "client_name": "Board", "redirect_uris": [REDIRECT_URI], "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none", "scope": "openid profile email offline_access", "skip_consent": true,
        });
        std::fs::write(&file, metadata.to_string()).expect("a file");
        let file = file.to_str().expect("UTF-8");
        let client = |arguments: &[&str]| {
            let made = site.json(arguments);
            let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
            Client {
                id: text("client_id"),
                secret: text("client_secret"),
            }
        };
        Self {
            public: client(&[
                "client",
                "create",
                "--tenant",
                "acme",
                "--metadata-file",
                file,
            ]),
            machine: client(&[
                "client",
                "create",
                "--tenant",
                "acme",
                "--name",
                "Job",
                "--grant-type",
                "client_credentials",
            ]),
            operator: client(&["operator", "create", "--name", "Faults"]),
            people,
        }
    }

    /// Somebody at a server; numbers beyond the people's begin again.
    pub fn person(&self, port: u16, number: usize) -> Person {
        Person {
            http: Http::new(port),
            client: self.public.clone(),
            email: email(number % self.people),
            cookies: Vec::new(),
        }
    }

    /// The operator's program asks for its token.
    pub fn admin_token(&self, port: u16) -> io::Result<Answer> {
        let audience = format!("http://{HOST}/api/v1");
        let fields = [
            ("grant_type", "client_credentials"),
            ("scope", "tessera:admin"),
            ("resource", &audience),
        ];
        let basic = basic(&self.operator);
        Http::new(port).send(
            "POST",
            "/t/system/token",
            &[("Authorization", &basic)],
            Body::Form(&fields),
        )
    }

    /// Client credentials.
    pub fn machine_token(&self, http: &mut Http) -> io::Result<Answer> {
        let fields = [("grant_type", "client_credentials")];
        http.send(
            "POST",
            &format!("{TENANT}/token"),
            &[("Authorization", &basic(&self.machine))],
            Body::Form(&fields),
        )
    }
}

fn email(number: usize) -> String {
    format!("person-{number}@acme.example")
}

fn basic(client: &Client) -> String {
    format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", client.id, client.secret))
    )
}

/// What the token endpoint gave.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Tokens {
    /// Of an answer that must be one.
    #[track_caller]
    pub fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{answer:?}");
        let tokens = Self {
            access: answer.text("access_token"),
            refresh: answer.text("refresh_token"),
        };
        assert!(
            !tokens.access.is_empty() && !tokens.refresh.is_empty(),
            "{answer:?}"
        );
        tokens
    }
}

/// A person with a browser, and the application that they use.
pub struct Person {
    pub http: Http,
    pub email: String,
    client: Client,
    cookies: Vec<(String, String)>,
}

impl Person {
    /// The same person, with the same browser, at another server.
    pub fn at(&self, port: u16) -> Self {
        Self {
            http: Http::new(port),
            email: self.email.clone(),
            client: self.client.clone(),
            cookies: self.cookies.clone(),
        }
    }

    fn browse(&mut self, method: &str, path: &str, body: Body<'_>) -> io::Result<Answer> {
        let pairs: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let (cookies, origin) = (pairs.join("; "), format!("http://{HOST}"));
        let mut headers = vec![("Accept", "text/html"), ("Origin", &origin)];
        if !cookies.is_empty() {
            headers.push(("Cookie", &cookies));
        }
        let answer = self.http.send(method, path, &headers, body)?;
        for (_, cookie) in answer
            .headers
            .iter()
            .filter(|(name, _)| name == "set-cookie")
        {
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.retain(|(known, _)| known != name);
                if !value.is_empty() {
                    self.cookies.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        Ok(answer)
    }

    /// Signs in by password; the answer to the form.
    pub fn sign_in(&mut self) -> io::Result<Answer> {
        let page = self.browse("GET", &format!("{TENANT}/login"), Body::Nothing)?;
        let csrf = page
            .body
            .split_once("name=\"csrf\" value=\"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .map(|(value, _)| value.to_owned());
        let Some(csrf) = csrf else { return Ok(page) };
        let email = self.email.clone();
        let fields = [
            ("csrf", csrf.as_str()),
            ("username", &email),
            ("password", PASSWORD),
        ];
        self.browse("POST", &format!("{TENANT}/login"), Body::Form(&fields))
    }

    /// Asks for a code by the session there is, unseen.
    pub fn authorize(&mut self) -> io::Result<Answer> {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let query = form(&[
            ("client_id", &self.client.id),
            ("redirect_uri", REDIRECT_URI),
            ("response_type", "code"),
            ("scope", "openid offline_access"),
            ("state", "a-state"),
            ("prompt", "none"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        self.browse("GET", &format!("{TENANT}/authorize?{query}"), Body::Nothing)
    }

    /// A code, which there must be.
    pub fn code(&mut self) -> io::Result<String> {
        let answer = self.authorize()?;
        Ok(answer
            .location_param("code")
            .unwrap_or_else(|| panic!("no code: {answer:?}")))
    }

    fn ask(&mut self, path: &str, fields: &[(&str, &str)]) -> io::Result<Answer> {
        let id = self.client.id.clone();
        let fields = [fields, &[("client_id", id.as_str())]].concat();
        self.http
            .send("POST", &format!("{TENANT}{path}"), &[], Body::Form(&fields))
    }

    pub fn redeem(&mut self, code: &str) -> io::Result<Answer> {
        self.ask(
            "/token",
            &[
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", REDIRECT_URI),
                ("code_verifier", VERIFIER),
            ],
        )
    }

    pub fn refresh(&mut self, token: &str) -> io::Result<Answer> {
        self.ask(
            "/token",
            &[("grant_type", "refresh_token"), ("refresh_token", token)],
        )
    }

    pub fn revoke(&mut self, token: &str) -> io::Result<Answer> {
        self.ask("/revoke", &[("token", token)])
    }

    pub fn userinfo(&mut self, token: &str) -> io::Result<Answer> {
        let bearer = format!("Bearer {token}");
        self.http.send(
            "GET",
            &format!("{TENANT}/userinfo"),
            &[("Authorization", &bearer)],
            Body::Nothing,
        )
    }
}

/// A program at the administration API.
pub struct Admin {
    http: Http,
    bearer: String,
}

impl Admin {
    /// Whoever got this token.
    #[track_caller]
    pub fn of(port: u16, answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{answer:?}");
        Self {
            http: Http::new(port),
            bearer: format!("Bearer {}", answer.text("access_token")),
        }
    }

    /// A request; the path is below `/api/v1`.
    pub fn ask(&mut self, method: &str, path: &str, body: Body<'_>) -> io::Result<Answer> {
        let bearer = self.bearer.clone();
        self.http.send(
            method,
            &format!("/api/v1{path}"),
            &[("Authorization", &bearer)],
            body,
        )
    }

    pub fn create_user(&mut self, email: &str) -> io::Result<Answer> {
        self.ask(
            "POST",
            "/tenants/acme/users",
            Body::Json(&json!({ "email": email })),
        )
    }
}
