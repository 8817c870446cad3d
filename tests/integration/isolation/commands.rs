//! The command line: a tenant's name with what belongs to another tenant. The grammar itself says which commands there are.

use std::collections::BTreeMap;

use serde_json::Value;

use super::digest::Shape;
use super::marks::{Letter, Marks, mark};
use crate::support::command::{Installation, command_test};

/// Commands that name no tenant and nothing of one, or a tenant and nothing else; and why they need no case.
const WITHOUT: &[(&str, &str)] = &[
    ("quickstart", "makes an installation of its own"),
    ("serve", "is what the cases over HTTP are for"),
    ("migrate", "the schema"),
    ("doctor", "the installation"),
    ("openapi", "a document that is the same everywhere"),
    ("master-key create", "the installation"),
    ("master-key rotate", "the installation"),
    (
        "operator create",
        "makes somebody of the operators' own tenant",
    ),
    ("tenant create", "names a tenant that there isn't"),
    (
        "tenant list",
        "shows all of them to whoever runs the installation",
    ),
    ("tenant show", "names a tenant and nothing of it"),
    ("tenant update", "names a tenant and nothing of it"),
    ("tenant suspend", "names a tenant and nothing of it"),
    ("tenant resume", "names a tenant and nothing of it"),
    ("tenant delete", "names a tenant and nothing of it"),
    (
        "tenant export",
        "names a tenant; what it shows is looked at below",
    ),
    (
        "tenant import",
        "reads a file, whose identifiers of other tenants `endpoints::cli_bulk` tries",
    ),
    ("user import", "the same"),
];

/// Commands that make or list something of the tenant that they name: they show nothing of another's.
const OWN: &[&str] = &[
    "user create",
    "user list",
    "client create",
    "client list",
    "client initial-access-token",
    "client initial-access-tokens",
    "resource create",
    "resource list",
    "external-subject list",
    "domain add",
    "domain list",
    "key list",
    "key rotate",
];

/// What a tenant is filled with, by the name of the option or argument that takes it.
struct Filled {
    letter: Letter,
    values: BTreeMap<&'static str, String>,
}

fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found
        .unwrap_or_else(|| panic!("no {pointer} in {value}"))
        .to_owned()
}

fn fill(here: &Installation, letter: Letter) -> Filled {
    let m = |label: &str| mark(letter, label);
    let slug = m("slug");
    here.json(&["tenant", "create", &slug, "--name", &m("name")]);
    let email = format!("{}@{}.example", m("person"), m("mail"));
    let tenant = ["--tenant", slug.as_str()];
    let of = |arguments: &[&str]| here.json(&[arguments, &tenant[..]].concat());
    let user = of(&[
        "user",
        "create",
        "--email",
        &email,
        "--name",
        &m("personname"),
    ]);
    let client = of(&[
        "client",
        "create",
        "--name",
        &m("web"),
        "--grant-type",
        "client_credentials",
    ]);
    let (identifier, domain) = (
        format!("https://{}.example", m("api")),
        format!("https://{}.example", m("login")),
    );
    of(&[
        "resource",
        "create",
        "--identifier",
        &identifier,
        "--name",
        &m("apiname"),
        "--scope",
        &m("read"),
    ]);
    of(&["domain", "add", &domain]);
    let token = of(&["client", "initial-access-token", "--name", &m("token")]);
    let keys = of(&["key", "list"]);
    let issuer = format!("https://{}.example", m("idp"));
    let name = of(&[
        "external-subject",
        "add",
        "--email",
        &email,
        "--issuer",
        &issuer,
        "--subject",
        &m("subject"),
    ]);
    let values = BTreeMap::from([
        ("tenant", slug.clone()),
        ("email", email),
        ("id", text(&user, "/id")),
        ("client_id", text(&client, "/client_id")),
        ("token_id", text(&token, "/id")),
        ("subject_id", text(&name, "/id")),
        ("issuer", issuer),
        ("subject", m("subjectname")),
        ("identifier", identifier),
        ("url", domain),
        ("kid", text(&keys, "/keys/0/kid")),
        ("positional", text(&keys, "/keys/0/kid")),
        ("named", text(&keys, "/keys/0/kid")),
        ("role", "auditor".to_owned()),
        ("roles", "auditor".to_owned()),
        ("scopes", m("read")),
        ("name", m("name")),
        ("search", "example".to_owned()),
        (
            "redirect_uris",
            format!("https://app.example/{}", m("redirect")),
        ),
    ]);
    Filled { letter, values }
}

/// Every command that does something.
fn leaves(command: &clap::Command, path: &str, all: &mut Vec<(String, clap::Command)>) {
    let mut below = command
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
        .peekable();
    if below.peek().is_none() {
        all.push((path.trim().to_owned(), command.clone()));
    }
    for command in below {
        leaves(command, &format!("{path} {}", command.get_name()), all);
    }
}

