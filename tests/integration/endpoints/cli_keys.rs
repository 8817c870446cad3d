//! `tessera key`, `tessera master-key` and `tessera operator`.

use serde_json::{Value, json};

use crate::support::command::{Installation, command_test};

fn states(here: &Installation) -> Vec<String> {
    let keys = here.json(&["key", "list", "--tenant", "acme"]);
    let mut states = keys["keys"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|key| {
            format!(
                "{} {}",
                key["algorithm"].as_str().expect("a name"),
                key["state"].as_str().expect("a state")
            )
        })
        .collect::<Vec<_>>();
    states.sort();
    states
}

command_test! {
    fn keys_are_rotated_without_anybody_noticing(here: Installation) {
        here.tenant("acme");
        let successors = here.json(&["key", "rotate", "--tenant", "acme"]);
        assert_eq!(successors["keys"][0]["state"], "published");
        assert_eq!(states(here), ["ES256 published", "ES256 signing"]);
        here.json(&["key", "rotate", "--tenant", "acme", "--immediately"]);
        assert!(states(here).contains(&"ES256 signing".to_owned()));
        let first = here.json(&["key", "rotate", "--tenant", "acme", "--algorithm", "EdDSA"]);
        assert_eq!((&first["keys"][0]["algorithm"], &first["keys"][0]["state"]), (&json!("EdDSA"), &json!("signing")), "an algorithm without a key gets its first, and whoever asked is told: {first}");
        let told = here.raw().texts("SELECT actor AS value FROM audit_events WHERE act = 'key.created' ORDER BY at, id");
        assert!(told.last().is_some_and(|actor| actor.contains("command_line")), "{told:?}");
        let listed = here.json(&["key", "list", "--tenant", "acme"]);
        assert!(!listed.to_string().contains("\"d\""), "nothing private is shown: {listed}");
        assert_eq!(here.events("acme", "key.rotated"), 2);
    }

    /// Who rotates at once ends all that signed before, one that was to sign until tomorrow too: it never signs again.
    fn a_key_that_was_left_never_signs_again(here: Installation) {
        here.tenant("acme");
        let kid_of = |state: &str| {
            let listed = here.json(&["key", "list", "--tenant", "acme"]);
            let keys = listed["keys"].as_array().expect("keys").clone();
            let mut fitting = keys.iter().filter(|key| key["state"] == state);
            let kid = fitting.next().expect("a key")["kid"].as_str().expect("a kid").to_owned();
            assert!(fitting.next().is_none(), "{state}: {listed}");
            kid
        };
        let first = kid_of("signing");
        here.json(&["key", "rotate", "--tenant", "acme"]);
        let ahead = kid_of("published");
        here.json(&["key", "rotate", "--tenant", "acme", "--immediately"]);
        let second = kid_of("signing");
        assert!(second != first && second != ahead);
        here.json(&["key", "revoke", "--tenant", "acme", "--kid", &second, "--yes"]);
        let third = kid_of("signing");
        assert!(![&first, &ahead, &second].contains(&&third), "neither the leaked one nor one that was overtaken");
        assert_eq!(states(here), ["ES256 retired", "ES256 retired", "ES256 revoked", "ES256 signing"]);
        // Nor where the one ahead is revoked before its time: what signs until then has no successor.
        here.json(&["key", "rotate", "--tenant", "acme"]);
        here.json(&["key", "revoke", "--tenant", "acme", "--kid", &kid_of("published"), "--yes"]);
        assert!(kid_of("signing") != third);
        assert_eq!(states(here).iter().filter(|state| *state == "ES256 retired").count(), 3);
    }

    fn a_revoked_key_is_followed_by_another(here: Installation) {
        here.tenant("acme");
        let kid = here.json(&["key", "list", "--tenant", "acme"])["keys"][0]["kid"].as_str().expect("a kid").to_owned();
        assert!(here.misused(&["key", "revoke", "--tenant", "acme", &kid]).contains("--yes"));
        assert_eq!(states(here), ["ES256 signing"]);
        assert_eq!(here.json(&["key", "revoke", "--tenant", "acme", "--kid", &kid, "--yes"])["state"], "revoked");
        assert_eq!(states(here), ["ES256 revoked", "ES256 signing"]);
        here.json(&["key", "revoke", "--tenant", "acme", &kid, "--yes"]);
        assert_eq!(here.events("acme", "key.revoked"), 1);
        // A thumbprint may begin with hyphens, whose rest looks like a flag or two.
        here.refused(&["key", "revoke", "--tenant", "acme", "unknown"], "not_found");
        for unknown in ["unknown", "-unknown", "-hyphenated", "--unknown", "-", "-cHNZQzpArlnCR-2qLPSg2yL0m8fSO-Hj__PX5N9Rlk"] {
            here.refused(&["key", "revoke", "--tenant", "acme", unknown, "--yes"], "not_found");
            here.refused(&["key", "revoke", "--tenant", "acme", "--kid", unknown, "--yes"], "not_found");
        }
        assert!(here.misused(&["key", "revoke", "--tenant", "acme", "unknown", "-unknown", "--yes"]).contains("-u"));
    }

    fn a_master_key_file_is_never_overwritten(here: Installation) {
        let before = std::fs::read(here.path("data/master.key")).expect("a key");
        here.refused(&["master-key", "create"], "already_exists");
        assert_eq!(std::fs::read(here.path("data/master.key")).expect("a key"), before);
        let file = here.path("elsewhere/other.key");
        let made = here.json(&["master-key", "create", "--file", file.to_str().expect("UTF-8")]);
        assert_eq!(made["fingerprint"].as_str().expect("a fingerprint").len(), 32);
        assert!(file.exists());
    }

    fn the_master_key_is_rotated(here: Installation) {
        here.tenant("acme");
        let client = here.json(&["client", "create", "--tenant", "acme", "--name", "Shop", "--redirect-uri", "https://shop.example/cb"]);
        let path = here.path("data/master.key");
        let before = std::fs::read(&path).expect("a key");
        let rotated = here.json(&["master-key", "rotate"]);
        assert_eq!(rotated["tenants"], 2, "acme and the operators'");
        assert_ne!(std::fs::read(&path).expect("a key"), before);
        assert_eq!(std::fs::read(here.path("data/master.key.old")).expect("the old key"), before, "backups need it");
        assert!(!here.path("data/master.key.new").exists());
        here.json(&["key", "rotate", "--tenant", "acme"]);
        here.json(&["client", "rotate-secret", "--tenant", "acme", client["client_id"].as_str().expect("an id")]);
        assert_eq!(here.events("system", "master_key.rotated"), 1);
        here.refused(&["master-key", "rotate"], "already_exists");
        // Into a file of one's own the present one stays.
        let other = here.path("other.key");
        let told = here.ok(&["master-key", "rotate", "--file", other.to_str().expect("UTF-8")]);
        assert!(told.contains(&format!("Keep the old key, which is in {}", path.display())), "{told}");
        let told = here.refused(&["tenant", "list"], "master_key_unusable");
        assert!(told.contains("not the database's"), "{told}");
        std::fs::rename(&other, &path).expect("moved");
        here.ok(&["tenant", "list"]);
    }

    fn an_interrupted_rotation_is_told_how_to_go_on(here: Installation) {
        here.tenant("acme");
        let (present, new) = (here.path("data/master.key"), here.path("data/master.key.new"));
        here.json(&["master-key", "rotate", "--file", new.to_str().expect("UTF-8")]);
        let told = here.refused(&["tenant", "list"], "master_key_unusable");
        assert!(told.contains("master.key.new") && told.contains("move it into place"), "{told}");
        std::fs::rename(&new, &present).expect("moved");
        here.ok(&["tenant", "list"]);
        let told = here.ok(&["master-key", "rotate"]);
        assert!(told.contains("Keep the old key, which is in ") && told.contains("data/master.key.old"), "{told}");
    }

    fn operators_are_programs_or_people(here: Installation) {
        let program = here.json(&["operator", "create", "--name", "Deployment"]);
        assert_eq!(program["scope"], "tessera:admin");
        assert_eq!(program["grant_types"], json!(["client_credentials"]));
        assert_eq!(program["default_audience"], "http://localhost:8080/api/v1");
        assert_eq!(program["issuer"], "http://localhost:8080/t/system");
        assert!(program["client_secret"].is_string());
        let person = here.json(&["operator", "create", "--email", "root@example.com"]);
        assert_eq!(person["roles"], json!(["administrator"]));
        assert!(person["link"].as_str().expect("a link").starts_with("http://localhost:8080/t/system/link/"));
        here.refused(&["operator", "create", "--email", "root@example.com"], "already_exists");
        here.refused(&["operator", "create", "--name", ""], "invalid_value");
        let listed: Value = here.json(&["user", "list", "--tenant", "system"]);
        assert_eq!(listed["users"][0]["email"], "root@example.com");
        assert_eq!((here.events("system", "client.created"), here.events("system", "user.created")), (1, 1));
    }
}
