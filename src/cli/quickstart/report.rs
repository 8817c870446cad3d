//! What quickstart tells a person.

use std::fmt::Write as _;

use super::memory::Document;

/// The addresses and credentials, and what to do with them. `command` is how a command begins that works on the same data.
pub fn text(document: &Document, command: &str) -> String {
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = writeln!(
        text,
        "\nTessera runs. Open the demo application and sign in:\n\n    {}\n",
        document.demo_app
    );
    for tenant in &document.tenants {
        let _ = writeln!(
            text,
            "Tenant {}\n    issuer          {1}\n    console         {1}/console",
            tenant.slug, tenant.issuer
        );
        for user in &tenant.users {
            let who = if user.roles.is_empty() {
                "person".to_owned()
            } else {
                user.roles.join(", ")
            };
            let _ = writeln!(text, "    {who:<15} {}   {}", user.email, user.password);
        }
        for client in &tenant.clients {
            for (label, name) in [
                ("client", "client_name"),
                ("  client_id", "client_id"),
                ("  client_secret", "client_secret"),
            ] {
                if let Some(value) = client.get(name).and_then(serde_json::Value::as_str) {
                    let _ = writeln!(text, "    {label:<15} {value}");
                }
            }
        }
        text.push('\n');
    }
    let operator = &document.operator;
    let _ = writeln!(
        text,
        "Operator of the installation\n    issuer          {}\n    console         {}",
        operator.issuer, document.console
    );
    for user in &operator.users {
        let _ = writeln!(
            text,
            "    person          {}   {}",
            user.email, user.password
        );
    }
    let _ = writeln!(
        text,
        "    program\n      client_id     {}\n      client_secret {}",
        operator.client_id, operator.client_secret
    );
    let _ = writeln!(
        text,
        "\nCommands on the same data begin with: {command}\nYour own application: docs/src/developers.md. The same again with `--json`. Stop with Ctrl-C; running it again keeps everything."
    );
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whoever_reads_it_has_every_address_and_credential() {
        let document: Document = serde_json::from_value(json!({
            "tenants": [{
                "slug": "acme", "name": "Acme", "issuer": "http://localhost:9000/t/acme",
                "users": [{ "email": "ana@acme.example", "password": "one" }, { "email": "admin@acme.example", "password": "two", "roles": ["administrator"] }],
                "clients": [{ "client_id": "three", "client_secret": "four", "client_name": "Demo" }, { "client_id": "five", "client_name": "Public" }],
            }],
            "operator": { "client_id": "six", "client_secret": "seven", "issuer": "http://localhost:9000/t/system", "users": [{ "email": "olga@system.example", "password": "eight" }] },
            "demo_app": "http://localhost:8081", "console": "http://localhost:9000/t/system/console",
        }))
        .expect("a document");
        let text = text(&document, "tessera --data-dir /data");
        for line in [
            "    http://localhost:8081",
            "    issuer          http://localhost:9000/t/acme",
            "    console         http://localhost:9000/t/acme/console",
            "    person          ana@acme.example   one",
            "    administrator   admin@acme.example   two",
            "    client          Demo",
            "      client_id     three",
            "      client_secret four",
            "      client_id     five",
            "    console         http://localhost:9000/t/system/console",
            "    person          olga@system.example   eight",
            "      client_id     six",
            "      client_secret seven",
            "Commands on the same data begin with: tessera --data-dir /data",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}: {text}");
        }
        assert_eq!(text.matches("client_secret").count(), 2, "{text}");
    }
}
