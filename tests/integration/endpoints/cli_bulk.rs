//! `tessera tenant export`, `tessera tenant import` and `tessera user import`.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::command::{Installation, command_test};
use crate::support::http::Http;

const PASSWORD: &str = "correct horse battery";

/// Another installation on the same kind of database.
fn elsewhere(here: &Installation) -> Installation {
    match here.raw() {
        crate::support::database::Raw::Sqlite(_) => Installation::sqlite(),
        crate::support::database::Raw::Postgres(_) => Installation::postgres(),
    }
    .ready()
}

/// A tenant with something of everything; its slug.
fn furnished(here: &Installation) -> &'static str {
    here.json(&["tenant", "create", "acme", "--name", "Acme Corporation"]);
    here.json(&[
        "tenant",
        "update",
        "acme",
        "--set",
        "access_token_lifetime=600",
        "--accent",
        "#102030",
    ]);
    here.json(&[
        "resource",
        "create",
        "--tenant",
        "acme",
        "--identifier",
        "https://api.acme.example",
        "--name",
        "API",
        "--scope",
        "read",
        "--scope",
        "write",
    ]);
    here.json_with(
        PASSWORD,
        &[
            "user",
            "create",
            "--tenant",
            "acme",
            "--email",
            "Ana@acme.example",
            "--password-stdin",
            "--role",
            "administrator",
            "--name",
            "Ana",
            "--email-verified",
        ],
    );
    here.json(&[
        "user",
        "create",
        "--tenant",
        "acme",
        "--email",
        "bob@acme.example",
        "--claim",
        "locale=da",
    ]);
    here.json(&[
        "user",
        "disable",
        "--tenant",
        "acme",
        "--email",
        "bob@acme.example",
    ]);
    here.json(&[
        "domain",
        "add",
        "--tenant",
        "acme",
        "https://login.acme.example",
    ]);
    here.json(&["key", "rotate", "--tenant", "acme"]);
    "acme"
}

/// A tenant's line and lines of its own, as one text.
fn lines(lines: &[Value]) -> String {
    let lines = lines.iter().map(|line| format!("{line}\n"));
    lines.collect::<Vec<_>>().concat()
}

/// What a command shows, without what counts or follows from changes.
fn shown(here: &Installation, arguments: &[&str]) -> Value {
    let mut document = here.json(arguments);
    strip(&mut document);
    document
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for name in ["version", "verification_token", "issuer", "issuers"] {
                members.remove(name);
            }
            members.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Who may do what with a file.
fn permissions(file: &str) -> u32 {
    let metadata = std::fs::metadata(file).expect("a file");
    metadata.permissions().mode() & 0o777
}

/// The status of the token endpoint's answer to a client with its secret.
fn token_status(here: &Installation, tenant: &str, client: &str, secret: &str) -> u16 {
    let server = here.serve();
    let root = server.document["root"].as_str().expect("a root");
    let http = Http::new(server.port());
    actix_web::rt::System::new().block_on(async {
        until_ready(&http, root).await;
        let request = http.post(&format!("{root}/t/{tenant}/token"));
        let request = request
            .basic(client, secret)
            .form(&[("grant_type", "client_credentials")]);
        request.send().await.status
    })
}

/// Until the server has heard what others changed: before that it serves no tokens, as load balancers know.
async fn until_ready(http: &Http, root: &str) {
    let begun = Instant::now();
    while http
        .get(&format!("{root}/health/ready"))
        .send()
        .await
        .status
        != 200
    {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it never gets ready"
        );
        actix_web::rt::time::sleep(Duration::from_millis(10)).await;
    }
}

fn counts(here: &Installation) -> Vec<i64> {
    let mut raw = here.raw();
    [
        "tenants",
        "users",
        "clients",
        "client_origins",
        "signing_keys",
        "resources",
        "role_assignments",
        "consents",
    ]
    .map(|table| raw.count(table))
    .to_vec()
}