/// The ways to say which person, key or client it is: one at a time.
fn choices(command: &clap::Command) -> Vec<&'static str> {
    let known = [
        "email",
        "id",
        "client_id",
        "token_id",
        "subject_id",
        "identifier",
        "url",
        "named",
    ];
    let has = |name: &str| {
        command
            .get_arguments()
            .any(|argument| argument.get_id() == name)
    };
    known.into_iter().filter(|name| has(name)).collect()
}

/// The command at one tenant with what belongs to another.
fn arguments(
    path: &str,
    command: &clap::Command,
    at: &Filled,
    of: &Filled,
    choice: Option<&str>,
) -> Vec<String> {
    let mut line: Vec<String> = path.split(' ').map(ToOwned::to_owned).collect();
    let kinds = [
        "email",
        "id",
        "client_id",
        "token_id",
        "subject_id",
        "identifier",
        "url",
        "named",
        "positional",
    ];
    for argument in command.get_arguments() {
        let name = argument.get_id().as_str();
        let is_choice = kinds.contains(&name);
        let is_wanted = ["tenant", "role"].contains(&name)
            || (name == "name" && path.ends_with("update"))
            || (path == "client create" && ["name", "redirect_uris"].contains(&name));
        let wanted = if is_choice {
            choice == Some(name)
        } else {
            argument.is_required_set() || is_wanted
        };
        if !wanted || argument.is_global_set() {
            continue;
        }
        let value = if name == "tenant" {
            &at.values["tenant"]
        } else {
            of.values
                .get(name)
                .unwrap_or_else(|| panic!("no case is made for `{name}` of {path}"))
        };
        if let Some(long) = argument.get_long() {
            line.push(format!("--{long}"));
        }
        line.push(value.clone());
    }
    let mut confirming = command.get_arguments().filter_map(clap::Arg::get_long);
    if confirming.any(|long| long == "yes") {
        line.push("--yes".to_owned());
    }
    line
}

command_test! {
    fn a_command_reaches_what_its_tenant_has_and_nothing_else(here: Installation) {
        let (a, b) = (fill(here, 'a'), fill(here, 'b'));
        let (marks, shape) = (Marks::default(), Shape::of_raw(&mut here.raw()));
        let mut all = Vec::new();
        leaves(&tessera::cli::grammar(), "", &mut all);
        assert!(all.len() > 30, "{all:?}");
        let mut cases = 0;
        for (path, command) in &all {
            if WITHOUT.iter().any(|(known, _)| known == path) {
                continue;
            }
            let own = OWN.contains(&path.as_str());
            let choices = choices(command);
            assert!(own || !choices.is_empty(), "no case is made for `{path}`");
            for (at, of) in [(&a, &b), (&b, &a)] {
                let ways = if own { vec![choices.first().copied()] } else { choices.iter().copied().map(Some).collect() };
                for choice in ways {
                    // What is made or listed is the tenant's own.
                    let line = arguments(path, command, at, if own { at } else { of }, choice);
                    let line: Vec<&str> = line.iter().map(String::as_str).collect();
                    let before = shape.digest(&mut here.raw());
                    let done = here.run(&[&["--json"], &line[..]].concat());
                    cases += 1;
                    assert!(own || done.code == 1, "{line:?}: {done:?}");
                    assert!(!own || done.code < 2, "{line:?}: {done:?}");
                    let sent = marks.find(&line.join("\n"));
                    for mark in marks.find(&format!("{}\n{}", done.out, done.err)) {
                        let known = mark.tenant == at.letter || sent.iter().any(|known| known.text == mark.text);
                        assert!(known, "{line:?} shows {}: {done:?}", mark.text);
                    }
                    for (place, now) in shape.digest(&mut here.raw()) {
                        let may = own && place.0 == at.letter;
                        assert!(may || before.get(&place) == Some(&now), "{line:?} changes {place:?}");
                    }
                }
            }
        }
        // An export holds its tenant and no other.
        for tenant in [&a, &b] {
            let export = here.ok(&["tenant", "export", &tenant.values["tenant"]]);
            let found = marks.find(&export);
            assert!(found.len() > 5 && found.iter().all(|mark| mark.tenant == tenant.letter), "{export}");
        }
        // And with a person of its own, the same command does what it says.
        for tenant in [&a, &b] {
            let (slug, email) = (tenant.values["tenant"].as_str(), tenant.values["email"].as_str());
            assert_eq!(here.json(&["user", "show", "--tenant", slug, "--email", email])["email"], email);
            here.ok(&["role", "grant", "--tenant", slug, "--email", email, "auditor"]);
            here.ok(&["client", "show", "--tenant", slug, &tenant.values["client_id"]]);
        }
        println!("{cases} commands");
        assert!(cases >= 40, "{cases}");
    }
}
