//! Mutual TLS (RFC 8705): tokens that are bound to a certificate (§3, §4), and addresses at which certificates are asked for (§5).

use serde_json::{Value, json};

use super::mtls::{
    BY_ALIAS, BY_HEADER, HEADER, MACHINE, ask, client_of, machine, now, shown, trusting, web,
};
use super::seed::{Scene, text};
use crate::support::admin::Admin;
use crate::support::app::on_both;
use crate::support::certificates::{Identity, SUBJECT_TEXT, Wanted};
use crate::support::dpop::{Prover, with};
use crate::support::relying_party::{claims, header};

#[test]
#[expect(clippy::too_many_lines, reason = "one tenant for many refusals")]
fn tokens_are_bound_to_the_certificate() {
    on_both(BY_HEADER, |app| async move {
        let (mut scene, authority) = trusting(app).await;
        let wanted = Wanted::client(now(&scene));
        let (own, renewed, thief) = (
            authority.issue(&wanted),
            authority.issue(&wanted),
            Identity::self_signed(&wanted),
        );
        let prover = Prover::new(&scene.app.provider.clock);
        let userinfo = |token: &str| {
            scene
                .app
                .get(&scene.tenant.url("/userinfo"))
                .header("authorization", &format!("Bearer {token}"))
        };
        for form in ["jwt", "opaque"] {
            let rp = client_of(
                &scene.app,
                &scene.tenant,
                web(&json!({ "access_token_format": form })),
            )
            .await;
            scene.rp = rp.clone();
            let code = scene.code().await;
            let tokens = shown(rp.authenticated("/token", &rp.redemption(&code)), &own)
                .send()
                .await
                .expect_ok()
                .json();
            let (access, refresh) = (
                text(&tokens, "access_token"),
                text(&tokens, "refresh_token"),
            );
            assert_eq!(tokens["token_type"], "Bearer");
            if form == "jwt" {
                assert_eq!(
                    claims(access)["cnf"],
                    json!({ "x5t#S256": own.thumbprint() })
                );
            }
            let told = shown(
                rp.authenticated("/introspect", &[("token", access)]),
                &renewed,
            )
            .send()
            .await
            .expect_ok()
            .json();
            assert_eq!(
                (&told["active"], &told["token_type"], &told["cnf"]),
                (
                    &json!(true),
                    &json!("Bearer"),
                    &json!({ "x5t#S256": own.thumbprint() })
                )
            );
            shown(userinfo(access), &own).send().await.expect_ok();
            for request in [
                userinfo(access),
                shown(userinfo(access), &renewed),
                shown(userinfo(access), &thief),
            ] {
                let answer = request.send().await;
                assert!(
                    answer
                        .expect_error(401, "invalid_token")
                        .header("www-authenticate")
                        .is_some_and(|challenge| challenge.contains("certificate"))
                );
            }
            shown(userinfo(access), &own)
                .header(HEADER, &own.escaped())
                .send()
                .await
                .expect_error(400, "invalid_request");
            // As a token that is bound to a key it is none.
            let url = scene.tenant.url("/userinfo");
            let as_key = scene
                .app
                .get(&url)
                .header("authorization", &format!("DPoP {access}"))
                .header("dpop", &prover.beside("GET", &url, access));
            shown(as_key, &own)
                .send()
                .await
                .expect_error(401, "invalid_token");
            // A client that authenticates may change its certificate; what it gets is bound to that.
            let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
            let again = shown(rp.authenticated("/token", &form), &renewed)
                .send()
                .await
                .expect_ok()
                .json();
            assert_eq!(text(&again, "refresh_token"), refresh, "kept");
            shown(userinfo(text(&again, "access_token")), &renewed)
                .send()
                .await
                .expect_ok();
            shown(userinfo(text(&again, "access_token")), &own)
                .send()
                .await
                .expect_error(401, "invalid_token");
            // One or the other.
            let proof = prover.proof("POST", &scene.tenant.url("/token"));
            shown(
                rp.authenticated("/token", &form).header("dpop", &proof),
                &own,
            )
            .send()
            .await
            .expect_error(400, "invalid_request");
            let proof = prover.proof("POST", &scene.tenant.url("/par"));
            let refused = shown(rp.authenticated("/par", &[]).header("dpop", &proof), &own)
                .send()
                .await;
            assert!(
                refused
                    .expect_error(400, "invalid_request")
                    .body
                    .contains("DPoP")
            );
        }
        // By a secret, and bound all the same; without the certificate, nothing.
        let client = scene.app.client(&scene.tenant, machine(&json!({ "token_endpoint_auth_method": "client_secret_basic", "tls_client_certificate_bound_access_tokens": true }))).await;
        let rp = scene.with(&client);
        rp.token(&MACHINE)
            .await
            .expect_error(400, "invalid_request");
        let bound = ask(&rp, &thief).await.expect_ok().json();
        assert_eq!(
            claims(text(&bound, "access_token"))["cnf"],
            json!({ "x5t#S256": thief.thumbprint() })
        );
        // A client that authenticates by a certificate and binds its tokens to a key.
        let rp = client_of(&scene.app, &scene.tenant, machine(&json!({ "tls_client_auth_san_dns": "orders.example", "dpop_bound_access_tokens": true }))).await;
        ask(&rp, &own).await.expect_error(400, "invalid_dpop_proof");
        let proof = prover.proof("POST", &scene.tenant.url("/token"));
        let bound = shown(
            rp.authenticated("/token", &MACHINE).header("dpop", &proof),
            &own,
        )
        .send()
        .await
        .expect_ok()
        .json();
        assert_eq!(
            (
                &bound["token_type"],
                claims(text(&bound, "access_token"))["cnf"]["jkt"].clone()
            ),
            (&json!("DPoP"), json!(prover.jkt()))
        );
        // Not asked for, not bound.
        let rp = client_of(
            &scene.app,
            &scene.tenant,
            machine(&json!({ "tls_client_auth_san_dns": "orders.example" })),
        )
        .await;
        let free = ask(&rp, &own).await.expect_ok().json();
        assert_eq!(claims(text(&free, "access_token")).get("cnf"), None);
        // The administration.
        let api = format!("{}/api/v1", scene.app.root());
        let metadata = machine(
            &json!({ "tls_client_auth_san_dns": "orders.example", "scope": "tessera:admin", "tls_client_certificate_bound_access_tokens": true }),
        );
        let rp = client_of(&scene.app, &scene.tenant, metadata).await;
        let form = [MACHINE[0], ("scope", "tessera:admin"), ("resource", &api)];
        let token = shown(rp.authenticated("/token", &form), &own)
            .send()
            .await
            .expect_ok()
            .json();
        let me = || {
            scene
                .app
                .get(&format!("{api}/tenants/acme/clients"))
                .bearer(text(&token, "access_token"))
        };
        shown(me(), &own).send().await.expect_ok();
        assert_eq!(
            (
                me().send().await.status,
                shown(me(), &renewed).send().await.status
            ),
            (401, 401)
        );
    });
}

