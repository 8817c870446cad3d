//! What was imported works as what was made here: people sign in with the password that they had elsewhere, and its hash is made anew.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tessera::flows::admin::{
    AdminError, By, Existing, ImportFailure, Imported, Mode, NewExternalSubject, Secrets,
};
use tessera::protocol::client_metadata::ClientMetadata;
use tessera::protocol::email::EmailAddress;
use tessera::protocol::slug::Slug;
use tessera::secret::PlainSecret;

use crate::support::app::{TestApp, TestClient, TestTenant, TestUser, app_test};
use crate::support::relying_party::RelyingParty;

const MODE: Mode = Mode {
    dry_run: false,
    existing: Existing::Refuse,
};

const CLIENT: &str = "018f3a4e-1111-7222-8333-444455556666";
const SECRET: &str = "a secret that came along";
const REDIRECT: &str = "https://shop.example/callback";

pub async fn import(app: &TestApp, lines: &str) -> Result<Imported, ImportFailure> {
    app.provider
        .import_tenants(lines.as_bytes(), MODE, None, &By::command_line())
        .await
}

pub async fn export(app: &TestApp, tenant: &TestTenant) -> String {
    let mut text = Vec::new();
    let by = By::command_line();
    let loaded = app.load(tenant).await;
    app.provider
        .export_tenant(&loaded, Secrets::With, &mut text, &by)
        .await
        .expect("exported");
    String::from_utf8(text).expect("UTF-8")
}

fn known(app: &TestApp, slug: &str) -> TestTenant {
    TestTenant {
        slug: Slug::parse(slug).expect("a slug"),
        issuer: app.provider.config.public_url.issuer(slug),
    }
}

async fn person(app: &TestApp, tenant: &TestTenant, email: &str, password: &str) -> TestUser {
    let loaded = app.load(tenant).await;
    let address = EmailAddress::parse(email).expect("an address");
    let user = app.provider.load_user_by_email(&loaded, &address).await;
    TestUser {
        id: user.expect("a person").id,
        email: email.to_owned(),
        password: password.to_owned(),
    }
}

/// Something to write into that can't take much.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Keeps nothing, and says so.
struct NoDisk(Arc<Mutex<usize>>);

impl tessera::flows::admin::SecretKeeper for NoDisk {
    fn keep(&mut self, secrets: &[tessera::flows::admin::NewClientSecret]) -> std::io::Result<()> {
        *self.0.lock().expect("not poisoned") += secrets.len();
        Err(std::io::ErrorKind::StorageFull.into())
    }
}

