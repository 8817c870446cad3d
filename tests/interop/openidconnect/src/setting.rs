//! Where the client runs: the quickstart's document, the command line beside the server, and the browser.

use std::env;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use openidconnect::url::Url;
use serde::Deserialize;
use serde_json::{Value, json};

/// One tenant of the quickstart, with a person who can sign in.
pub struct Tenant {
    pub slug: String,
    pub issuer: String,
    pub email: String,
    pub password: String,
}

/// RFC 7591's response, as far as this client needs it.
#[derive(Deserialize)]
pub struct Registration {
    pub client_id: String,
    pub client_secret: String,
}

/// `acme` and `globex`, read from the file that `TESSERA_QUICKSTART` names.
pub fn quickstart_tenants() -> Result<[Tenant; 2]> {
    let document: Value =
        serde_json::from_str(&fs::read_to_string(env::var("TESSERA_QUICKSTART")?)?)?;
    let tenant = |slug: &str| -> Result<Tenant> {
        let found = document["tenants"]
            .as_array()
            .and_then(|tenants| tenants.iter().find(|tenant| tenant["slug"] == slug))
            .with_context(|| format!("the quickstart has no tenant {slug}"))?;
        let text = |value: &Value| {
            value
                .as_str()
                .map(str::to_owned)
                .context("a field of the quickstart is missing")
        };
        Ok(Tenant {
            slug: slug.to_owned(),
            issuer: text(&found["issuer"])?,
            email: text(&found["users"][0]["email"])?,
            password: text(&found["users"][0]["password"])?,
        })
    };
    Ok([tenant("acme")?, tenant("globex")?])
}

/// Registers a web client by `tessera client create`.
pub fn register(
    tenant: &Tenant,
    redirect: &str,
    signed_out: &str,
    signing_alg: &str,
) -> Result<Registration> {
    let name = format!("openidconnect {signing_alg}");
    let metadata = json!({
        "client_name": name,
        "redirect_uris": [redirect],
        "post_logout_redirect_uris": [signed_out],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "openid profile email offline_access",
        "token_endpoint_auth_method": "client_secret_basic",
        "id_token_signed_response_alg": signing_alg,
    });
    let file = env::temp_dir().join(format!(
        "tessera-interop-client-{}.json",
        std::process::id()
    ));
    fs::write(&file, metadata.to_string())?;
    let done = Command::new(env::var("INTEROP_TESSERA")?)
        .args([
            "client",
            "create",
            "--tenant",
            &tenant.slug,
            "--name",
            &name,
            "--json",
            "--metadata-file",
        ])
        .arg(&file)
        .output()?;
    fs::remove_file(&file)?;
    ensure!(
        done.status.success(),
        "client create: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(serde_json::from_slice(&done.stdout)?)
}

/// Opens `url` in the browser whose cookies are in `jar`; returns the first address that starts with `until`.
pub fn open_in_browser(url: &str, until: &str, jar: &str, person: Option<&Tenant>) -> Result<Url> {
    let mut command = Command::new(env::var("INTEROP_PYTHON")?);
    command
        .arg(env::var("INTEROP_BROWSER")?)
        .args(["--jar", jar, "--until", until]);
    if let Some(person) = person {
        command
            .args(["--email", &person.email])
            .env("INTEROP_PASSWORD", &person.password);
    }
    let done = command.arg(url).output()?;
    ensure!(
        done.status.success(),
        "the browser says: {}",
        String::from_utf8_lossy(&done.stderr).trim()
    );
    Ok(Url::parse(String::from_utf8(done.stdout)?.trim())?)
}

/// The first query parameter of that name.
pub fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}