/// FAPI 2.0 Security Profile §5.3.2.1: clients authenticate by certificates of either kind, and their tokens are bound to those.
#[test]
fn a_flow_by_fapi_with_certificates() {
    on_both(BY_HEADER, |app| async move {
        let (scene, authority) = trusting(app).await;
        let wanted = Wanted::client(now(&scene));
        let (issued, own) = (authority.issue(&wanted), Identity::self_signed(&wanted));
        let profile = |more: Value| {
            with(
                json!({ "security_profile": "fapi2_security", "skip_consent": true }),
                &more,
            )
        };
        let mut self_signed = web(&profile(json!({
            "token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": { "keys": [own.jwk(true)] },
        })));
        let members = self_signed.as_object_mut().expect("an object");
        members.remove("tls_client_auth_subject_dn");
        for (identity, metadata) in [(&issued, web(&profile(json!({})))), (&own, self_signed)] {
            let rp = client_of(&scene.app, &scene.tenant, metadata).await;
            let parameters = rp.parameters(&[]);
            let others = parameters.iter().filter(|(name, _)| name != "client_id");
            let form: Vec<_> = others
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            rp.authenticated("/par", &form)
                .send()
                .await
                .expect_error(401, "invalid_client");
            let pushed = shown(rp.authenticated("/par", &form), identity)
                .send()
                .await;
            assert_eq!(pushed.status, 201, "{}", pushed.body);
            let mut browser = scene.app.browser();
            let page = browser
                .open(&rp.pushed_url(text(&pushed.json(), "request_uri"), &[]))
                .await;
            let page = browser.pass(page, &scene.user).await;
            let code = page.answer.location_param("code").expect("a code");
            let redeemed = shown(rp.authenticated("/token", &rp.redemption(&code)), identity)
                .send()
                .await;
            let tokens = redeemed.expect_ok().json();
            let access = text(&tokens, "access_token");
            assert_eq!(
                claims(access)["cnf"],
                json!({ "x5t#S256": identity.thumbprint() })
            );
            let bearer = format!("Bearer {access}");
            let userinfo = || {
                scene
                    .app
                    .get(&scene.tenant.url("/userinfo"))
                    .header("authorization", &bearer)
            };
            shown(userinfo(), identity).send().await.expect_ok();
            userinfo().send().await.expect_error(401, "invalid_token");
        }
        // Bound neither to the certificate nor to a key: nothing.
        let unbound = machine(&profile(
            json!({ "tls_client_auth_subject_dn": SUBJECT_TEXT }),
        ));
        let rp = client_of(&scene.app, &scene.tenant, unbound).await;
        ask(&rp, &issued).await.expect_error(400, "invalid_request");
    });
}

