//! How an application is written that uses a client: working programs in several languages, filled in with the client's own settings.
//!
//! The programs stand in `templates/console/snippets` as they would in an application, with `__NAMES__` for what is filled in. A secret
//! is never put into one: each reads it from the environment. What is filled in was validated when the client was registered: URIs hold
//! no quotes and no backslashes (RFC 3986), nor do scope-tokens (RFC 6749 §3.3), so that they stand between double quotes as they are.

use url::Url;

use super::clients_kind::Kind;
use crate::domain::client::Client;
use crate::protocol::client_metadata::TokenEndpointAuthMethod;
use crate::protocol::discovery::paths;
use crate::protocol::scope::OPENID;

/// A program in one language.
#[derive(Clone, Debug)]
pub struct Snippet {
    /// Its element's id.
    pub id: &'static str,
    /// The language or framework.
    pub title: &'static str,
    /// What is installed for it.
    pub install: &'static str,
    /// Its files.
    pub files: Vec<(&'static str, String)>,
    /// What has to be changed before there is one, where there is none: the message's id, and the algorithm of which it speaks.
    pub obstacle: Option<(&'static str, &'static str)>,
}

/// What is filled in.
#[derive(Clone, Debug)]
pub struct Values {
    issuer: String,
    client_id: String,
    redirect_uri: String,
    post_logout: Option<String>,
    scopes: Vec<String>,
    resources: Vec<String>,
    default_audience: Option<String>,
    method: TokenEndpointAuthMethod,
    algorithm: &'static str,
}

/// A word that the shell takes as it is.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

impl Values {
    /// Those of a client.
    pub fn of(issuer: &str, client: &Client) -> Self {
        let metadata = &client.metadata;
        let scope = metadata.scope.clone().unwrap_or_default();
        Self {
            issuer: issuer.to_owned(),
            client_id: client.id.to_string(),
            redirect_uri: metadata.redirect_uris.first().cloned().unwrap_or_default(),
            post_logout: metadata.post_logout_redirect_uris.first().cloned(),
            scopes: scope.iter().map(ToOwned::to_owned).collect(),
            resources: metadata.resources.clone(),
            default_audience: metadata.default_audience.clone(),
            method: metadata.token_endpoint_auth_method,
            algorithm: metadata.id_token_signed_response_alg.as_str(),
        }
    }

    /// The API that has to be named in a request, where tokens aren't for one by themselves.
    fn resource(&self) -> Option<&str> {
        match &self.default_audience {
            Some(_) => None,
            None => self.resources.first().map(String::as_str),
        }
    }

    fn fill(&self, program: &str) -> String {
        let values = [self.of_client(), self.by_language(), self.for_shell()];
        let issuer = ("__ISSUER__", self.issuer.clone());
        let mut text = program.to_owned();
        for (name, value) in std::iter::once(issuer).chain(values.into_iter().flatten()) {
            text = text.replace(name, &value);
        }
        text
    }

