//! `tessera user` and `tessera role`.

use serde_json::json;

use crate::support::command::{Installation, command_test};

const PASSWORD: &str = "correct horse battery";

command_test! {
    fn a_person_is_made_with_a_password(here: Installation) {
        here.tenant("acme");
        let made = here.json_with(&format!("{PASSWORD}\n"), &[
            "user", "create", "--tenant", "acme", "--email", "Ana@Acme.example", "--password-stdin", "--role", "auditor", "--role", "administrator",
            "--given-name", "Ana", "--family-name", "Example", "--claim", "locale=de-CH", "--claim", "address={\"country\":\"Denmark\"}",
            "--claim", "phone_number=+45 12 34 56 78", "--claim", "phone_number_verified=true", "--email-verified",
        ]);
        assert_eq!(made["email"], "Ana@Acme.example");
        assert_eq!((&made["email_verified"], &made["has_password"], &made["status"]), (&json!(true), &json!(true), &json!("active")));
        assert_eq!(made["roles"], json!(["administrator", "auditor"]));
        assert_eq!(made["claims"], json!({
            "given_name": "Ana", "family_name": "Example", "locale": "de-CH", "address": { "country": "Denmark" },
            "phone_number": "+45 12 34 56 78", "phone_number_verified": true,
        }));
        assert_eq!(made.get("link"), None);
        let shown = here.json(&["user", "show", "--tenant", "acme", "--email", "ana@acme.example"]);
        assert_eq!(shown, made, "however the address is written");
        assert_eq!(here.json(&["user", "show", "--tenant", "acme", "--id", made["id"].as_str().expect("an id")]), made);
        let stored = here.raw().texts("SELECT password_phc AS value FROM users");
        assert!(stored[0].starts_with("$argon2id$") && !stored[0].contains(PASSWORD));
        assert!(!here.ok(&["user", "show", "--tenant", "acme", "--email", "ana@acme.example"]).contains("argon2"));
        assert_eq!(here.events("acme", "user.created"), 1);
        assert_eq!(here.events("acme", "link.created"), 0);
    }

    fn a_password_file_does_as_well_and_bad_passwords_do_not(here: Installation) {
        here.tenant("acme");
        let file = here.file("password", "correct horse battery\n");
        here.json(&["user", "create", "--tenant", "acme", "--email", "ana@acme.example", "--password-file", &file]);
        let create = ["user", "create", "--tenant", "acme", "--email", "bob@acme.example", "--password-stdin"];
        for bad in ["", "short", "Password2026", "bob@acme.example", &"x".repeat(1 << 21)] {
            here.refused_with(bad, &create, "unacceptable_password");
        }
        here.refused(&["user", "create", "--tenant", "acme", "--email", "bob@acme.example", "--password-file", "nowhere"], "unreadable_file");
        here.misused(&["user", "create", "--tenant", "acme", "--email", "bob@acme.example", "--password-file", &file, "--password-stdin"]);
        here.refused(&["user", "show", "--tenant", "acme", "--email", "bob@acme.example"], "not_found");
        assert_eq!(here.events("acme", "user.created"), 1);
    }

    fn without_a_password_there_is_a_link(here: Installation) {
        here.tenant("acme");
        let made = here.json(&["user", "create", "--tenant", "acme", "--email", "bob@acme.example"]);
        assert_eq!(made["has_password"], false);
        let link = made["link"].as_str().expect("a link");
        assert!(link.starts_with("http://localhost:8080/t/acme/link/tsl_"), "{link}");
        let reset = here.json(&["user", "reset-password", "--tenant", "acme", "--email", "bob@acme.example"]);
        assert_ne!(reset["link"], made["link"]);
        let expires = |document: &serde_json::Value| document["link_expires_at"].as_str().expect("a moment").to_owned();
        assert!(expires(&reset) > expires(&made));
        let mut raw = here.raw();
        let open = raw.texts("SELECT CAST(count(*) AS text) AS value FROM one_time_links WHERE consumed_at IS NULL");
        assert_eq!(open, ["1"], "the older one is good no more");
        let secret = link.rsplit_once('/').expect("a path").1;
        assert!(raw.texts("SELECT detail AS value FROM audit_events").iter().all(|detail| !detail.contains(secret)));
        assert_eq!(here.events("acme", "link.created"), 2);
        assert!(here.ok(&["user", "reset-password", "--tenant", "acme", "--email", "bob@acme.example"]).contains("/link/tsl_"));
    }

    fn an_address_is_one_persons_within_a_tenant(here: Installation) {
        here.tenant("acme");
        here.tenant("globex");
        let create = |tenant, email| ["user", "create", "--tenant", tenant, "--email", email];
        here.json(&create("acme", "ana@example.com"));
        here.json(&create("globex", "ana@example.com"));
        here.refused(&create("acme", "ANA@example.com"), "already_exists");
        here.refused(&create("nobody", "ana@example.com"), "not_found");
        here.json(&create("acme", "bob@example.com"));
        here.refused(&["user", "update", "--tenant", "acme", "--email", "bob@example.com", "--new-email", "ana@example.com"], "already_exists");
        here.json(&["user", "delete", "--tenant", "acme", "--email", "ana@example.com", "--yes"]);
        here.json(&["user", "show", "--tenant", "globex", "--email", "ana@example.com"]);
        let other = here.json(&["user", "show", "--tenant", "globex", "--email", "ana@example.com"]);
        here.refused(&["user", "show", "--tenant", "acme", "--id", other["id"].as_str().expect("an id")], "not_found");
    }

    fn claims_are_changed_one_by_one(here: Installation) {
        here.tenant("acme");
        here.json(&["user", "create", "--tenant", "acme", "--email", "ana@acme.example", "--name", "Ana", "--claim", "locale=da", "--email-verified"]);
        let update = |arguments: &[&str]| here.json(&[&["user", "update", "--tenant", "acme", "--email", "ana@acme.example"], arguments].concat());
        assert_eq!(update(&["--given-name", "Ana"])["claims"], json!({ "name": "Ana", "given_name": "Ana", "locale": "da" }));
        assert_eq!(update(&["--claim", "locale=", "--claim", "nickname=A=B"])["claims"], json!({ "name": "Ana", "given_name": "Ana", "nickname": "A=B" }));
        for wrong in ["email=x@y.example", "updated_at=5", "sub=x", "nonsense=1", "locale=??", "address={", "address=Denmark", "phone_number_verified=maybe"] {
            here.refused(&["user", "update", "--tenant", "acme", "--email", "ana@acme.example", "--claim", wrong], "invalid_value");
        }
        here.misused(&["user", "update", "--tenant", "acme", "--email", "ana@acme.example", "--claim", "locale"]);
        let moved = update(&["--new-email", "ana@new.example"]);
        assert_eq!((&moved["email"], &moved["email_verified"]), (&json!("ana@new.example"), &json!(false)), "what was verified is the old address");
        assert_eq!(here.events("acme", "user.updated"), 3);
        let update = |email: &str, arguments: &[&str]| here.json(&[&["user", "update", "--tenant", "acme", "--email", email], arguments].concat())["email_verified"].clone();
        assert_eq!(update("ana@new.example", &["--email-verified", "true"]), true);
        assert_eq!(update("ana@new.example", &["--new-email", "Ana@NEW.example"]), true, "the same address");
        assert_eq!(update("ana@new.example", &["--new-email", "ana@acme.example", "--email-verified", "true"]), true);
        assert_eq!(update("ana@acme.example", &["--new-email", "ANA@acme.example", "--email-verified", "false"]), false);
    }

    fn a_disabled_person_has_nothing_left(here: Installation) {
        here.tenant("acme");
        here.json(&["user", "create", "--tenant", "acme", "--email", "ana@acme.example"]);
        let person = ["--tenant", "acme", "--email", "ana@acme.example"];
        let user = |verb: &'static str| [&["user", verb] as &[&str], &person].concat();
        let disabled = here.json(&user("disable"));
        assert_eq!(disabled["status"], "disabled");
        assert!(disabled["disabled_at"].is_string());
        assert_eq!(here.raw().texts("SELECT CAST(count(*) AS text) AS value FROM one_time_links WHERE consumed_at IS NULL"), ["0"]);
        assert!(here.refused(&user("reset-password"), "refused").contains("enable the account first"));
        assert_eq!(here.json(&user("disable"))["status"], "disabled");
        assert_eq!(here.json(&user("enable"))["status"], "active");
        assert_eq!(here.json(&user("enable"))["status"], "active");
        assert_eq!((here.events("acme", "user.disabled"), here.events("acme", "user.enabled")), (1, 1));
        // A script isn't asked.
        let delete = user("delete");
        here.json(&delete);
        here.refused(&delete, "not_found");
        assert_eq!(here.events("acme", "user.deleted"), 1, "the events of a deleted person stay");
    }

    fn people_are_listed_and_searched(here: Installation) {
        here.tenant("acme");
        for name in ["ana", "bob", "b_b", "eve"] {
            here.json(&["user", "create", "--tenant", "acme", "--email", &format!("{name}@acme.example")]);
        }
        let found = |arguments: &[&str]| {
            let page = here.json(&[&["user", "list", "--tenant", "acme"], arguments].concat());
            page["users"].as_array().expect("a list").iter().map(|user| user["email"].as_str().expect("an address").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found(&[]).len(), 4);
        assert_eq!(found(&["--search", "B_"]), ["b_b@acme.example"]);
        assert_eq!(found(&["--search", "nobody"]).len(), 0);
        let page = here.json(&["user", "list", "--tenant", "acme", "--limit", "3"]);
        assert_eq!(found(&["--after", page["next"].as_str().expect("more")]), ["eve@acme.example"]);
        assert!(here.ok(&["user", "list", "--tenant", "system"]).contains("nobody"));
    }

    fn roles_are_granted_and_revoked(here: Installation) {
        here.tenant("acme");
        here.json(&["user", "create", "--tenant", "acme", "--email", "ana@acme.example"]);
        let role = |verb: &'static str, role: &'static str| ["role", verb, "--tenant", "acme", "--email", "ana@acme.example", role];
        assert_eq!(here.json(&role("grant", "user-manager"))["roles"], json!(["user-manager"]));
        assert_eq!(here.json(&role("grant", "administrator"))["roles"], json!(["administrator", "user-manager"]));
        assert_eq!(here.json(&role("grant", "administrator"))["roles"], json!(["administrator", "user-manager"]));
        assert_eq!(here.json(&role("revoke", "administrator"))["roles"], json!(["user-manager"]));
        assert_eq!(here.json(&role("revoke", "administrator"))["roles"], json!(["user-manager"]));
        assert_eq!((here.events("acme", "role.granted"), here.events("acme", "role.revoked")), (2, 1));
        here.refused(&["role", "grant", "--tenant", "acme", "--email", "bob@acme.example", "auditor"], "not_found");
    }
}