app_test! {
    async fn people_sign_in_with_the_password_that_they_had_elsewhere(app: TestApp) {
        // Made by Python's hashlib, by OpenBSD's test vectors, and by the argon2 command's documentation.
        let hashes = [
            ("django", "lètmein", "pbkdf2_sha256$1000$seasalt$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A="),
            ("passlib", "lètmein", "$pbkdf2-sha512$1000$c2Vhc2FsdA$MvpYzRb9t8IHUO1U7cCcGPfI.JLcFRBOUbkty.vHmXzMoGO3EGn5ZDxFwkkOHVT55Elz3Qczs2.FNpDKUjv/RA"),
            ("bcrypt", "abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
            ("argon2i", "password", "$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG"),
        ];
        let mut lines = vec![
            json!({ "tenant": { "slug": "acme", "name": "Acme" } }),
            json!({ "client": {
                "client_id": CLIENT, "client_secret": SECRET, "client_name": "Shop", "redirect_uris": [REDIRECT], "scope": "openid", "skip_consent": true,
            } }),
        ];
        lines.extend(hashes.iter().map(|(name, _, hash)| json!({ "user": { "email": format!("{name}@acme.example"), "password_hash": hash } })));
        let text = lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let imported = import(&app, &text).await.expect("imported");
        assert_eq!((imported.tenants, imported.people_with_password), (1, 4));
        let tenant = known(&app, "acme");
        let client = TestClient {
            id: CLIENT.parse().expect("an id"),
            secret: Some(PlainSecret::new(SECRET.to_owned())),
            metadata: ClientMetadata { redirect_uris: vec![REDIRECT.to_owned()], ..ClientMetadata::default() },
        };
        let rp = RelyingParty::new(&app, &tenant, &client).with_scope("openid");
        for (name, password, _) in hashes {
            let email = format!("{name}@acme.example");
            let user = person(&app, &tenant, &email, password).await;
            let wrong = TestUser { password: "another password".to_owned(), ..user.clone() };
            let page = rp.authorize(&mut app.browser(), &wrong, &[]).await;
            assert_eq!(page.answer.status, 400, "{name}");
            for _ in 0..2 {
                let tokens = rp.sign_in(&mut app.browser(), &user).await;
                assert_eq!(tokens.id_claims()["sub"], user.id.to_string(), "{name}");
                let stored = app.provider.load_user(&*app.load(&tenant).await, user.id).await.expect("a person");
                let password = stored.password.expect("a password");
                assert!(password.phc.starts_with("$argon2id$"), "{name}: made anew by the first sign-in: {}", password.phc);
                assert_eq!(stored.version, 1, "{name}: that is no change of the person");
            }
        }
    }

    /// How many names a person may have is one number, however many parts their tenant comes in.
    async fn a_persons_names_are_counted_over_all_parts(app: TestApp) {
        let named = |number: usize| json!({ "external_subject": { "user_id": CLIENT, "issuer": "https://idp.example", "subject": format!("n{number}") } }).to_string() + "\n";
        let mut lines = json!({ "tenant": { "slug": "acme", "name": "Acme" } }).to_string() + "\n";
        lines += &(json!({ "user": { "id": CLIENT, "email": "ana@acme.example" } }).to_string() + "\n");
        lines.extend((0..11).map(named));
        // As many as fill a part.
        lines.extend((0..1500).map(|number| format!("{{\"user\":{{\"email\":\"p{number}@acme.example\"}}}}\n")));
        lines.extend((11..20).map(named));
        let refused = import(&app, &(lines.clone() + &named(20))).await.expect_err("one too many");
        assert!(refused.problems[0].to_string().contains("more than 20 names"), "{}", refused.problems[0]);
        assert!(app.provider.load_tenant_named("acme").await.is_err());
        import(&app, &lines).await.expect("imported");
        let text = export(&app, &known(&app, "acme")).await;
        assert_eq!(text.matches("{\"external_subject\":").count(), 20);
    }

    /// A check of a tenant that is larger than a part finds what an import would, and each fault of it.
    async fn a_check_tells_what_stands_twice_over_all_parts(app: TestApp) {
        const OTHER: &str = "018f3a4e-2222-7222-8333-444455556666";
        let check = async |lines: &str| app.provider.import_tenants(lines.as_bytes(), Mode { dry_run: true, ..MODE }, None, &By::command_line()).await;
        let line = |value: serde_json::Value| value.to_string() + "\n";
        let mut lines = line(json!({ "tenant": { "slug": "acme", "name": "Acme" } }));
        lines += &line(json!({ "user": { "id": CLIENT, "email": "ana@acme.example" } }));
        lines += &line(json!({ "client": { "client_id": CLIENT, "client_secret": SECRET, "redirect_uris": [REDIRECT] } }));
        let consent = line(json!({ "consent": { "user_id": CLIENT, "client_id": CLIENT, "permissions": {} } }));
        let name = line(json!({ "external_subject": { "user_id": CLIENT, "issuer": "https://idp.example", "subject": "ana" } }));
        lines += &(consent.clone() + &name);
        for part in 0..3 {
            lines.extend((0..1500).map(|number| format!("{{\"user\":{{\"email\":\"p{part}.{number}@acme.example\"}}}}\n")));
        }
        let sound = check(&lines).await.expect("sound");
        assert_eq!((sound.tenants, sound.people, sound.clients, sound.consents), (1, 4501, 1, 1));
        let count = lines.lines().count() as u64;
        lines += &line(json!({ "user": { "email": "ANA@acme.example" } }));
        lines += &line(json!({ "user": { "id": CLIENT, "email": "other@acme.example" } }));
        lines += &line(json!({ "client": { "client_id": CLIENT, "client_secret": SECRET, "redirect_uris": [REDIRECT] } }));
        lines += &(consent + &name);
        lines += &line(json!({ "consent": { "user_id": OTHER, "client_id": CLIENT, "permissions": {} } }));
        lines += &line(json!({ "resource": { "identifier": "https://late.example", "scopes": [{ "name": "late" }] } }));
        let told = check(&lines).await.expect_err("faults").problems;
        let told: Vec<_> = told.iter().map(ToString::to_string).collect();
        let expected = ["user.email: stands", "user.id: stands", "client.client_id: stands", "consent: stands", "external_subject: stands", "consent.user_id: is no person", "resource: has to stand before"];
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for (place, expected) in (1..).zip(expected) {
            let begin = format!("line {}: {expected}", count + place);
            let at = usize::try_from(place - 1).expect("few");
            assert!(told[at].starts_with(&begin), "{begin}: {}", told[at]);
        }
        assert!(app.provider.load_tenant_named("acme").await.is_err());
        // Nor does the import itself take them.
        assert!(import(&app, &lines).await.is_err());
        assert!(app.provider.load_tenant_named("acme").await.is_err());
    }

    /// Who is there already is a fault like any other: a check goes on behind it.
    async fn a_check_tells_of_all_who_are_there(app: TestApp) {
        let tenant = app.tenant("acme").await;
        app.tenant("globex").await;
        for name in ["ana", "bob"] {
            app.user(&tenant, &format!("{name}@acme.example"), "correct horse battery").await;
        }
        let (by, loaded) = (By::command_line(), app.load(&tenant).await);
        let told = |failed: ImportFailure| failed.problems.iter().map(ToString::to_string).collect::<Vec<_>>();
        let dry = Mode { dry_run: true, ..MODE };
        let check = async |lines: String, mode: Mode| app.provider.import_users(&loaded, lines.as_bytes(), mode, &by).await;
        let person = |email: &str| json!({ "user": { "email": email } }).to_string() + "\n";
        let lines = person("new@acme.example") + &person("ana@acme.example") + &person("none") + &person("bob@acme.example") + &person("last@acme.example");
        let failed = check(lines.clone(), dry).await.expect_err("faults");
        assert_eq!((failed.imported.people, failed.code()), (2, "already_exists"));
        let problems = told(failed);
        assert_eq!(problems.len(), 3, "{problems:?}");
        for (problem, begin) in problems.iter().zip(["line 2: a person with the address", "line 3: email", "line 4: a person with the address"]) {
            assert!(problem.starts_with(begin), "{begin}: {problem}");
        }
        // An import ends at the first.
        assert_eq!(told(check(lines, MODE).await.expect_err("faults")).len(), 1);
        // Twenty are told, however many there are, over groups too.
        for number in 0..30 {
            app.user(&tenant, &format!("p{number}@acme.example"), "correct horse battery").await;
        }
        let many: String = (0..2500).map(|number| person(&format!("{}{number}@acme.example", if number < 5 { "q" } else { "n" }))).collect();
        let all: String = (0..30).map(|number| person(&format!("p{number}@acme.example"))).collect();
        let problems = told(check(many.clone() + &all, dry).await.expect_err("faults"));
        assert_eq!(problems.len(), 20, "{problems:?}");
        assert!(problems[0].starts_with("line 2501: ") && problems[19].starts_with("line 2520: "), "{problems:?}");
        // What stands twice is found over groups.
        let problems = told(check(many + &person("Q1@acme.example"), dry).await.expect_err("a fault"));
        assert!(problems.len() == 1 && problems[0].starts_with("line 2501: user.email: stands in line 2 already"), "{problems:?}");
        // Tenants too.
        let tenants = ["acme", "new", "globex"].map(|slug| json!({ "tenant": { "slug": slug, "name": "T" } }).to_string() + "\n").concat();
        let failed = app.provider.import_tenants(tenants.as_bytes(), dry, None, &by).await.expect_err("faults");
        assert_eq!(failed.imported.tenants, 1);
        let problems = told(failed);
        assert!(problems.len() == 2 && problems[0].starts_with("line 1: ") && problems[1].starts_with("line 3: "), "{problems:?}");
    }

    async fn a_tenant_that_was_exported_deleted_and_imported_is_the_same(app: TestApp) {
        let tenant = app.tenant("acme").await;
        let client = app.web_client(&tenant).await;
        let user = app.user(&tenant, "ana@acme.example", "correct horse battery").await;
        let rp = RelyingParty::new(&app, &tenant, &client);
        // Asked for consent, which is remembered.
        let before = rp.sign_in(&mut app.browser(), &user).await;
        let jwks = app.get(&tenant.url("/jwks")).send().await.body;
        let by = By::command_line();
        let name = NewExternalSubject { user_id: user.id, issuer: "https://idp.example".to_owned(), subject: "ana".to_owned() };
        app.provider.create_external_subject(&*app.load(&tenant).await, name.clone(), &by).await.expect("a name");
        let text = export(&app, &tenant).await;
        assert!(text.contains("{\"consent\":") && text.contains("{\"external_subject\":"), "{text}");
        assert!(!text.contains("tessera-console"), "what the server makes for itself stays out");
        app.provider.delete_tenant("acme", &by).await.expect("deleted");
        assert_eq!(app.get(&tenant.url("/jwks")).send().await.status, 404);
        let imported = import(&app, &text).await.expect("imported");
        assert_eq!((imported.tenants, imported.people, imported.clients, imported.consents), (1, 1, 1, 1));
        assert_eq!(app.get(&tenant.url("/jwks")).send().await.body, jwks, "services that verify notice nothing");
        // The name is found as it was, under the keys that came along.
        let taken = app.provider.create_external_subject(&*app.load(&tenant).await, name, &by).await.expect_err("it is there");
        assert_eq!(taken.code(), "already_exists");
        let mut browser = app.browser();
        let page = browser.open(&rp.authorization_url(&[])).await;
        let page = browser.sign_in(&page, &user).await;
        let code = page.answer.location_param("code").expect("a code, and no question for consent");
        let after = rp.redeem(&code).await.expect_ok().json();
        let sub = crate::support::relying_party::claims(after["id_token"].as_str().expect("a token"))["sub"].clone();
        assert_eq!(sub, before.id_claims()["sub"]);
        // Sessions and grants don't come along.
        assert_eq!(rp.introspect(&before.access_token).await["active"], false);
        let refused = import(&app, &text).await.expect_err("it is there");
        assert_eq!((refused.code(), refused.imported.tenants), ("already_exists", 0));
        // A copy under another name would have the identifier of this one.
        let copy = text.replace("\"slug\":\"acme\"", "\"slug\":\"copy\"");
        let refused = import(&app, &copy).await.expect_err("it is this tenant's");
        assert!(refused.problems[0].to_string().contains("tenant.id: is that of the tenant `acme`"), "{}", refused.problems[0]);
        // Nor does the data key open what was sealed for another tenant.
        let id = app.load(&tenant).await.id().to_string();
        let foreign = copy.replacen(&id, "018f3a4e-9999-7222-8333-444455556666", 1);
        let refused = import(&app, &foreign).await.expect_err("sealed for another");
        assert!(refused.problems[0].to_string().contains("key.sealed_private_jwk: doesn't open"), "{}", refused.problems[0]);
        assert!(app.provider.load_tenant_named("copy").await.is_err());
    }

    async fn a_client_that_registered_itself_goes_on_managing_itself(app: TestApp) {
        let tenant = crate::specs::registration::open(&app, "acme").await;
        let metadata = json!({ "redirect_uris": [REDIRECT], "id_token_signed_response_alg": "ES256" });
        let document = crate::specs::registration::registered(&app, &tenant, metadata).await;
        let admin = crate::support::admin::Admin::program(&app, &tenant).await;
        let id = document["client_id"].as_str().expect("an id");
        admin.patch(&format!("/tenants/acme/clients/{id}"), &json!({ "scope": "openid profile" })).await.expect_ok();
        let text = export(&app, &tenant).await;
        let by = By::command_line();
        app.provider.delete_tenant("acme", &by).await.expect("deleted");
        import(&app, &text).await.expect("imported");
        let mut document = document.clone();
        document["scope"] = json!("openid profile");
        let (uri, token) = (document["registration_client_uri"].as_str().expect("a URI"), document["registration_access_token"].as_str().expect("a token"));
        let read = app.get(uri).bearer(token).send().await.expect_ok().json();
        assert_eq!(read, document);
        // What an administrator set is theirs still.
        let wider = json!({ "client_id": document["client_id"], "redirect_uris": [REDIRECT], "scope": "openid email" });
        let put = app.http.request(actix_web::http::Method::PUT, uri).bearer(token).body("application/json", wider.to_string()).send().await;
        put.expect_error(400, "invalid_client_metadata");
        let nobodys = json!({ "tenant": { "slug": "other", "name": "Other" } }).to_string() + "\n"
            + &json!({ "client": { "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none", "set_by_administrators": ["scope"] } }).to_string();
        let refused = import(&app, &nobodys).await.expect_err("no registration");
        assert!(refused.problems[0].to_string().contains("set_by_administrators: goes together"), "{}", refused.problems[0]);
        // Without the data key the hash means nothing.
        let alone = json!({ "tenant": { "slug": "other", "name": "Other" } }).to_string() + "\n"
            + &json!({ "client": { "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none", "registration_access_token_hash": "A".repeat(43) } }).to_string();
        let refused = import(&app, &alone).await.expect_err("no data key");
        assert!(refused.problems[0].to_string().contains("registration_access_token_hash: means nothing"), "{}", refused.problems[0]);
    }

    async fn a_full_disk_loses_no_secret_and_is_told(app: TestApp) {
        let tenant = app.tenant("acme").await;
        app.web_client(&tenant).await;
        let by = By::command_line();
        let loaded = app.load(&tenant).await;
        let written = app.provider.export_tenant(&loaded, Secrets::Without, &mut Full(600), &by).await;
        assert!(matches!(written, Err(AdminError::Refused(_))), "{written:?}");
        let lines = concat!(
            "{\"tenant\":{\"slug\":\"first\",\"name\":\"First\"}}\n",
            "{\"tenant\":{\"slug\":\"other\",\"name\":\"Other\"}}\n{\"client\":{\"grant_types\":[\"client_credentials\"]}}\n",
        );
        let asked = Arc::new(Mutex::new(0));
        let failed = app.provider.import_tenants(lines.as_bytes(), MODE, Some(&mut NoDisk(Arc::clone(&asked))), &by).await;
        assert_eq!(failed.expect_err("no disk").code(), "refused");
        assert_eq!(*asked.lock().expect("not poisoned"), 1);
        assert!(app.provider.load_tenant_named("other").await.is_err(), "without its secret kept, the client isn't made");
    }

    async fn an_import_whose_tenant_is_deleted_meanwhile_cannot_complete_it(app: TestApp) {
        // As an import in parts leaves it between two of them.
        let tenant = app.tenant("acme").await;
        let id = app.load(&tenant).await.id();
        let db = &app.provider.db;
        let mut raw = app.database.raw();
        raw.execute("UPDATE tenants SET status = 'deleting' WHERE slug = 'acme'").expect("changed");
        let going_on = || db.write_installation(move |all| Ok(all.continue_import(id)?.is_some()));
        assert!(going_on().await.expect("storage works"));
        assert_eq!(app.provider.finish_deletions().await.expect("storage works"), 0, "it may go on yet");
        app.time.advance(std::time::Duration::from_secs(3601));
        assert_eq!(app.provider.finish_deletions().await.expect("storage works"), 1, "for an hour nothing came");
        assert!(!going_on().await.expect("storage works"));
        assert_eq!(raw.texts("SELECT slug AS value FROM tenants WHERE slug = 'acme'"), [""; 0]);
    }
}