    /// What is the same in every language.
    fn of_client(&self) -> Vec<(&'static str, String)> {
        let url = Url::parse(&self.redirect_uri).ok();
        let path = url.as_ref().map_or("/callback", |url| match url.path() {
            "" => "/",
            path => path,
        });
        let scheme = url.as_ref().map_or("https", Url::scheme);
        // On the developer's own machine the browser comes back to the program itself, elsewhere to a proxy before it.
        let port = url
            .as_ref()
            .filter(|url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")))
            .and_then(Url::port)
            .unwrap_or(3000);
        let list = |scopes: &[&String]| {
            let quoted: Vec<_> = scopes.iter().map(|scope| format!("\"{scope}\"")).collect();
            quoted.join(", ")
        };
        let all: Vec<&String> = self.scopes.iter().collect();
        let rest: Vec<&String> = self
            .scopes
            .iter()
            .filter(|scope| *scope != OPENID)
            .collect();
        let of_api = rest.last().map_or("read", |scope| scope.as_str());
        let audience = self.default_audience.as_deref().or(self.resource());
        vec![
            ("__CLIENT_ID__", self.client_id.clone()),
            ("__REDIRECT_URI__", self.redirect_uri.clone()),
            ("__REDIRECT_PATH__", path.to_owned()),
            (
                "__REDIRECT_ROUTE__",
                path.trim_start_matches('/').to_owned(),
            ),
            ("__REDIRECT_SCHEME__", scheme.to_owned()),
            ("__PORT__", port.to_string()),
            ("__SECURE__", (scheme == "https").to_string()),
            ("__SCOPE__", self.scopes.join(" ")),
            ("__SCOPE_LIST__", list(&all)),
            ("__SCOPE_LIST_REST__", list(&rest)),
            ("__FIRST_SCOPE__", of_api.to_owned()),
            ("__AUDIENCE__", audience.unwrap_or(&self.issuer).to_owned()),
            ("__METHOD__", self.method.as_str().to_owned()),
            ("__ALG__", self.algorithm.to_owned()),
        ]
    }

    /// What each language says in its own way, or doesn't say at all.
    fn by_language(&self) -> Vec<(&'static str, String)> {
        let either = |basic: &str, post: &str| {
            let is_basic = self.method == TokenEndpointAuthMethod::ClientSecretBasic;
            if is_basic { basic } else { post }.to_owned()
        };
        let resource = |before: &str, after: &str| match self.resource() {
            Some(resource) => format!("{before}\"{resource}\"{after}"),
            None => String::new(),
        };
        let insecure = if self.issuer.starts_with("http:") {
            "\n  // For development only: the issuer has no TLS.\n  { execute: [client.allowInsecureRequests] },"
        } else {
            ""
        };
        let post_logout = match &self.post_logout {
            Some(uri) => format!("\n  post_logout_redirect_uri: \"{uri}\","),
            None => String::new(),
        };
        vec![
            ("__PY_BASIC__", either("True", "False")),
            (
                "__JS_AUTH__",
                either("ClientSecretBasic", "ClientSecretPost"),
            ),
            (
                "__GO_STYLE__",
                either("AuthStyleInHeader", "AuthStyleInParams"),
            ),
            ("__RUST_AUTH__", either("BasicAuth", "RequestBody")),
            ("__JS_INSECURE__", insecure.to_owned()),
            ("__JS_POST_LOGOUT__", post_logout),
            ("__JS_RESOURCE__", resource(", resource: ", "")),
            ("__PY_RESOURCE__", resource(", resource=", "")),
            ("__PY_DEVICE_RESOURCE__", resource(", \"resource\": ", "")),
            ("__GO_RESOURCE__", resource("\"resource\": {", "}")),
            ("__JAVA_RESOURCE__", resource("\"resource\", List.of(", ")")),
            (
                "__RUST_RESOURCE__",
                resource("\n        .add_extra_param(\"resource\", ", ")"),
            ),
        ]
    }

    fn for_shell(&self) -> Vec<(&'static str, String)> {
        let id = &self.client_id;
        let authentication = match self.method {
            TokenEndpointAuthMethod::ClientSecretBasic => {
                format!("-u {id}:\"$OIDC_CLIENT_SECRET\"")
            }
            TokenEndpointAuthMethod::None => format!("-d client_id={id}"),
            _ => {
                format!("-d client_id={id} --data-urlencode client_secret=\"$OIDC_CLIENT_SECRET\"")
            }
        };
        let parameter = |name: &str, value: &str| {
            let word = quoted(&format!("{name}={value}"));
            format!(" \\\n  --data-urlencode {word}")
        };
        let scope = match self.scopes.as_slice() {
            [] => String::new(),
            scopes => parameter("scope", &scopes.join(" ")),
        };
        let resource = self.resource();
        vec![
            (
                "__SH_TOKEN_URL__",
                quoted(&format!("{}/token", self.issuer)),
            ),
            (
                "__SH_DEVICE_URL__",
                quoted(&format!("{}{}", self.issuer, paths::DEVICE_AUTHORIZATION)),
            ),
            ("__SH_AUTH__", authentication),
            ("__SH_SCOPE__", scope),
            (
                "__SH_RESOURCE__",
                resource.map_or_else(String::new, |resource| parameter("resource", resource)),
            ),
        ]
    }

    fn snippet(
        &self,
        id: &'static str,
        title: &'static str,
        install: &'static str,
        files: &[(&'static str, &str)],
    ) -> Snippet {
        Snippet {
            id,
            title,
            install,
            files: files
                .iter()
                .map(|(name, program)| (*name, self.fill(program)))
                .collect(),
            obstacle: None,
        }
    }

    /// In place of a program whose library can't verify the client's ID tokens: that, and what can be done.
    fn unfit(&self, id: &'static str, title: &'static str, obstacle: &'static str) -> Snippet {
        Snippet {
            id,
            title,
            install: "",
            files: Vec::new(),
            obstacle: Some((obstacle, self.algorithm)),
        }
    }
}

macro_rules! program {
    ($file:literal) => {
        include_str!(concat!("../../../templates/console/snippets/", $file))
    };
}

/// The command that gets a token by the client's own credentials.
pub fn curl(values: &Values) -> String {
    values.fill(program!("token.sh"))
}

/// The command that signs a person in on a device.
pub fn curl_of_device(values: &Values) -> String {
    values.fill(program!("device.sh"))
}

/// Programs for a client of this kind; none where it proves itself by what it signs or by a certificate, which each library wants otherwise.
pub fn of(kind: Kind, values: &Values) -> Vec<Snippet> {
    use TokenEndpointAuthMethod::{ClientSecretJwt, PrivateKeyJwt};
    if [ClientSecretJwt, PrivateKeyJwt].contains(&values.method) || values.method.uses_certificate()
    {
        return Vec::new();
    }
    let is_app = !values.redirect_uri.starts_with("http");
    match kind {
        Kind::Web => web(values),
        Kind::Browser if is_app => vec![values.snippet(
            "android",
            "Android (AppAuth)",
            "net.openid:appauth",
            &[("SignIn.kt", program!("android.kt"))],
        )],
        Kind::Browser => vec![values.snippet(
            "browser",
            "JavaScript (oidc-client-ts)",
            "npm install oidc-client-ts",
            &[("session.js", program!("browser.mjs"))],
        )],
        Kind::Service => service(values),
        Kind::Terminal => terminal(values),
        Kind::Device => device(values),
    }
}

/// Of the algorithms of ID tokens, those that mozilla-django-oidc verifies, and those that Spring Security does.
const OF_DJANGO: [&str; 2] = ["RS256", "ES256"];
const OF_SPRING: [&str; 3] = ["RS256", "ES256", "PS256"];

const SPRING_CLIENT: &str = "org.springframework.boot:spring-boot-starter-web\n\
     org.springframework.boot:spring-boot-starter-oauth2-client";

fn web(values: &Values) -> Vec<Snippet> {
    let django = if OF_DJANGO.contains(&values.algorithm) {
        values.snippet(
            "django",
            "Django",
            "pip install mozilla-django-oidc",
            &[
                ("settings.py", program!("django_settings.py")),
                ("urls.py", program!("django_urls.py")),
            ],
        )
    } else {
        values.unfit("django", "Django", "client-program-algorithm-django")
    };
    let spring = if OF_SPRING.contains(&values.algorithm) {
        values.snippet(
            "spring",
            "Spring Boot",
            SPRING_CLIENT,
            &[
                ("application.yml", program!("spring.yml")),
                ("SecurityConfig.java", program!("SecurityConfig.java")),
            ],
        )
    } else {
        values.unfit("spring", "Spring Boot", "client-program-algorithm-spring")
    };
    vec![
        django,
        values.snippet(
            "express",
            "Express",
            "npm install express express-session openid-client",
            &[("server.mjs", program!("express.mjs"))],
        ),
        spring,
        values.snippet(
            "go",
            "Go",
            "go get github.com/coreos/go-oidc/v3/oidc golang.org/x/oauth2",
            &[("main.go", program!("main.go"))],
        ),
        values.snippet(
            "rust",
            "Rust",
            "cargo add openidconnect@4 anyhow url && cargo add tokio --features full",
            &[("main.rs", program!("main.rs"))],
        ),
    ]
}

fn service(values: &Values) -> Vec<Snippet> {
    vec![
        values.snippet("curl", "curl", "", &[("", program!("token.sh"))]),
        values.snippet(
            "python",
            "Python",
            "pip install authlib requests",
            &[("service.py", program!("service.py"))],
        ),
        values.snippet(
            "node",
            "Node.js",
            "npm install openid-client",
            &[("service.mjs", program!("service.mjs"))],
        ),
        values.snippet(
            "spring",
            "Spring Boot",
            SPRING_CLIENT,
            &[
                ("application.yml", program!("service_spring.yml")),
                ("ApiClient.java", program!("ApiClient.java")),
            ],
        ),
        values.snippet(
            "go",
            "Go",
            "go get golang.org/x/oauth2",
            &[("main.go", program!("service.go"))],
        ),
        values.snippet(
            "rust",
            "Rust",
            "cargo add oauth2@5 anyhow && cargo add tokio --features full",
            &[("main.rs", program!("service.rs"))],
        ),
    ]
}

fn terminal(values: &Values) -> Vec<Snippet> {
    vec![
        values.snippet(
            "go",
            "Go",
            "go get github.com/coreos/go-oidc/v3/oidc golang.org/x/oauth2",
            &[("main.go", program!("terminal.go"))],
        ),
        values.snippet(
            "python",
            "Python",
            "pip install authlib requests",
            &[("sign_in.py", program!("terminal.py"))],
        ),
        values.snippet(
            "rust",
            "Rust",
            "cargo add openidconnect@4 anyhow url && cargo add tokio --features full",
            &[("main.rs", program!("terminal.rs"))],
        ),
    ]
}

fn device(values: &Values) -> Vec<Snippet> {
    vec![
        values.snippet(
            "shell",
            "curl",
            "",
            &[("sign_in.sh", program!("device.sh"))],
        ),
        values.snippet(
            "python",
            "Python",
            "pip install requests",
            &[("sign_in.py", program!("device.py"))],
        ),
    ]
}

/// Programs for an API that is called with this client's tokens; none where the client names no API.
pub fn verifying(values: &Values) -> Vec<Snippet> {
    if values.resources.is_empty() && values.default_audience.is_none() {
        return Vec::new();
    }
    vec![
        values.snippet(
            "verify-python",
            "Python",
            "pip install 'pyjwt[crypto]'",
            &[("tokens.py", program!("verify.py"))],
        ),
        values.snippet(
            "verify-node",
            "Express",
            "npm install jose",
            &[("tokens.mjs", program!("verify.mjs"))],
        ),
        values.snippet(
            "verify-spring",
            "Spring Boot",
            "org.springframework.boot:spring-boot-starter-web\n\
             org.springframework.boot:spring-boot-starter-oauth2-resource-server",
            &[("ResourceServer.java", program!("ResourceServer.java"))],
        ),
        values.snippet(
            "verify-go",
            "Go",
            "go get github.com/coreos/go-oidc/v3/oidc",
            &[("main.go", program!("verify.go"))],
        ),
        values.snippet(
            "verify-rust",
            "Rust",
            "cargo add anyhow && cargo add jsonwebtoken --features rust_crypto && cargo add serde --features derive",
            &[("tokens.rs", program!("verify.rs"))],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::clock::Timestamp;
    use crate::protocol::client_metadata::ClientMetadata;

    fn values(metadata: Value) -> (Kind, Values) {
        let metadata = ClientMetadata::from_json(metadata).unwrap();
        let id = uuid::Uuid::from_u128(7).into();
        let client = Client::new(id, metadata, Timestamp::UNIX_EPOCH);
        let kind = Kind::of(&client.metadata);
        (kind, Values::of("https://id.example/t/acme", &client))
    }

    fn all() -> Vec<(Kind, Values)> {
        vec![
            values(
                json!({ "redirect_uris": ["https://shop.example/auth/callback"], "scope": "openid profile" }),
            ),
            values(
                json!({ "redirect_uris": ["https://shop.example/cb"], "token_endpoint_auth_method": "client_secret_post", "resources": ["urn:a", "urn:b"] }),
            ),
            values(
                json!({ "redirect_uris": ["https://board.example/"], "token_endpoint_auth_method": "none", "post_logout_redirect_uris": ["https://board.example/"] }),
            ),
            values(
                json!({ "redirect_uris": ["com.example.app:/cb"], "token_endpoint_auth_method": "none", "application_type": "native" }),
            ),
            values(
                json!({ "redirect_uris": ["http://127.0.0.1/callback"], "token_endpoint_auth_method": "none", "application_type": "native" }),
            ),
            values(
                json!({ "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "token_endpoint_auth_method": "none", "scope": "openid profile" }),
            ),
            values(
                json!({ "grant_types": ["client_credentials"], "scope": "it's $HOME", "resources": ["urn:a'b"] }),
            ),
            values(
                json!({ "grant_types": ["client_credentials"], "scope": "read", "resources": ["urn:a"], "default_audience": "urn:a" }),
            ),
        ]
    }

    #[test]
    fn every_program_is_filled_in_and_holds_no_secret() {
        for (kind, values) in all() {
            let snippets = of(kind, &values);
            assert!(!snippets.is_empty(), "{kind:?}");
            for snippet in snippets.iter().chain(&verifying(&values)) {
                for (file, text) in &snippet.files {
                    let left = text.split("__").nth(1).filter(|name| {
                        !name.is_empty()
                            && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
                    });
                    assert!(left.is_none(), "{} {file}: {left:?}", snippet.title);
                    let tokens = snippet.id.starts_with("verify-") || !file.is_empty();
                    assert!(tokens || text.contains("$OIDC_CLIENT_SECRET"), "{text}");
                }
                let whole: String = snippet
                    .files
                    .iter()
                    .map(|(_, text)| text.as_str())
                    .collect();
                assert!(
                    whole.contains("https://id.example/t/acme"),
                    "{}",
                    snippet.title
                );
                let knows = whole.contains(&values.client_id) || snippet.id.starts_with("verify-");
                assert!(knows, "{}", snippet.title);
            }
        }
    }

    #[test]
    fn programs_are_offered_where_their_libraries_verify() {
        for (algorithm, unfit) in [
            ("RS256", vec![]),
            ("ES256", vec![]),
            ("PS256", vec!["django"]),
            ("EdDSA", vec!["django", "spring"]),
            ("Ed25519", vec!["django", "spring"]),
        ] {
            let (kind, values) = values(
                json!({ "redirect_uris": ["https://shop.example/cb"], "id_token_signed_response_alg": algorithm }),
            );
            let snippets = of(kind, &values);
            assert_eq!(snippets.len(), 5);
            for snippet in snippets {
                let is_unfit = unfit.contains(&snippet.id);
                assert_eq!(
                    snippet.files.is_empty(),
                    is_unfit,
                    "{algorithm} {}",
                    snippet.id
                );
                let named = snippet.obstacle.map(|(_, algorithm)| algorithm);
                assert_eq!(named, is_unfit.then_some(algorithm));
            }
        }
    }

    #[test]
    fn a_program_listens_where_its_own_machine_sends_the_browser() {
        for (redirect_uri, port) in [
            ("http://localhost:5000/callback", 5000),
            ("https://localhost:8443/callback", 8443),
            ("https://shop.example:8443/callback", 3000),
            ("http://localhost/callback", 3000),
        ] {
            let (kind, values) = values(json!({ "redirect_uris": [redirect_uri] }));
            for (id, line) in [
                ("express", format!("app.listen({port}, ")),
                ("go", format!("ListenAndServe(\":{port}\", nil)")),
            ] {
                let all = of(kind, &values);
                let program = all.iter().find(|snippet| snippet.id == id).unwrap();
                assert!(program.files[0].1.contains(&line), "{redirect_uri}: {line}");
            }
        }
    }

    #[test]
    fn what_a_shell_would_understand_stays_text() {
        let (_, values) = values(
            json!({ "grant_types": ["client_credentials"], "scope": "it's $HOME", "resources": ["urn:a'b"] }),
        );
        let command = curl(&values);
        assert!(command.contains(r"'scope=it'\''s $HOME'"), "{command}");
        assert!(command.contains(r"'resource=urn:a'\''b'"), "{command}");
    }

    #[test]
    fn a_client_with_a_key_has_no_program_with_a_secret() {
        let (kind, values) = values(json!({
            "redirect_uris": ["https://shop.example/cb"], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://shop.example/jwks",
        }));
        assert!(of(kind, &values).is_empty());
    }
}
