//! Requests by the back channel (OpenID Connect CIBA) that their person has allowed, for the row that comes for their tokens. A person answers on a
//! page, and nobody answers thousands of them: that is written into the database, as the server would.

use std::time::Duration;

use diesel::connection::{Connection as _, SimpleConnection as _};
use diesel::sqlite::SqliteConnection;
use serde_json::json;

use crate::Result;
use crate::load::ask_all;
use crate::scene::{Client, EMAIL, Scene, run};
use crate::wire::post;

const GRANT: &str = "urn:openid:params:grant-type:ciba";
/// As many may wait for one person at a time, by the tenant's settings below.
const WAITING: usize = 20;

/// The person allows all that waits, in the session that was the last to begin; and what has been asked is forgotten, as nobody is asked so often.
const ALLOW: &str = "
    BEGIN IMMEDIATE;
    INSERT INTO grants (tenant_id, id, user_id, client_id, session_id, issuer, scope, resources, auth_time, amr, offline, code_hash, code_expires_at,
        created_at, expires_at)
    SELECT tenant_id, id, user_id, client_id, (SELECT id FROM sessions WHERE sessions.tenant_id = asked.tenant_id AND sessions.user_id = asked.user_id
        ORDER BY id DESC LIMIT 1), issuer, scope, resources, created_at, 'pwd', 1, proof_hash, expires_at, created_at, '2099-01-01T00:00:00.000000Z'
    FROM backchannel_requests AS asked WHERE allowed_at IS NULL;
    UPDATE backchannel_requests SET allowed_at = created_at WHERE allowed_at IS NULL;
    DELETE FROM login_failures;
    COMMIT;";

/// A client that may ask people, in a tenant where they are asked.
pub fn asking(scene: &Scene) -> Result<Client> {
    let settings = [
        "backchannel_authentication=true",
        "backchannel_request_limit=20",
        "backchannel_request_rate=1000",
        "backchannel_request_lifetime=1800",
    ];
    let mut arguments = vec!["tenant", "update", "acme"];
    for setting in &settings {
        arguments.extend(["--set", setting]);
    }
    run(scene.environment(), "", &arguments)?;
    let metadata = json!({
        "client_name": "Call centre", "grant_types": [GRANT, "refresh_token"], "backchannel_token_delivery_mode": "poll",
        "scope": "openid profile offline_access",
    });
    let arguments = [
        "client",
        "create",
        "--tenant",
        "acme",
        "--metadata-file",
        "-",
    ];
    let made = run(scene.environment(), &metadata.to_string(), &arguments)?;
    let text = |member: &str| made[member].as_str().unwrap_or_default().to_owned();
    // A running server has heard of both within a second.
    std::thread::sleep(Duration::from_millis(1500));
    Ok(Client {
        id: text("client_id"),
        secret: text("client_secret"),
    })
}

/// Polls of requests that are allowed, each good once.
pub fn polls(scene: &Scene, client: &Client, count: usize) -> Result<Vec<Vec<u8>>> {
    scene.sign_in(&scene.web)?;
    let file = scene.folder().join("tessera.db");
    let mut database = SqliteConnection::establish(&file.display().to_string())?;
    database.batch_execute("PRAGMA busy_timeout = 5000")?;
    let asking = post(
        &scene.host,
        &scene.path("/backchannel_authentication"),
        &client.header(),
        &[
            ("scope", "openid profile offline_access"),
            ("login_hint", EMAIL),
        ],
    );
    let mut polls = Vec::with_capacity(count + WAITING);
    while polls.len() < count {
        let answers = ask_all(scene.server.port, vec![asking.clone(); WAITING])?;
        for answer in &answers {
            let name = answer.text("auth_req_id")?;
            polls.push(post(
                &scene.host,
                &scene.path("/token"),
                &client.header(),
                &[("grant_type", GRANT), ("auth_req_id", &name)],
            ));
        }
        database.batch_execute(ALLOW)?;
    }
    Ok(polls)
}
