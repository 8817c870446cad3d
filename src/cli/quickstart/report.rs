//! What quickstart tells a person.

use std::fmt::Write as _;

use super::memory::Document;

/// The addresses and credentials, and what to do with them.
pub fn text(document: &Document) -> String {
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
            "Tenant {}\n    issuer          {}",
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
            let field = |name: &str| {
                client
                    .get(name)
                    .and_then(serde_json::Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let _ = writeln!(
                text,
                "    client          {}   {}",
                field("client_id"),
                field("client_name")
            );
            if !field("client_secret").is_empty() {
                let _ = writeln!(text, "                    {}", field("client_secret"));
            }
        }
        text.push('\n');
    }
    let operator = &document.operator;
    let _ = writeln!(
        text,
        "Operator of the installation\n    issuer          {}",
        operator.issuer
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
        "    program         {}\n                    {}",
        operator.client_id, operator.client_secret
    );
    text.push_str(
        "\nThe same again with `--json`. Stop with Ctrl-C; running it again keeps everything.\n",
    );
    text
}