#[test]
#[expect(clippy::too_many_lines, reason = "one tenant for many refusals")]
fn a_public_clients_refresh_token_is_bound_to_its_certificate() {
    on_both(BY_HEADER, |app| async move {
        let mut scene = Scene::new(app).await;
        let wanted = Wanted::client(now(&scene));
        let (own, thief) = (
            Identity::self_signed(&wanted),
            Identity::self_signed(&wanted),
        );
        let metadata = web(
            &json!({ "token_endpoint_auth_method": "none", "tls_client_auth_subject_dn": null, "scope": "openid profile email offline_access" }),
        );
        let rp = client_of(&scene.app, &scene.tenant, metadata).await;
        scene.rp = rp.clone();
        let code = scene.code().await;
        rp.token(&rp.redemption(&code))
            .await
            .expect_error(400, "invalid_request");
        let tokens = shown(rp.authenticated("/token", &rp.redemption(&code)), &own)
            .send()
            .await
            .expect_ok()
            .json();
        let refresh = text(&tokens, "refresh_token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        // A thief without it gets nothing, and ends nothing.
        shown(rp.authenticated("/token", &form), &thief)
            .send()
            .await
            .expect_error(400, "invalid_grant");
        rp.token(&form).await.expect_error(400, "invalid_request");
        for _ in 0..2 {
            let again = shown(rp.authenticated("/token", &form), &own)
                .send()
                .await
                .expect_ok()
                .json();
            assert_eq!(
                text(&again, "refresh_token"),
                refresh,
                "nobody else could use it, so it is kept"
            );
        }
        let asking = scene.with(&scene.app.machine_client(&scene.tenant, "").await);
        assert_eq!(
            asking.introspect(refresh).await["cnf"],
            json!({ "x5t#S256": own.thumbprint() })
        );
        // What is bound is exchanged by whoever holds that and by nobody else, and what is exchanged is bound.
        let api = "https://api.example";
        scene.app.resource(&scene.tenant, api, &["read"]).await;
        let exchange = json!({
            "grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange", "client_credentials"], "response_types": [], "scope": "", "token_endpoint_auth_method": "client_secret_basic",
            "tls_client_certificate_bound_access_tokens": true, "token_exchange_targets": [api], "token_exchange_scope": "read",
        });
        let service = scene.with(&scene.app.client(&scene.tenant, exchange).await);
        let subject = |token: &str| {
            [
                (
                    "grant_type",
                    "urn:ietf:params:oauth:grant-type:token-exchange".to_owned(),
                ),
                ("subject_token", token.to_owned()),
                (
                    "subject_token_type",
                    "urn:ietf:params:oauth:token-type:access_token".to_owned(),
                ),
            ]
        };
        let bound = ask(&service, &own).await.expect_ok().json();
        let form = subject(text(&bound, "access_token"));
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let held = shown(service.authenticated("/token", &form), &own)
            .send()
            .await
            .expect_ok()
            .json();
        assert_eq!(
            claims(text(&held, "access_token"))["cnf"],
            json!({ "x5t#S256": own.thumbprint() })
        );
        shown(service.authenticated("/token", &form), &thief)
            .send()
            .await
            .expect_error(400, "invalid_request");
        // A client whose own tokens are free gets a bound one for a bound one, and only with the certificate.
        let id = service.client.id;
        let unbound = move |repo: &mut tessera::storage::Repo<'_>| {
            let mut client = repo.find_client(id)?.expect("a client");
            client.metadata.tls_client_certificate_bound_access_tokens = false;
            repo.update_client(&client)
        };
        assert!(scene.write(unbound).await);
        service
            .token(&form)
            .await
            .expect_error(400, "invalid_request");
        let held = shown(service.authenticated("/token", &form), &own)
            .send()
            .await
            .expect_ok()
            .json();
        assert_eq!(
            claims(text(&held, "access_token"))["cnf"],
            json!({ "x5t#S256": own.thumbprint() })
        );
        let bound_again = move |repo: &mut tessera::storage::Repo<'_>| {
            let mut client = repo.find_client(id)?.expect("a client");
            client.metadata.tls_client_certificate_bound_access_tokens = true;
            repo.update_client(&client)
        };
        assert!(scene.write(bound_again).await);
        // A person's token that isn't bound, for this service.
        let metadata = json!({ "redirect_uris": ["https://plain.example/callback"], "scope": "openid", "token_endpoint_auth_method": "client_secret_basic", "default_audience": api });
        scene.rp = scene
            .with(&scene.app.client(&scene.tenant, metadata).await)
            .with_scope("openid");
        let plain = scene.tokens().await;
        let id = service.client.id;
        let change = move |repo: &mut tessera::storage::Repo<'_>| {
            let mut client = repo.find_client(id)?.expect("a client");
            client.metadata.token_exchange_subjects = vec![api.to_owned()];
            repo.update_client(&client)
        };
        assert!(scene.write(change).await);
        let form = subject(text(&plain, "access_token"));
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        service
            .token(&form)
            .await
            .expect_error(400, "invalid_request");
        let exchanged = shown(service.authenticated("/token", &form), &own)
            .send()
            .await
            .expect_ok()
            .json();
        assert_eq!(
            claims(text(&exchanged, "access_token"))["cnf"],
            json!({ "x5t#S256": own.thumbprint() })
        );
    });
}