command_test! {
    fn a_tenant_moves_without_anybody_noticing(here: Installation) {
        let slug = furnished(here);
        let made = here.json(&[
            "client", "create", "--tenant", slug, "--name", "Service", "--grant-type", "client_credentials", "--scope", "read",
        ]);
        let public = here.json(&["client", "create", "--tenant", slug, "--name", "App", "--public", "--redirect-uri", "https://app.acme.example/cb"]);
        let file = here.path("acme.jsonl").to_str().expect("UTF-8").to_owned();
        let exported = here.json(&["tenant", "export", slug, "--with-secrets", "--output", &file]);
        assert_eq!((&exported["exported"]["people"], &exported["exported"]["clients"]), (&json!(2), &json!(2)));
        assert_eq!(permissions(&file), 0o600);
        assert!(!here.path("acme.jsonl.partial").exists());
        assert_eq!(here.events(slug, "tenant.exported"), 1);
        assert_eq!(here.events("system", "tenant.exported"), 1, "found when the tenant is gone");
        let there = elsewhere(here);
        let checked = there.json(&["tenant", "import", "--dry-run", &file]);
        assert_eq!((&checked["dry_run"], &checked["imported"]["people"]), (&json!(true), &json!(2)));
        assert_eq!(there.raw().count("tenants"), 1, "the operators' alone");
        let imported = there.json(&["tenant", "import", &file])["imported"].clone();
        assert_eq!(imported, json!({
            "tenants": 1, "skipped_tenants": 0, "people": 2, "people_with_password": 1, "skipped_people": 0, "resources": 1, "clients": 2,
            "clients_naming_unknown": 0, "new_client_secrets": 0, "consents": 0, "domains_to_verify": 1,
        }));
        for list in [
            &["tenant", "show", slug] as &[&str], &["user", "list", "--tenant", slug], &["client", "list", "--tenant", slug],
            &["key", "list", "--tenant", slug],
        ] {
            assert_eq!(shown(&there, list), shown(here, list), "{list:?}");
        }
        let resources = |of: &Installation| {
            let mut list = of.json(&["resource", "list", "--tenant", slug])["resources"][0].clone();
            list.as_object_mut().expect("a resource").remove("id");
            list
        };
        assert_eq!(resources(&there), resources(here));
        assert_eq!((there.events(slug, "*"), there.events(slug, "tenant.imported")), (1, 1), "one event, not one for everything");
        assert_eq!(there.events("system", "tenant.imported"), 1, "found when the tenant is gone");
        // The secret and the password that were given out there hold here.
        let text = |name: &str| made[name].as_str().expect("a text").to_owned();
        assert_eq!(token_status(&there, slug, &text("client_id"), &text("client_secret")), 200);
        assert_eq!(token_status(&there, slug, &text("client_id"), "another-secret-of-some-length"), 401);
        assert_eq!(there.raw().texts("SELECT password_phc AS value FROM users WHERE password_phc IS NOT NULL"),
            here.raw().texts("SELECT password_phc AS value FROM users WHERE password_phc IS NOT NULL"));
        let origins = there.raw().texts("SELECT origin AS value FROM client_origins");
        assert_eq!(origins, ["https://app.acme.example"], "{public}");
        // And it is exported as it was imported.
        let again = |of: &Installation| {
            let text = of.ok(&["tenant", "export", slug, "--with-secrets"]);
            text.lines().skip(1).map(|line| serde_json::from_str::<Value>(line).expect("JSON")).collect::<Vec<_>>()
        };
        assert_eq!(again(&there), again(here));
    }

    fn what_names_an_api_that_is_gone_comes_back_as_it_was(here: Installation) {
        let slug = furnished(here);
        let api = "https://api.acme.example";
        let file = here.file("job.json", &json!({
            "client_name": "Job", "grant_types": ["client_credentials"], "scope": "read", "resources": [api], "default_audience": api,
            "token_exchange_scope": "write",
        }).to_string());
        let made = here.json(&["client", "create", "--tenant", slug, "--metadata-file", &file]);
        here.json(&["resource", "delete", "--tenant", slug, "--identifier", api]);
        let exported = here.ok(&["tenant", "export", slug, "--with-secrets"]);
        let there = elsewhere(here);
        let told = there.run_with(&exported, &["tenant", "import"]);
        assert!(told.code == 0 && told.out.contains("1 client names a scope or an API that the tenant hasn't got"), "{told:?}");
        let show = ["client", "show", "--tenant", slug, made["client_id"].as_str().expect("an id")];
        assert_eq!(there.json(&show), here.json(&show));
        let text = |name: &str| made[name].as_str().expect("a text").to_owned();
        assert_eq!(token_status(&there, slug, &text("client_id"), &text("client_secret")), 200);
    }

    fn without_secrets_an_export_holds_none_and_clients_get_new_ones(here: Installation) {
        let slug = furnished(here);
        let made = here.json(&["client", "create", "--tenant", slug, "--name", "Service", "--grant-type", "client_credentials", "--scope", "read"]);
        let exported = here.ok(&["tenant", "export", slug]);
        for secret in ["argon2", "data_key", "secret_hash", "private", "\"key\""] {
            assert!(!exported.contains(secret), "{secret}: {exported}");
        }
        here.misused(&["tenant", "export", slug]);
        let there = elsewhere(here);
        let told = there.refused_with(&exported, &["tenant", "import", "-"], "invalid_value");
        assert!(told.contains("--secrets-file"), "{told}");
        assert_eq!(there.raw().count("tenants"), 1);
        let secrets = there.path("secrets").to_str().expect("UTF-8").to_owned();
        let imported = there.json_with(&exported, &["tenant", "import", "--secrets-file", &secrets]);
        assert_eq!(imported["imported"]["new_client_secrets"], 1);
        assert_eq!(permissions(&secrets), 0o600);
        let line: Value = serde_json::from_str(&std::fs::read_to_string(&secrets).expect("a file")).expect("JSON");
        assert_eq!((&line["tenant"], &line["client_id"], &line["client_name"]), (&json!(slug), &made["client_id"], &json!("Service")));
        let client = made["client_id"].as_str().expect("an id");
        assert_eq!(token_status(&there, slug, client, line["client_secret"].as_str().expect("a secret")), 200);
        assert_eq!(token_status(&there, slug, client, made["client_secret"].as_str().expect("a secret")), 401);
        there.refused_with(&exported, &["tenant", "import", "--secrets-file", &secrets], "output_failed");
        assert_eq!(shown(&there, &["user", "list", "--tenant", slug])["users"][0]["has_password"], false);
    }

    fn what_is_wrong_is_told_by_line_and_field_and_leaves_nothing(here: Installation) {
        here.tenant("globex");
        let globex = here.json(&["tenant", "show", "globex"])["id"].clone();
        let before = counts(here);
        let tenant = json!({ "tenant": { "slug": "acme", "name": "Acme" } });
        let user = json!({ "user": { "email": "ana@acme.example" } });
        let with = |member: &str, value: Value| json!({ "user": { "email": "bob@acme.example", member: value } });
        let client = |member: &str, value: Value| {
            let mut line = json!({ "client": { "grant_types": ["client_credentials"], "client_secret": "0123456789abcdef" } });
            line["client"][member] = value;
            line
        };
        for (bad, told) in [
            (tenant.clone(), "line 3: tenant.slug: is that of the tenant of line 1"),
            (json!({ "tenant": { "slug": "a--b", "name": "A" } }), "line 3: tenant.slug: "),
            (json!({ "tenant": { "slug": "system", "name": "A" } }), "line 3: tenant.slug: this slug is reserved"),
            (json!({ "tenant": { "slug": "b", "name": " A" } }), "line 3: tenant.name: "),
            (json!({ "tenant": { "slug": "b", "name": "A", "settings": { "code_lifetime": 5 } } }), "line 3: tenant.code_lifetime: must be between"),
            (json!({ "tenant": { "slug": "b", "name": "A", "settings": { "backchannel_notice_uri": "http://localhost:9/asked" } } }), "line 3: tenant.backchannel_notice_uri: the URL must begin with https://"),
            (json!({ "tenant": { "slug": "b", "name": "A", "status": "deleting" } }), "line 3: tenant.status: "),
            (json!({ "tenant": { "slug": "b", "name": "A", "data_key": "AAAA" } }), "line 3: tenant.id: has to be there"),
            (json!({ "tenant": { "slug": "b", "name": "A", "id": globex } }), "line 3: tenant.id: is that of the tenant `globex`"),
            (json!({ "tenant": { "slug": "globex", "name": "A" } }), "line 3: a tenant with the slug `globex` exists already"),
            (user.clone(), "line 3: user.email: stands in this tenant already"),
            (with("password_hash", json!("md5$a$b")), "line 3: user.password_hash: the password hash is malformed or of an unknown kind"),
            (with("password_hash", json!("$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")), "line 3: user.password_hash: the password hash parameters"),
            (with("password_hash", json!("pbkdf2_sha256$99000000$salt$CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCA=")), "line 3: user.password_hash: the password hash parameters"),
            (with("roles", json!(["king"])), "line 3: user.roles.0: "),
            (with("claims", json!({ "locale": "??" })), "line 3: user.claims.locale: "),
            (with("claims", json!({ "email": "x@y.example" })), "line 3: user.claims: "),
            (with("created_at", json!("2999-01-01T00:00:00Z")), "line 3: user.created_at: "),
            (with("password", json!("in the clear")), "line 3: user.password: unknown field"),
            (client("redirect_uris", json!(["http://evil.example/#x"])), "line 3: client.redirect_uris"),
            (client("client_secret", json!("short")), "line 3: client.client_secret: must have 16 to 256"),
            (client("client_secret_hash", json!("AAAA")), "line 3: client.client_secret: and client_secret_hash exclude"),
            (client("software_id", json!("tessera-console")), "line 3: the console's client is built in"),
            (client("jwks_uri", json!("http://169.254.169.254/")), "line 3: client."),
            (json!({ "key": {
                "id": "018f3a4e-1111-7222-8333-444455556666", "kid": "k", "algorithm": "ES256", "sealed_private_jwk": "AAAA",
                "signs_from": "2026-01-01T00:00:00Z", "created_at": "2026-01-01T00:00:00Z",
            } }), "line 3: key: can't be opened without the tenant's data_key"),
            (json!({ "resource": { "identifier": "nothing", "scopes": [{ "name": "a" }] } }), "line 3: resource.identifier: "),
            (json!({ "resource": { "identifier": "https://a.example", "scopes": [{ "name": "openid" }] } }), "line 3: resource.scope: "),
            (json!({ "domain": { "origin": "http://login.acme.example" } }), "line 3: domain.origin: "),
            (json!({ "consent": { "user_id": globex, "client_id": globex, "permissions": {} } }), "line 3: consent.user_id: is no person of this tenant"),
            (json!({ "end": { "lines": 7 } }), "line 3: end.lines: says 7, and the tenant has 2"),
            (json!({ "group": {} }), "line 3: line: `group` is none of"),
            (json!([]), "line 3: line: must be a JSON object"),
        ] {
            let input = lines(&[tenant.clone(), user.clone(), bad.clone()]);
            // Of a file that is only checked, everything is told; what is sound before the error is made otherwise.
            let dry = here.run_with(&input, &["tenant", "import", "--dry-run"]);
            assert_eq!(dry.code, 1, "{bad}: {dry:?}");
            assert!(dry.err.contains(told), "{bad}: {}", dry.err);
            assert_eq!(counts(here), before, "{bad}");
            let done = here.run_with(&input, &["tenant", "import", "-"]);
            assert_eq!(done.code, 1, "{bad}: {done:?}");
            assert!(done.err.contains(told), "{bad}: {}", done.err);
            // A line that can't be read may belong to anything, and so to the tenant above.
            if bad.get("tenant").is_some() && !told.contains("tenant.status") {
                assert!(done.err.contains("What stands before that is imported: 1 tenant, 1 person"), "{bad}: {}", done.err);
                here.json(&["tenant", "delete", "acme", "--yes"]);
            } else {
                assert!(done.err.contains("Nothing was imported."), "{bad}: {}", done.err);
            }
            assert_eq!(counts(here), before, "{bad}");
        }
        for (input, told) in [
            (lines(&[user]), "line 1: line: belongs to no tenant"),
            (lines(&[json!({ "end": { "lines": 1 } })]), "line 1: end: ends no tenant"),
            (lines(&[json!({ "export": { "format": 2 } })]), "line 1: export.format: is 2"),
            (lines(&[json!({ "export": { "format": 1 } }), tenant.clone()]), "line 2: tenant: has no `end`"),
            (format!("{tenant}\n{{\"user\":{}", "[".repeat(100_000)), "line 2: line: is no JSON document: recursion limit exceeded"),
            (format!("{tenant}\n{{\"user\":\"{}\"}}\n", "x".repeat(8 << 20)), "line 2: line: is longer than 1048576 bytes"),
            (format!("{tenant}\n\0\n"), "line 2: line: is no JSON document"),
        ] {
            let done = here.run_with(&input, &["tenant", "import"]);
            assert_eq!((done.code, done.err.contains(told)), (1, true), "{told}: {}", done.err);
            assert_eq!(counts(here), before, "{told}");
        }
        here.refused(&["tenant", "import", "nowhere.jsonl"], "unreadable_file");
    }

    fn a_check_tells_of_everything_that_is_wrong(here: Installation) {
        let input = lines(&[
            json!({ "tenant": { "slug": "acme", "name": "Acme" } }), json!({ "user": { "email": "nobody" } }), json!({ "user": { "email": "ana@acme.example" } }),
            json!({ "tenant": { "slug": "-", "name": "A" } }), json!({ "user": { "email": "passed-over" } }),
            json!({ "tenant": { "slug": "b", "name": "B" } }), json!({ "user": { "email": "b@b.example", "password_hash": "x" } }),
        ]);
        let told = here.refused_with(&input, &["tenant", "import", "--dry-run"], "invalid_value");
        let starts = told.lines().map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(": ")).collect::<Vec<_>>();
        assert_eq!(starts, ["line 2: user.email", "line 4: tenant.slug", "line 7: user.password_hash", "Nothing was changed."]);
    }

    fn an_import_goes_on_where_it_was_interrupted(here: Installation) {
        let tenant = |number: usize| json!({ "tenant": { "slug": format!("t{number}"), "name": "T" } });
        let user = |number: usize| json!({ "user": { "email": format!("ana@t{number}.example") } });
        let all = (1..=5).flat_map(|number| [tenant(number), user(number)]).collect::<Vec<_>>();
        here.json_with(&lines(&all[..4]), &["tenant", "import"]);
        let told = here.refused_with(&lines(&all), &["tenant", "import"], "already_exists");
        assert!(told.contains("line 1: a tenant with the slug `t1` exists already"), "{told}");
        here.json(&["user", "create", "--tenant", "t1", "--email", "own@t1.example"]);
        let imported = here.json_with(&lines(&all), &["tenant", "import", "--skip-existing"]);
        assert_eq!((&imported["imported"]["tenants"], &imported["imported"]["skipped_tenants"], &imported["imported"]["people"]), (&json!(3), &json!(2), &json!(3)));
        let people = |slug: &str| here.json(&["user", "list", "--tenant", slug])["users"].as_array().expect("a list").len();
        assert_eq!((people("t1"), people("t5")), (2, 1), "what is there isn't touched");
    }

    fn a_large_tenant_comes_in_parts_and_whole_or_not_at_all(here: Installation) {
        let mut all = vec![json!({ "tenant": { "slug": "large", "name": "Large", "status": "suspended" } })];
        all.extend((0..4000).map(|number| json!({ "user": { "email": format!("p{number}@large.example"), "roles": ["auditor"] } })));
        here.json(&["tenant", "list"]);
        let before = counts(here);
        let mut broken = all.clone();
        broken.push(json!({ "user": { "email": "nobody" } }));
        let told = here.refused_with(&lines(&broken), &["tenant", "import"], "invalid_value");
        assert!(told.contains("line 4002: user.email"), "{told}");
        assert_eq!(counts(here), before, "nothing of it stays");
        // An address that was written with another part is noticed too.
        broken.pop();
        broken.push(json!({ "user": { "email": "P1@large.example" } }));
        let told = here.refused_with(&lines(&broken), &["tenant", "import"], "refused");
        assert!(told.contains("stands in the tenant already"), "{told}");
        assert_eq!(counts(here), before, "nothing of it stays");
        // As a killed import leaves it.
        here.tenant("large");
        here.raw().execute("UPDATE tenants SET status = 'deleting' WHERE slug = 'large'").expect("changed");
        here.refused(&["tenant", "show", "large"], "not_found");
        let told = here.refused_with(&lines(&all), &["tenant", "import"], "refused");
        assert!(told.contains("--skip-existing"), "{told}");
        let imported = here.json_with(&lines(&all), &["tenant", "import", "--skip-existing"]);
        assert_eq!((&imported["imported"]["tenants"], &imported["imported"]["people"]), (&json!(1), &json!(4000)));
        assert_eq!(here.json(&["tenant", "show", "large"])["status"], "suspended");
        assert_eq!((here.raw().count("users"), here.raw().count("role_assignments")), (4000, 4000));
        assert_eq!((here.events("large", "*"), here.events("system", "tenant.imported")), (1, 1), "one that became whole");
        let skipped = here.json_with(&lines(&all), &["tenant", "import", "--skip-existing"]);
        assert_eq!((&skipped["imported"]["skipped_tenants"], &skipped["imported"]["people"]), (&json!(1), &json!(0)));
    }

    fn a_running_server_finds_every_tenant_of_a_group(here: Installation) {
        let server = here.serve();
        let root = server.document["root"].as_str().expect("a root").to_owned();
        let status = |slug: &str| {
            let request = Http::new(server.port()).get(&format!("{root}/t/{slug}/login"));
            actix_web::rt::System::new().block_on(request.send()).status
        };
        let slugs = (1..=20).map(|number| format!("t{number}")).collect::<Vec<_>>();
        for slug in &slugs {
            assert_eq!(status(slug), 404);
        }
        let changes = here.raw().count("changes");
        let tenants = slugs.iter().map(|slug| json!({ "tenant": { "slug": slug, "name": "T" } })).collect::<Vec<_>>();
        here.json_with(&lines(&tenants), &["tenant", "import"]);
        assert_eq!(here.raw().count("changes"), changes + 1, "one note for all of them");
        let begun = std::time::Instant::now();
        while slugs.iter().any(|slug| status(slug) != 200) {
            assert!(begun.elapsed() < std::time::Duration::from_secs(5), "a tenant isn't found");
        }
    }

    fn people_come_into_a_tenant_that_is_there(here: Installation) {
        here.tenant("acme");
        here.tenant("globex");
        let ana = here.json(&["user", "create", "--tenant", "globex", "--email", "ana@acme.example"]);
        let people = [
            // The same identifier in another tenant is another person.
            json!({ "user": { "id": ana["id"], "email": "ana@acme.example", "roles": ["auditor", "administrator"], "claims": { "name": "Ana" } } }),
            json!({ "user": { "email": "bob@acme.example", "status": "disabled", "password_hash": "bcrypt$$2b$04$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i" } }),
        ];
        let import = ["user", "import", "--tenant", "acme"];
        let checked = here.json_with(&lines(&people), &[&import[..], &["--dry-run"]].concat());
        assert_eq!(checked["imported"]["people"], 2);
        assert_eq!(here.raw().count("users"), 1);
        let imported = here.json_with(&lines(&people), &import);
        assert_eq!((&imported["imported"]["people"], &imported["imported"]["people_with_password"]), (&json!(2), &json!(1)));
        let shown = here.json(&["user", "show", "--tenant", "acme", "--email", "ana@acme.example"]);
        assert_eq!((&shown["id"], &shown["roles"]), (&ana["id"], &json!(["administrator", "auditor"])));
        let other = here.json(&["user", "show", "--tenant", "globex", "--email", "ana@acme.example"]);
        assert_eq!((&other["roles"], &other["claims"]), (&json!([]), &json!({})), "nobody else is touched");
        assert_eq!((here.events("acme", "users.imported"), here.events("acme", "user.created")), (1, 0));
        let told = here.refused_with(&lines(&people), &import, "already_exists");
        assert!(told.contains("line 1: ") && told.contains("--skip-existing"), "{told}");
        let again = here.json_with(&lines(&people), &[&import[..], &["--skip-existing"]].concat());
        assert_eq!((&again["imported"]["people"], &again["imported"]["skipped_people"]), (&json!(0), &json!(2)));
        let stranger = json!({ "user": { "id": ana["id"], "email": "another@acme.example" } });
        here.refused_with(&lines(&[stranger]), &[&import[..], &["--skip-existing"]].concat(), "already_exists");
        let broken = lines(&[json!({ "user": { "email": "eve@acme.example" } }), json!({ "tenant": { "slug": "x", "name": "X" } })]);
        let told = here.refused_with(&broken, &import, "invalid_value");
        assert!(told.contains("line 2: line: only `user` lines") && told.contains("1 person."), "{told}");
        here.json(&["user", "show", "--tenant", "acme", "--email", "eve@acme.example"]);
        let twice = lines(&[json!({ "user": { "email": "x@acme.example" } }), json!({ "user": { "email": "X@ACME.example" } })]);
        assert!(here.refused_with(&twice, &import, "invalid_value").contains("line 2: user.email: stands in line 1"));
        here.refused_with("", &["user", "import", "--tenant", "nobody"], "not_found");
    }

    fn the_operators_tenant_stays_where_it_is(here: Installation) {
        here.refused(&["tenant", "export", "system", "--output", "file"], "refused");
        here.refused(&["tenant", "export", "nobody", "--output", "file"], "not_found");
        assert!(!here.path("file").exists() && !here.path("file.partial").exists());
    }
}
