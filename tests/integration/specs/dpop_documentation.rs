//! What `docs/src/dpop.md` shows is what happens: its proofs, its requests and its answers, sent and compared.

use serde_json::{Value, json};

use super::seed::{Scene, text};
use crate::support::app::app_test;
use crate::support::dpop::{Prover, hash, with};
use crate::support::relying_party::claims;

const PAGE: &str = include_str!("../../../docs/src/dpop.md");

/// The blocks of one language, in their order.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    PAGE.split(&fence)
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap_or_default())
        .collect()
}

fn documents() -> Vec<Value> {
    blocks("json")
        .into_iter()
        .map(|block| serde_json::from_str(block).expect("JSON"))
        .collect()
}

fn names(document: &Value) -> Vec<&str> {
    let mut names: Vec<_> = document
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}

/// The form of a command's `-d` options.
fn form(command: &str) -> Vec<(String, String)> {
    let words: Vec<&str> = command.split_whitespace().collect();
    words
        .windows(2)
        .filter(|pair| pair[0] == "-d")
        .map(|pair| pair[1].split_once('=').expect("a parameter"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

app_test! {
    async fn the_page_says_what_happens(app: TestApp) {
        let scene = Scene::new(app).await;
        let prover = Prover::new(&scene.app.provider.clock);
        let [header, of_token, answer, binding, of_resource] = documents().try_into().expect("five documents");
        let [token, userinfo, demand] = blocks("sh").try_into().expect("three commands");
        // The proof, with a key, an address and a time of this test in the place of the page's.
        assert_eq!(names(&header), names(&prover.header()));
        assert_eq!(names(&header["jwk"]), names(&prover.jwk));
        let header = with(header, &json!({ "jwk": prover.jwk }));
        let here = |claims: &Value| {
            let htu = claims["htu"].as_str().expect("an address").replace("https://id.example.com/t/acme", &scene.tenant.issuer);
            with(claims.clone(), &json!({ "htu": htu, "iat": scene.app.provider.clock.unix() }))
        };
        let proof = prover.sign(&header, &here(&of_token));
        // The request and its answer.
        assert!(token.contains("$ISSUER/token") && token.contains("DPoP: $PROOF"));
        let machine = scene.with(&scene.app.machine_client(&scene.tenant, "").await);
        let form = form(token);
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let given = machine.with_proof(&proof, &form).await.expect_ok();
        assert!(given.header("dpop-nonce").is_some());
        let given = given.json();
        assert_eq!(names(&given), names(&answer));
        assert_eq!((&given["token_type"], &given["expires_in"]), (&answer["token_type"], &answer["expires_in"]));
        let bound = claims(text(&given, "access_token"));
        assert_eq!((names(&bound["cnf"]), bound["cnf"]["jkt"].as_str()), (names(&binding["cnf"]), Some(prover.jkt().as_str())));
        // A person's token, as the page has it presented.
        let code = scene.code().await;
        let tokens = scene.rp.proved(&prover, &scene.rp.redemption(&code)).await.expect_ok().json();
        let access = text(&tokens, "access_token");
        assert!(userinfo.contains("$ISSUER/userinfo") && userinfo.contains("Authorization: DPoP $ACCESS_TOKEN"));
        let proof = prover.sign(&header, &with(here(&of_resource), &json!({ "ath": hash(access) })));
        let ask = || scene.app.get(&scene.tenant.url("/userinfo")).header("authorization", &format!("DPoP {access}"));
        ask().header("dpop", &proof).send().await.expect_ok();
        // The refusal, word by word.
        let refused = ask().send().await;
        let [shown] = blocks("").into_iter().filter(|block| block.starts_with("HTTP/1.1")).collect::<Vec<_>>().try_into().expect("one answer");
        let (status, challenge) = shown.split_once('\n').expect("two lines");
        assert_eq!(status, format!("HTTP/1.1 {} Unauthorized", refused.status));
        let challenge = challenge.trim_end().replace("https://id.example.com/t/acme", &scene.tenant.issuer);
        assert_eq!(challenge, format!("WWW-Authenticate: {}", refused.header("www-authenticate").expect("a challenge")));
        // The setting's name and its bounds.
        let setting = demand.split_once("--set ").and_then(|(_, rest)| rest.split_once('=')).expect("a setting").0;
        let settings = serde_json::to_value(tessera::domain::settings::TenantSettings::default()).expect("JSON");
        assert_eq!((&settings[setting], &settings["dpop_proof_leeway"]), (&json!(false), &json!(30)));
    }
}