#[test]
#[expect(clippy::too_many_lines, reason = "one tenant for many refusals")]
fn an_address_of_its_own_serves_what_services_call() {
    on_both(BY_ALIAS, |app| async move {
        let (scene, authority) = trusting(app).await;
        let (alias, globex) = (
            "https://mtls.id.example/t/acme",
            scene.app.tenant("globex").await,
        );
        let identity = authority.issue(&Wanted::client(now(&scene)));
        scene
            .app
            .change_settings(&scene.tenant, |settings| {
                settings.backchannel_authentication = true;
            })
            .await;
        let told = scene
            .app
            .get(&scene.tenant.url("/.well-known/openid-configuration"))
            .send()
            .await
            .expect_ok()
            .json();
        let aliases = told["mtls_endpoint_aliases"].as_object().expect("aliases");
        assert_eq!(aliases["token_endpoint"], format!("{alias}/token"));
        assert_eq!(told["tls_client_certificate_bound_access_tokens"], true);
        let methods = |told: &Value| told["token_endpoint_auth_methods_supported"].to_string();
        assert!(
            methods(&told).contains("\"tls_client_auth\"")
                && methods(&told).contains("self_signed")
        );
        for (name, url) in aliases {
            let url = url.as_str().expect("a URL");
            assert!(
                told[name]
                    .as_str()
                    .is_some_and(|own| own.strip_prefix("https://id.example")
                        == url.strip_prefix("https://mtls.id.example")),
                "{name}"
            );
            let answer = scene.app.post(url, &[]).send().await;
            assert!(
                [400, 401].contains(&answer.status),
                "{name}: {}",
                answer.status
            );
        }
        // A tenant that trusts nobody announces no method that couldn't work.
        let theirs = scene
            .app
            .get(&globex.url("/.well-known/openid-configuration"))
            .send()
            .await
            .expect_ok()
            .json();
        assert!(
            !methods(&theirs).contains("\"tls_client_auth\"")
                && methods(&theirs).contains("self_signed")
        );
        for path in [
            "/login",
            "/authorize",
            "/.well-known/openid-configuration",
            "/jwks",
            "/register",
            "/console",
            "",
        ] {
            assert_eq!(
                scene.app.get(&format!("{alias}{path}")).send().await.status,
                404,
                "{path}"
            );
        }
        assert_eq!(
            scene
                .app
                .get("https://mtls.id.example/api/docs")
                .send()
                .await
                .status,
            404
        );
        assert_eq!(
            scene
                .app
                .get("https://mtls.id.example/api/v1/me")
                .send()
                .await
                .status,
            401
        );
        assert_eq!(
            scene
                .app
                .post("https://mtls.id.example/t/nobody/token", &MACHINE)
                .send()
                .await
                .status,
            404
        );
        // Whatever is asked there is asked of the same issuer.
        let prover = Prover::new(&scene.app.provider.clock);
        let client = client_of(
            &scene.app,
            &scene.tenant,
            machine(&json!({ "tls_client_auth_san_dns": "orders.example" })),
        )
        .await;
        let id = client.client.client_id();
        let request = || {
            scene
                .app
                .post(&format!("{alias}/token"), &[MACHINE[0], ("client_id", &id)])
                .header("client-cert", &identity.sequence())
        };
        let tokens = request().send().await.expect_ok().json();
        assert_eq!(
            claims(text(&tokens, "access_token"))["iss"],
            scene.tenant.issuer
        );
        assert_eq!(header(text(&tokens, "access_token"))["typ"], "at+jwt");
        // A proof names the address to which it is sent.
        let proof = prover.proof("POST", &format!("{alias}/token"));
        request().header("dpop", &proof).send().await.expect_ok();
        request()
            .header("dpop", &prover.proof("POST", &scene.tenant.url("/token")))
            .send()
            .await
            .expect_error(400, "invalid_dpop_proof");
        // An assertion may be for the alias of the token endpoint, and for no other's.
        let key = tessera::jose::keys::SigningKey::generate(
            tessera::protocol::SigningAlgorithm::Es256,
            tessera::jose::keys::RsaBits::default(),
        )
        .expect("a key")
        .key;
        let metadata = machine(
            &json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [key.public_jwk()] } }),
        );
        let signer = scene.app.client(&scene.tenant, metadata).await.client_id();
        for (audience, status) in [
            (format!("{alias}/token"), 200),
            ("https://mtls.id.example/t/globex/token".to_owned(), 401),
            (alias.to_owned(), 401),
        ] {
            let claims = json!({ "iss": signer, "sub": signer, "aud": audience, "exp": now(&scene) + 60, "jti": tessera::clock::Clock::system().uuid_v4() });
            let assertion = key.sign_jwt("JWT", &claims).expect("signed");
            let form = [
                MACHINE[0],
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ),
                ("client_assertion", &assertion),
            ];
            assert_eq!(
                scene
                    .app
                    .post(&format!("{alias}/token"), &form)
                    .send()
                    .await
                    .status,
                status,
                "{audience}"
            );
        }
    });
}

