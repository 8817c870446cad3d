//! `tessera client` and `tessera resource`.

use serde_json::{Value, json};

use crate::support::command::{Installation, command_test, words};
use crate::support::secrets::expect_not_kept;

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// The commands of a page that begin so, each with what it reads.
fn commands_of(page: &str, beginning: &str, client_id: &str) -> Vec<(Vec<String>, String)> {
    let lines = page.lines().filter(|line| line.starts_with(beginning));
    lines
        .map(|line| {
            let mut words = words(&line.replace("$CLIENT_ID", client_id)).split_off(1);
            let at = words.iter().position(|word| word == "<<<");
            let input = at.map(|at| words.split_off(at).split_off(1).concat());
            (words, input.unwrap_or_default())
        })
        .collect()
}

command_test! {
    fn a_web_client_is_what_one_gets_without_options(here: Installation) {
        here.tenant("acme");
        let made = here.json(&["client", "create", "--tenant", "acme", "--name", "Shop", "--redirect-uri", "https://shop.example/cb"]);
        assert_eq!(made["client_name"], "Shop");
        assert_eq!(made["redirect_uris"], json!(["https://shop.example/cb"]));
        assert_eq!(made["token_endpoint_auth_method"], "client_secret_basic");
        assert_eq!(made["grant_types"], json!(["authorization_code", "refresh_token"]));
        assert_eq!(made["response_types"], json!(["code"]));
        assert_eq!(made["scope"], "openid profile email offline_access");
        assert_eq!(made["id_token_signed_response_alg"], "ES256");
        assert_eq!(made["require_pkce"], true);
        assert_eq!(made["client_secret_expires_at"], 0);
        assert!(text(&made["client_secret"]).starts_with("tscs_"));
        assert!(made["client_id_issued_at"].is_i64());
        let shown = here.json(&["client", "show", "--tenant", "acme", text(&made["client_id"])]);
        assert_eq!(shown.get("client_secret"), None, "a secret is shown once");
        assert_eq!(shown["client_id"], made["client_id"]);
        expect_not_kept(&mut here.raw(), "clients", text(&made["client_secret"]));
        assert_eq!(here.events("acme", "client.created"), 1);
        assert!(here.ok(&["client", "list", "--tenant", "acme"]).contains("Shop"));
    }

    fn public_and_machine_clients(here: Installation) {
        here.tenant("acme");
        let public = here.json(&["client", "create", "--tenant", "acme", "--name", "App", "--public", "--redirect-uri", "http://127.0.0.1/cb"]);
        assert_eq!(public["token_endpoint_auth_method"], "none");
        assert_eq!(public.get("client_secret"), None);
        here.json(&["resource", "create", "--tenant", "acme", "--identifier", "https://notes.example", "--scope", "notes:read", "--scope", "notes:write"]);
        let machine = here.json(&[
            "client", "create", "--tenant", "acme", "--name", "Nightly", "--grant-type", "client_credentials", "--scope", "notes:read", "--scope", "notes:write",
        ]);
        assert_eq!(machine["grant_types"], json!(["client_credentials"]));
        assert_eq!(machine["scope"], "notes:read notes:write");
        assert_eq!(machine["response_types"], json!([]));
        let bare = here.json(&["client", "create", "--tenant", "acme", "--name", "Bare", "--grant-type", "client_credentials"]);
        assert_eq!(bare["scope"], "");
    }

    fn response_types_are_named_with_their_grants(here: Installation) {
        here.tenant("acme");
        let create = ["client", "create", "--tenant", "acme", "--name", "Board", "--redirect-uri", "https://board.example/cb", "--grant-type", "implicit"];
        here.refused(&create, "invalid_value");
        let made = here.json(&[&create[..], &["--response-type", "token id_token", "--response-type", "id_token"]].concat());
        assert_eq!((&made["response_types"], &made["scope"]), (&json!(["id_token token", "id_token"]), &json!("openid profile email")));
        let id = text(&made["client_id"]);
        let update = |more: &[&'static str]| {
            let mut all = vec!["client", "update", "--tenant", "acme", id];
            all.extend_from_slice(more);
            all
        };
        here.refused(&update(&["--response-type", "code id_token"]), "invalid_value");
        let changed = here.json(&update(&["--response-type", "code id_token", "--grant-type", "implicit", "--grant-type", "authorization_code"]));
        assert_eq!(changed["response_types"], json!(["code id_token"]));
        let back = here.json(&update(&["--grant-type", "authorization_code"]));
        assert_eq!(back["response_types"], json!(["code"]));
        here.ok(&["tenant", "update", "acme", "--set", "front_channel_tokens=false"]);
        here.refused(&update(&["--response-type", "id_token", "--grant-type", "implicit"]), "invalid_value");
    }

    fn a_client_that_people_come_back_to_says_where(here: Installation) {
        here.tenant("acme");
        let create = ["client", "create", "--tenant", "acme", "--name", "Shop"];
        for more in [&[][..], &["--public"], &["--grant-type", "implicit"]] {
            let said = here.misused(&[&create[..], more].concat());
            assert!(said.contains("--redirect-uri"), "{said}");
        }
        here.json(&[&create[..], &["--grant-type", "client_credentials"]].concat());
    }

    fn an_initial_access_token_is_shown_once(here: Installation) {
        here.tenant("acme");
        let made = here.json(&["client", "initial-access-token", "--tenant", "acme", "--name", "Partners", "--max-uses", "3", "--expires-in", "3600"]);
        assert!(text(&made["token"]).starts_with("tsit_") && text(&made["registration_endpoint"]).ends_with("/t/acme/register"), "{made}");
        assert_eq!((&made["name"], &made["max_uses"]), (&json!("Partners"), &json!(3)));
        let kept = here.raw().texts("SELECT name || ' ' || CAST(max_uses AS text) AS value FROM initial_access_tokens");
        assert_eq!(kept, ["Partners 3"]);
        expect_not_kept(&mut here.raw(), "initial_access_tokens", text(&made["token"]));
        assert_eq!(here.events("acme", "initial_access_token.created"), 1);
        // Whoever makes one is told that it is of no use yet.
        let told = here.ok(&["client", "initial-access-token", "--tenant", "acme", "--name", "Partners"]);
        assert!(told.contains("tsit_") && told.contains("`closed`"), "{told}");
        here.ok(&["tenant", "update", "acme", "--set", "registration=token"]);
        assert!(!here.ok(&["client", "initial-access-token", "--tenant", "acme", "--name", "Partners"]).contains("`closed`"));
        here.refused(&["client", "initial-access-token", "--tenant", "acme", "--name", "Partners", "--max-uses", "0"], "invalid_value");
        let listed = here.json(&["client", "initial-access-tokens", "--tenant", "acme"]);
        let items = listed["initial_access_tokens"].as_array().expect("a list");
        assert_eq!((items.len(), &items[0]["name"], &items[0]["uses"], &items[0]["id"]), (3, &json!("Partners"), &json!(0), &made["id"]));
        assert!(!listed.to_string().contains("tsit_"), "{listed}");
        here.ok(&["client", "revoke-initial-access-token", "--tenant", "acme", text(&made["id"])]);
        here.refused(&["client", "revoke-initial-access-token", "--tenant", "acme", text(&made["id"])], "not_found");
        assert_eq!(here.events("acme", "initial_access_token.revoked"), 1);
        assert_eq!(here.json(&["client", "initial-access-tokens", "--tenant", "acme"])["initial_access_tokens"].as_array().map(Vec::len), Some(2));
        here.refused(&["tenant", "update", "acme", "--set", "registration=ajar"], "invalid_value");
    }

    fn metadata_is_taken_strictly(here: Installation) {
        here.tenant("acme");
        let create = |document: &Value| {
            let file = here.file("metadata.json", &document.to_string());
            ["client", "create", "--tenant", "acme", "--metadata-file", &file].map(ToOwned::to_owned).to_vec()
        };
        let refused = |document: Value| {
            let arguments = create(&document);
            here.refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), "invalid_value")
        };
        let good = json!({
            "client_name": "Shop", "redirect_uris": ["https://shop.example/cb"], "grant_types": ["authorization_code"], "scope": "openid email",
            "id_token_signed_response_alg": "RS256", "skip_consent": true, "contacts": null,
        });
        let arguments = create(&good);
        let made = here.json(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((&made["scope"], &made["skip_consent"]), (&json!("openid email"), &json!(true)));
        let keys = here.json(&["key", "list", "--tenant", "acme"]);
        assert!(keys.to_string().contains("RS256"), "its ID tokens' key is published before the first sign-in: {keys}");
        let with = |name: &str, value: Value| {
            let mut document = good.clone();
            document[name] = value;
            document
        };
        assert!(refused(with("redirct_uris", json!([]))).contains("redirct_uris"));
        assert!(refused(with("redirect_uris", json!(["https://shop.example/cb#x"]))).contains("redirect_uris"));
        assert!(refused(with("redirect_uris", json!(["javascript:alert(1)"]))).contains("redirect_uris"));
        assert!(refused(with("redirect_uris", json!([]))).contains("redirect_uris"));
        assert!(refused(with("grant_types", json!(["password"]))).contains("grant_types"));
        assert!(refused(with("scope", json!("openid notes:read"))).contains("give it to one first"));
        assert!(refused(with("resources", json!(["https://unknown.example"]))).contains("resources"));
        assert!(refused(with("jwks_uri", json!("http://10.0.0.1/jwks"))).contains("jwks_uri"));
        assert!(refused(with("client_id", json!("mine"))).contains("client_id"));
        assert!(refused(with("client_secret", json!("mine"))).contains("client_secret"));
        let broken = here.file("broken.json", "{");
        here.refused(&["client", "create", "--tenant", "acme", "--metadata-file", &broken], "unreadable_file");
        here.refused(&["client", "create", "--tenant", "acme", "--metadata-file", "nowhere"], "unreadable_file");
        let list = here.file("list.json", "[]");
        here.refused(&["client", "create", "--tenant", "acme", "--metadata-file", &list], "invalid_value");
        here.json_with(&good.to_string(), &["client", "create", "--tenant", "acme", "--metadata-file", "-", "--name", "From input"]);
        assert_eq!(here.events("acme", "client.created"), 2);
    }

    fn a_client_is_changed(here: Installation) {
        here.tenant("acme");
        let made = here.json(&["client", "create", "--tenant", "acme", "--name", "Shop", "--redirect-uri", "https://shop.example/cb"]);
        let id = text(&made["client_id"]).to_owned();
        let update = |arguments: &[&str]| here.json(&[&["client", "update", "--tenant", "acme", &id], arguments].concat());
        let changed = update(&["--name", "Store", "--redirect-uri", "https://store.example/cb"]);
        assert_eq!((&changed["client_name"], &changed["redirect_uris"]), (&json!("Store"), &json!(["https://store.example/cb"])));
        assert_eq!(changed["scope"], made["scope"], "the rest stays");
        assert_eq!(changed.get("client_secret"), None);
        // What was shown may be edited and given back.
        let mut document = here.json(&["client", "show", "--tenant", "acme", &id]);
        document["token_endpoint_auth_method"] = json!("none");
        let changed = update(&["--metadata-file", &here.file("edited.json", &document.to_string())]);
        assert_eq!(changed["token_endpoint_auth_method"], "none");
        document["client_id"] = json!("another");
        let other = here.file("other.json", &document.to_string());
        here.refused(&["client", "update", "--tenant", "acme", &id, "--metadata-file", &other], "invalid_value");
        here.misused(&["client", "update", "--tenant", "acme", &id]);
        here.refused(&["client", "update", "--tenant", "acme", &id, "--redirect-uri", "nothing"], "invalid_value");
        // A public client that becomes confidential gets a secret.
        let public = here.json(&["client", "create", "--tenant", "acme", "--name", "App", "--public", "--redirect-uri", "https://app.example/cb"]);
        let mut document = here.json(&["client", "show", "--tenant", "acme", text(&public["client_id"])]);
        document["token_endpoint_auth_method"] = json!("client_secret_post");
        let file = here.file("confidential.json", &document.to_string());
        let changed = here.json(&["client", "update", "--tenant", "acme", text(&public["client_id"]), "--metadata-file", &file]);
        assert!(text(&changed["client_secret"]).starts_with("tscs_"));
        assert_eq!(here.events("acme", "client.updated"), 3);
    }

    fn a_file_changes_what_it_names_as_the_pages_print_it(here: Installation) {
        here.tenant("acme");
        let spa = here.json(&["client", "create", "--tenant", "acme", "--name", "App", "--public", "--redirect-uri", "https://app.example/cb", "--scope", "openid"]);
        let centre = here.json(&[
            "client", "create", "--tenant", "acme", "--name", "Call centre", "--grant-type", "urn:openid:params:grant-type:ciba", "--backchannel-token-delivery-mode", "poll",
        ]);
        for (page, made, field) in [
            (include_str!("../../../docs/src/developers.md"), &spa, "popup_sign_in"),
            (include_str!("../../../docs/src/ciba.md"), &centre, "backchannel_user_code_parameter"),
        ] {
            let commands = commands_of(page, "tessera client update", text(&made["client_id"]));
            let [(arguments, input)] = &commands[..] else { panic!("{field}: {commands:?}") };
            assert_ne!(made[field], true, "{field}");
            let mut changed = here.json_with(input, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(changed[field], true, "{field}");
            // Name, scope, where it comes back to, how it proves who it is: all of it stays.
            let mut before = made.clone();
            for document in [&mut before, &mut changed] {
                let members = document.as_object_mut().expect("an object");
                members.retain(|name, _| name != field && !name.starts_with("client_secret"));
            }
            assert_eq!(changed, before, "{field}");
        }
        let update = |input: &str, more: &[&str]| here.json_with(input, &[&["client", "update", "--tenant", "acme", text(&spa["client_id"]), "--metadata-file", "-"], more].concat());
        let changed = update(r#"{"client_uri":"https://app.example/","client_name":"Mine"}"#, &["--name", "Board"]);
        assert_eq!((&changed["client_uri"], &changed["client_name"]), (&json!("https://app.example/"), &json!("Board")), "the options are over the file");
        let changed = update(r#"{"client_uri":null}"#, &[]);
        assert_eq!((changed.get("client_uri"), &changed["client_name"]), (None, &json!("Board")));
    }

    fn tokens_are_for_the_only_api_whose_scopes_a_client_has(here: Installation) {
        here.tenant("acme");
        let page = include_str!("../../../docs/src/developers.md");
        let section = page.split("\n## ").find(|section| section.starts_with("A machine\n")).expect("the section");
        let commands = commands_of(section, "tessera ", "");
        let made: Vec<Value> = commands.iter().map(|(arguments, _)| here.json(&arguments.iter().map(String::as_str).collect::<Vec<_>>())).collect();
        let [api, machine] = &made[..] else { panic!("{commands:?}") };
        assert_eq!(machine["default_audience"], api["identifier"]);
        here.json(&["resource", "create", "--tenant", "acme", "--identifier", "https://bills.example", "--scope", "bills:read", "--scope", "shared"]);
        here.json(&["resource", "create", "--tenant", "acme", "--identifier", "https://stock.example", "--scope", "shared"]);
        let create = |scopes: &[&str]| {
            let mut arguments = vec!["client", "create", "--tenant", "acme", "--name", "X", "--redirect-uri", "https://x.example/cb"];
            arguments.extend(scopes.iter().flat_map(|scope| ["--scope", *scope]));
            here.json(&arguments)["default_audience"].clone()
        };
        assert_eq!(create(&["openid", "bills:read"]), "https://bills.example");
        for scopes in [&["openid"][..], &["openid", "bills:read", "notes:read"], &["openid", "shared"], &["openid", "bills:read", "tessera:admin"]] {
            assert_eq!(create(scopes), Value::Null, "{scopes:?}");
        }
        // A file says all that there is to say.
        let file = here.file("job.json", &json!({ "client_name": "Job", "grant_types": ["client_credentials"], "scope": "bills:read" }).to_string());
        assert_eq!(here.json(&["client", "create", "--tenant", "acme", "--metadata-file", &file]).get("default_audience"), None);
    }

    fn a_client_outlives_the_api_whose_scope_it_has(here: Installation) {
        here.tenant("acme");
        here.json(&["resource", "create", "--tenant", "acme", "--identifier", "https://a.example", "--scope", "a:r"]);
        let made = here.json(&["client", "create", "--tenant", "acme", "--name", "Job", "--grant-type", "client_credentials", "--scope", "a:r"]);
        let deleted = here.json(&["resource", "delete", "--tenant", "acme", "--identifier", "https://a.example"]);
        assert_eq!(deleted["dependent_clients"], json!([{ "client_id": made["client_id"], "client_name": "Job" }]));
        let update = ["client", "update", "--tenant", "acme", text(&made["client_id"])];
        let changed = here.json(&[&update[..], &["--name", "X"]].concat());
        assert_eq!((&changed["client_name"], &changed["scope"]), (&json!("X"), &json!("a:r")));
        here.refused(&[&update[..], &["--scope", "a:r", "--scope", "a:w"]].concat(), "invalid_value");
        here.json(&[&update[..], &["--metadata-file", &here.file("none.json", r#"{"scope":""}"#)]].concat());
        here.refused(&[&update[..], &["--scope", "a:r"]].concat(), "invalid_value");
    }

    fn secrets_are_rotated_and_clients_deleted(here: Installation) {
        here.tenant("acme");
        here.tenant("globex");
        let made = here.json(&["client", "create", "--tenant", "acme", "--name", "Shop", "--redirect-uri", "https://shop.example/cb"]);
        let id = text(&made["client_id"]);
        let rotated = here.json(&["client", "rotate-secret", "--tenant", "acme", id]);
        assert_ne!(rotated["client_secret"], made["client_secret"]);
        assert!(rotated["previous_secret_accepted_until"].is_string(), "by default the old one holds for a day");
        let rotated = here.json(&["client", "rotate-secret", "--tenant", "acme", id, "--overlap", "0"]);
        assert_eq!(rotated["previous_secret_accepted_until"], Value::Null);
        assert_eq!(here.raw().texts("SELECT CAST(count(*) AS text) AS value FROM clients WHERE previous_secret_hash IS NOT NULL"), ["0"]);
        here.refused(&["client", "rotate-secret", "--tenant", "acme", id, "--overlap", "99999999"], "invalid_value");
        let public = here.json(&["client", "create", "--tenant", "acme", "--name", "App", "--public", "--redirect-uri", "https://app.example/cb"]);
        here.refused(&["client", "rotate-secret", "--tenant", "acme", text(&public["client_id"])], "refused");
        for verb in [&["show"][..], &["rotate-secret"], &["delete", "--yes"]] {
            here.refused(&[&["client"][..], verb, &["--tenant", "globex", id]].concat(), "not_found");
        }
        // A script isn't asked.
        here.json(&["client", "delete", "--tenant", "acme", id]);
        here.refused(&["client", "delete", "--tenant", "acme", id, "--yes"], "not_found");
        assert_eq!((here.events("acme", "client.secret_rotated"), here.events("acme", "client.deleted")), (2, 1));
        let left = here.json(&["client", "list", "--tenant", "acme"]);
        assert_eq!(left["clients"].as_array().expect("a list").len(), 1);
    }

    fn resources_have_scopes_of_their_own(here: Installation) {
        here.tenant("acme");
        let create = |arguments: &[&str]| [&["resource", "create", "--tenant", "acme", "--identifier"] as &[&str], arguments].concat().iter().map(ToString::to_string).collect::<Vec<_>>();
        let made = here.json(&[
            "resource", "create", "--tenant", "acme", "--identifier", "https://notes.example", "--name", "Notes", "--scope", "notes:read", "--scope", "notes:write",
            "--describe", "notes:read=Read your notes",
        ]);
        assert_eq!(made["name"], "Notes");
        assert_eq!(made["scopes"], json!([{ "name": "notes:read", "description": "Read your notes" }, { "name": "notes:write" }]));
        let refused = |arguments: &[&str], error: &str| {
            let arguments = create(arguments);
            here.refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), error)
        };
        refused(&["https://notes.example", "--scope", "x"], "already_exists");
        refused(&["notes", "--scope", "x"], "invalid_value");
        refused(&["https://other.example#x", "--scope", "x"], "invalid_value");
        refused(&["http://localhost:8080/api/v1", "--scope", "x"], "invalid_value");
        refused(&["https://other.example", "--scope", "openid"], "invalid_value");
        refused(&["https://other.example", "--scope", "tessera:admin"], "invalid_value");
        refused(&["https://other.example", "--scope", "x", "--scope", "x"], "invalid_value");
        refused(&["https://other.example", "--scope", "a\"b"], "invalid_value");
        refused(&["https://other.example", "--scope", ""], "invalid_value");
        refused(&["https://other.example", "--scope", "x", "--name", ""], "invalid_value");
        here.misused(&["resource", "create", "--tenant", "acme", "--identifier", "https://other.example"]);
        here.misused(&["resource", "create", "--tenant", "acme", "--identifier", "https://other.example", "--scope", "x", "--describe", "y=z"]);
        let listed = here.json(&["resource", "list", "--tenant", "acme"]);
        assert_eq!(listed["resources"], json!([made]));
        let delete = ["resource", "delete", "--tenant", "acme", "--identifier", "https://notes.example"];
        assert_eq!(here.json(&delete)["dependent_clients"], json!([]));
        here.refused(&delete, "not_found");
        assert_eq!(here.json(&["resource", "list", "--tenant", "acme"])["resources"], json!([]));
        assert_eq!((here.events("acme", "resource.created"), here.events("acme", "resource.deleted")), (1, 1));
    }
}
