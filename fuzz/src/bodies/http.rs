//! Whole requests to a whole server: whatever comes, the answer is a stranger's own fault, well formed, and leads nowhere else.

use serde_json::Value;

use super::text::text;
use super::world::{Answer, World};

/// Fields that the harness writes itself: a request that lies about its length is actix's to refuse, and would only be waited for.
const OWN_FIELDS: [&str; 7] = [
    "content-length",
    "transfer-encoding",
    "connection",
    "expect",
    "upgrade",
    "te",
    "trailer",
];

/// Where an answer may lead: our own addresses, and those that the world's clients have registered.
const PLACES: [&str; 5] = [
    "/",
    "http://localhost/",
    "https://orders.example/callback",
    "https://orders.example/bye",
    "http://127.0.0.1",
];

/// Sends `METHOD path`, the fields of the lines that follow, and after an empty line the body.
pub fn http(data: &[u8]) {
    let world = World::get();
    let mut input = text(data).into_owned();
    for (name, value) in &world.words {
        input = input.replace(name, value);
    }
    let (head, body) = input.split_once("\n\n").unwrap_or((&input, ""));
    let mut lines = head.lines();
    let (method, path) = lines
        .next()
        .and_then(|line| line.split_once(' '))
        .unwrap_or(("GET", "/"));
    if method.is_empty() || method.contains(['\r', '\0']) || !path.starts_with('/') {
        return;
    }
    let mut request = format!("{method} {path} HTTP/1.1\r\n");
    let mut has_host = false;
    for line in lines {
        let name = line.split(':').next().unwrap_or_default().trim();
        let name = name.to_ascii_lowercase();
        if name.is_empty() || OWN_FIELDS.contains(&name.as_str()) {
            continue;
        }
        has_host |= name == "host";
        request.push_str(line);
        request.push_str("\r\n");
    }
    if !has_host {
        request.push_str("Host: localhost\r\n");
    }
    let length = body.len();
    let end = format!("Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    let answer = world.send(&[request.as_bytes(), end.as_bytes()].concat());
    check(&answer, &input);
}

fn check(answer: &Answer, input: &str) {
    assert!(
        (200..500).contains(&answer.status),
        "{} for {input}\n{}",
        answer.status,
        answer.body
    );
    for (name, value) in &answer.fields {
        assert!(value.chars().all(|c| !c.is_control()), "{name}: {value:?}");
        match name.as_str() {
            "location" => assert!(leads_home(value), "{input} leads to {value}"),
            "set-cookie" => assert!(value.contains("HttpOnly"), "{value}"),
            "access-control-allow-origin" => assert!(
                ["*", "https://orders.example", "http://localhost"].contains(&value.as_str()),
                "{value}"
            ),
            _ => {}
        }
    }
    let kind = answer.field("content-type").unwrap_or_default();
    if kind.starts_with("text/html") {
        assert!(!answer.body.contains("<x"), "{input}\n{}", answer.body);
        assert!(answer.field("content-security-policy").is_some(), "{input}");
    }
    if kind.contains("json") && !answer.body.is_empty() {
        let body: Value = serde_json::from_str(&answer.body)
            .unwrap_or_else(|error| panic!("{error}: {}", answer.body));
        if answer.status >= 400 {
            let code = body.get("error").or_else(|| body.get("code"));
            assert!(code.is_some_and(Value::is_string), "{body}");
        }
    }
}

/// Whether an address is one of [`PLACES`], followed by nothing that could make it another.
fn leads_home(location: &str) -> bool {
    if location.starts_with("//") || location.starts_with("/\\") {
        return false;
    }
    PLACES.iter().any(|place| {
        location.strip_prefix(place).is_some_and(|rest| {
            place.ends_with('/') || rest.is_empty() || rest.starts_with(['/', '?', '#', ':'])
        })
    })
}
