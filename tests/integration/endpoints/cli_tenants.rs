//! `tessera tenant`.

use serde_json::json;

use crate::support::command::{Installation, command_test};

command_test! {
    fn a_tenant_is_made_shown_and_listed(here: Installation) {
        let made = here.json(&["tenant", "create", "acme", "--name", "Acme Corporation"]);
        assert_eq!(made["slug"], "acme");
        assert_eq!(made["status"], "active");
        assert_eq!(made["issuer"], "http://localhost:8080/t/acme");
        assert_eq!(made["issuers"], json!(["http://localhost:8080/t/acme"]));
        assert_eq!(here.json(&["tenant", "show", "acme"]), made);
        assert!(here.ok(&["tenant", "show", "acme"]).contains("Acme Corporation"));
        let told = here.ok(&["tenant", "create", "globex", "--name", "Globex"]);
        assert!(told.lines().count() < 10 && told.contains("http://localhost:8080/t/globex") && told.contains("tessera tenant show globex"), "{told}");
        assert!(told.trim_end().lines().last().is_some_and(|line| line.contains("tessera client create --tenant globex")), "{told}");
        assert_eq!(here.events("acme", "tenant.created"), 1);
        assert_eq!(here.events("acme", "key.created"), 1);
        let keys = here.json(&["key", "list", "--tenant", "acme"]);
        assert_eq!(keys["keys"][0]["algorithm"], "ES256");
        assert_eq!(keys["keys"][0]["state"], "signing");
    }

    fn lists_are_complete_unless_a_limit_is_given(here: Installation) {
        for number in 1..=5 {
            here.tenant(&format!("t{number}"));
        }
        let slugs = |arguments: &[&str]| {
            let page = here.json(&[&["tenant", "list"], arguments].concat());
            let slugs = page["tenants"].as_array().expect("a list").iter().map(|tenant| tenant["slug"].as_str().expect("a slug").to_owned());
            (slugs.collect::<Vec<_>>(), page["next"].as_str().map(ToOwned::to_owned))
        };
        assert_eq!(slugs(&[]), (["system", "t1", "t2", "t3", "t4", "t5"].map(ToOwned::to_owned).to_vec(), None));
        let (first, next) = slugs(&["--limit", "4"]);
        assert_eq!(first, ["system", "t1", "t2", "t3"]);
        assert_eq!(slugs(&["--after", &next.expect("more")]), (["t4", "t5"].map(ToOwned::to_owned).to_vec(), None));
        assert_eq!(slugs(&["--search", "t"]).0.len(), 5);
        assert_eq!(slugs(&["--search", "%"]).0.len(), 0);
        here.misused(&["tenant", "list", "--after", "t1"]);
    }

    fn a_slug_is_taken_once_and_some_are_never_given(here: Installation) {
        here.tenant("acme");
        let told = here.refused(&["tenant", "create", "acme", "--name", "Another"], "already_exists");
        assert_eq!(told, "a tenant with the slug `acme` exists already");
        for slug in ["system", "api", "Acme", "a--b", "-a", "a_b", "", &"a".repeat(64), "ac me"] {
            here.refused(&["tenant", "create", &format!("--name={slug} x"), "--", slug][..], "invalid_value");
        }
        for name in ["", " Acme", "Ac\nme", &"x".repeat(201)] {
            here.refused(&["tenant", "create", "other", "--name", name], "invalid_value");
        }
        for asked in [&["tenant", "show", "nobody"] as &[&str], &["tenant", "suspend", "nobody"], &["tenant", "update", "nobody", "--name", "x"]] {
            assert!(here.refused(asked, "not_found").contains("tessera tenant list"));
        }
    }

    fn settings_and_branding_are_changed_within_their_bounds(here: Installation) {
        here.tenant("acme");
        let changed = here.json(&[
            "tenant", "update", "acme", "--name", "Acme Rockets", "--set", "access_token_lifetime=600", "--set", "password.minimum_length=12",
            "--set", "consent=always", "--set", "require_pkce=true", "--accent", "#102030", "--logo-uri", "https://acme.example/logo.png",
        ]);
        assert_eq!(changed["name"], "Acme Rockets");
        assert_eq!(changed["settings"]["access_token_lifetime"], 600);
        assert_eq!(changed["settings"]["password"]["minimum_length"], 12);
        assert_eq!(changed["settings"]["consent"], "always");
        assert_eq!(changed["settings"]["require_pkce"], true);
        assert_eq!(changed["branding"], json!({ "accent": "#102030", "logo_uri": "https://acme.example/logo.png" }));
        let changed = here.json(&["tenant", "update", "acme", "--accent", ""]);
        assert_eq!(changed["branding"], json!({ "logo_uri": "https://acme.example/logo.png" }), "the rest stays");
        assert_eq!(here.events("acme", "tenant.updated"), 2);
        for wrong in [
            ["--set", "access_token_lifetime=5"],
            ["--set", "access_token_lifetime=soon"],
            ["--set", "acces_token_lifetime=600"],
            ["--set", "consent=never"],
            ["--set", "require_pkce=yes"],
            ["--set", "backchannel_notice_uri=http://localhost:9/asked"],
            ["--set", "software_statement_issuers=[{\"issuer\":\"a\",\"jwks_uri\":\"http://localhost:9/jwks\"}]"],
            ["--set", "refresh_token_idle_lifetime=99999999"],
            ["--accent", "red"],
            ["--logo-uri", "https://acme.example/logo.svg"],
            ["--logo-uri", "http://acme.example/logo.png"],
            ["--logo-uri", "nothing"],
            ["--name", ""],
        ] {
            here.refused(&[&["tenant", "update", "acme"] as &[&str], &wrong].concat(), "invalid_value");
        }
        here.misused(&["tenant", "update", "acme", "--set", "access_token_lifetime"]);
        assert_eq!(here.json(&["tenant", "show", "acme"])["version"], changed["version"], "nothing was changed");
    }

    fn a_tenant_is_suspended_and_resumed(here: Installation) {
        here.tenant("acme");
        assert_eq!(here.json(&["tenant", "suspend", "acme"])["status"], "suspended");
        assert_eq!(here.json(&["tenant", "suspend", "acme"])["status"], "suspended", "twice does no harm");
        assert_eq!(here.json(&["tenant", "resume", "acme"])["status"], "active");
        assert_eq!((here.events("acme", "tenant.suspended"), here.events("acme", "tenant.resumed")), (1, 1));
        here.refused(&["tenant", "suspend", "system"], "refused");
    }

    fn a_deleted_tenant_leaves_nothing_but_the_operators_note(here: Installation) {
        here.tenant("acme");
        here.tenant("globex");
        here.json_with("correct horse battery", &["user", "create", "--tenant", "acme", "--email", "ana@acme.example", "--password-stdin"]);
        here.json(&["client", "create", "--tenant", "acme", "--name", "Shop", "--redirect-uri", "https://shop.example/cb"]);
        let told = here.misused(&["tenant", "delete", "acme"]);
        assert!(told.contains("--yes") && told.contains("Nothing can bring it back"), "{told}");
        here.json(&["tenant", "show", "acme"]);
        assert_eq!(here.json(&["tenant", "delete", "acme", "--yes"])["deleted"]["slug"], "acme");
        here.refused(&["tenant", "show", "acme"], "not_found");
        here.refused(&["tenant", "delete", "acme", "--yes"], "not_found");
        here.refused(&["tenant", "delete", "acme"], "not_found");
        assert_eq!(here.events("system", "tenant.deleted"), 1);
        let mut raw = here.raw();
        for table in ["users", "clients", "domains", "resources"] {
            assert_eq!(raw.count(table), 0, "{table}");
        }
        assert_eq!(raw.count("signing_keys"), 2, "those of globex and of the operators");
        here.refused(&["tenant", "delete", "system", "--yes"], "refused");
        here.tenant("acme");
    }

    fn a_deletion_that_was_interrupted_is_finished_by_another(here: Installation) {
        here.tenant("acme");
        here.raw().execute("UPDATE tenants SET status = 'deleting', sealed_data_key = NULL WHERE slug = 'acme'").expect("changed");
        here.refused(&["tenant", "show", "acme"], "not_found");
        here.refused(&["tenant", "resume", "acme"], "refused");
        let doctor = here.json(&["doctor"]);
        assert!(doctor.to_string().contains("not wholly deleted: acme"), "{doctor}");
        here.json(&["tenant", "delete", "acme", "--yes"]);
        here.tenant("acme");
    }
}
