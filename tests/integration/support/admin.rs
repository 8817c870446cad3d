//! The administration API as its users have it: tokens of people and programs, and requests by the table that the server itself publishes.

use serde_json::{Value, json};
use tessera::domain::role::Role;

use super::app::{TestApp, TestTenant, TestUser};
use super::http::{Answer, Request};
use super::relying_party::RelyingParty;
use actix_web::http::Method;

/// Somebody at the API.
#[derive(Clone)]
pub struct Admin {
    http: super::http::Http,
    root: String,
    /// Their access token.
    pub token: String,
}

/// One operation as the published document describes it.
#[derive(Clone, Debug)]
pub struct Described {
    pub id: String,
    pub method: Method,
    pub path: String,
    pub roles: Option<Vec<String>>,
    pub takes_body: bool,
    pub needs_version: bool,
}

impl Admin {
    /// Whoever holds this token.
    pub fn with_token(app: &TestApp, token: &str) -> Self {
        Self {
            http: app.http.clone(),
            root: app.root().to_owned(),
            token: token.to_owned(),
        }
    }

    /// A program that administers its tenant; of `system`, every tenant.
    pub async fn program(app: &TestApp, tenant: &TestTenant) -> Self {
        let client = app.machine_client(tenant, "tessera:admin").await;
        let rp = RelyingParty::new(app, tenant, &client);
        let api = format!("{}/api/v1", app.root());
        let tokens = rp
            .client_credentials(&[("scope", "tessera:admin"), ("resource", &api)])
            .await;
        Self::with_token(app, &tokens.access_token)
    }

    /// A person with these roles, signed in by a client of the tenant.
    pub async fn person(
        app: &TestApp,
        tenant: &TestTenant,
        user: &TestUser,
        roles: &[Role],
    ) -> Self {
        let (id, roles) = (user.id, roles.to_vec());
        app.provider
            .db
            .write(&*app.load(tenant).await, move |repo| {
                for role in &roles {
                    repo.grant_role(id, *role)?;
                }
                Ok(())
            })
            .await
            .expect("roles");
        let client = app
            .client(
                tenant,
                json!({
                    "redirect_uris": ["https://tool.example/callback"], "scope": "openid tessera:admin", "skip_consent": true,
                    "access_token_lifetime": 3600,
                }),
            )
            .await;
        let rp = RelyingParty::new(app, tenant, &client).with_scope("openid tessera:admin");
        let api = format!("{}/api/v1", app.root());
        let page = rp
            .authorize(&mut app.browser(), user, &[("resource", &api)])
            .await;
        let code = page
            .answer
            .location_param("code")
            .unwrap_or_else(|| panic!("no code: {}", page.answer.body));
        let tokens = rp.redeem(&code).await.expect_ok().json();
        Self::with_token(app, tokens["access_token"].as_str().expect("a token"))
    }

    /// A request; the path is below `/api/v1`.
    pub fn request(&self, method: Method, path: &str) -> Request {
        self.http
            .request(method, &format!("{}/api/v1{path}", self.root))
            .bearer(&self.token)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::POST, path)
            .body("application/json", body.to_string())
            .send()
            .await
    }

    /// A POST that takes no body.
    pub async fn act(&self, path: &str) -> Answer {
        self.request(Method::POST, path).send().await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path).send().await
    }

    /// A change of the present version.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        let tag = self.get(path).await.expect_ok();
        let tag = tag.header("etag").expect("a version").to_owned();
        self.patch_version(path, &tag, body).await
    }

    pub async fn patch_version(&self, path: &str, tag: &str, body: &Value) -> Answer {
        self.request(Method::PATCH, path)
            .header("if-match", tag)
            .body("application/merge-patch+json", body.to_string())
            .send()
            .await
    }

    /// What the server publishes about itself.
    pub async fn document(app: &TestApp) -> Value {
        app.get(&format!("{}/api/openapi.json", app.root()))
            .send()
            .await
            .expect_ok()
            .json()
    }

    /// Its operations.
    pub fn operations(document: &Value) -> Vec<Described> {
        let mut all = Vec::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, described) in item.as_object().expect("operations") {
                let parameters = described["parameters"].as_array().expect("parameters");
                all.push(Described {
                    id: described["operationId"]
                        .as_str()
                        .expect("a name")
                        .to_owned(),
                    method: method.to_ascii_uppercase().parse().expect("a method"),
                    path: path.clone(),
                    roles: described["x-roles"].as_array().map(|roles| {
                        roles
                            .iter()
                            .filter_map(Value::as_str)
                            .map(ToOwned::to_owned)
                            .collect()
                    }),
                    takes_body: !described["requestBody"].is_null(),
                    needs_version: parameters
                        .iter()
                        .any(|parameter| parameter["name"] == "If-Match"),
                });
            }
        }
        assert!(all.len() > 20, "the document describes next to nothing");
        all
    }

    /// The operation with an empty body, at a path whose names are filled in by `fill`.
    pub async fn call(&self, operation: &Described, fill: impl Fn(&str) -> String) -> Answer {
        let parts = operation.path.split('/').map(|part| {
            let name = part
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            name.map_or_else(|| part.to_owned(), &fill)
        });
        let path = parts.collect::<Vec<_>>().join("/");
        let mut request = self.request(operation.method.clone(), &path);
        if operation.needs_version {
            request = request.header("if-match", "\"v0\"");
        }
        if operation.takes_body {
            request = request.body("application/json", "{}");
        }
        request.send().await
    }
}