/// What `docs/src/mutual-tls.md` shows is what happens.
#[test]
fn the_page_says_what_happens() {
    const PAGE: &str = include_str!("../../../docs/src/mutual-tls.md");
    on_both(BY_ALIAS, |app| async move {
        let (scene, authority) = trusting(app).await;
        let blocks = |language: &str| {
            let fence = format!("```{language}\n");
            let blocks = PAGE.split(&fence).skip(1);
            blocks
                .map(|rest| rest.split("\n```").next().unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
        };
        let documents: Vec<Value> = blocks("json")
            .iter()
            .map(|block| serde_json::from_str(block).expect("JSON"))
            .collect();
        let [aliases, metadata, binding] = documents.try_into().expect("three documents");
        let [setting, curl, lists] = blocks("sh").try_into().expect("three commands");
        assert!(lists.contains("--set client_certificate_revocation_lists="));
        let told = scene
            .app
            .get(&scene.tenant.url("/.well-known/openid-configuration"))
            .send()
            .await
            .expect_ok()
            .json();
        let shown = told["mtls_endpoint_aliases"]
            .to_string()
            .replace("mtls.id.example", "mtls.example.com");
        assert_eq!(
            serde_json::from_str::<Value>(&shown).expect("JSON"),
            aliases["mtls_endpoint_aliases"]
        );
        let name = setting
            .split_once("--set ")
            .and_then(|(_, rest)| rest.split_once('='))
            .expect("a setting")
            .0;
        let settings = serde_json::to_value(tessera::domain::settings::TenantSettings::default())
            .expect("JSON");
        assert_eq!(settings[name], "");
        let made = Admin::program(&scene.app, &scene.tenant)
            .await
            .post("/tenants/acme/clients", &metadata)
            .await;
        assert_eq!(made.status, 201, "{}", made.body);
        let id = text(&made.json(), "client_id").to_owned();
        let url = curl
            .split_whitespace()
            .find(|word| word.starts_with("https://"))
            .expect("an address")
            .replace("mtls.example.com", "mtls.id.example");
        let words: Vec<&str> = curl.split_whitespace().collect();
        let form: Vec<(&str, &str)> = words
            .windows(2)
            .filter(|pair| pair[0] == "-d")
            .map(|pair| pair[1].split_once('=').expect("a parameter"))
            .collect();
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| {
                (
                    *name,
                    if *value == "$CLIENT_ID" {
                        id.as_str()
                    } else {
                        *value
                    },
                )
            })
            .collect();
        let identity = authority.issue(&Wanted::client(now(&scene)));
        let answer = scene
            .app
            .post(&url, &form)
            .header("client-cert", &identity.sequence())
            .send()
            .await
            .expect_ok()
            .json();
        let cnf = &claims(text(&answer, "access_token"))["cnf"];
        let names = |value: &Value| {
            value
                .as_object()
                .expect("an object")
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (names(cnf), answer["token_type"].as_str()),
            (names(&binding["cnf"]), Some("Bearer"))
        );
    });
}
