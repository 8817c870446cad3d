//! JSON bodies, read strictly: what is wrong is told with the place where it is.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use super::answer::Refusal;

/// Reads a body.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let mut document = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut document).map_err(|error| {
        let at = pointer(error.path());
        refusal(error.inner(), at)
    })?;
    document
        .end()
        .map_err(|error| refusal(&error, String::new()))?;
    Ok(read)
}

/// Reads a document that stands in memory.
pub fn read_value<T: DeserializeOwned>(document: &Value) -> Result<T, Refusal> {
    serde_path_to_error::deserialize(document).map_err(|error| {
        let at = pointer(error.path());
        refusal(error.inner(), at)
    })
}

fn refusal(error: &serde_json::Error, at: String) -> Refusal {
    match error.classify() {
        Category::Data => {
            let reason = reason(error);
            match missing(&reason) {
                Some(name) => Refusal::new("invalid_value", "has to be there")
                    .at(format!("{at}/{}", escaped(name))),
                None => Refusal::new("invalid_value", reason).at(at),
            }
        }
        Category::Syntax | Category::Eof | Category::Io => Refusal::new(
            "malformed_request",
            format!("the body is no JSON document: {error}"),
        ),
    }
}

/// The member that isn't there, as serde tells it.
fn missing(reason: &str) -> Option<&str> {
    reason.strip_prefix("missing field `")?.strip_suffix('`')
}

/// A name as a part of a JSON pointer (RFC 6901 §3).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Without the line and the column: the pointer says where.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

fn pointer(path: &Path) -> String {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", escaped(key))),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[allow(dead_code, reason = "read, never looked at")]
        number: u8,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[allow(dead_code, reason = "read, never looked at")]
        list: Vec<Inner>,
    }

    fn fault(body: &str) -> (u16, Option<String>) {
        let refusal = read::<Outer>(body.as_bytes()).unwrap_err();
        (
            refusal.status,
            refusal
                .faults
                .first()
                .and_then(|fault| fault.pointer.clone()),
        )
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        assert_eq!(
            fault(r#"{"list":[{"number":1},{"number":"2"}]}"#),
            (422, Some("/list/1/number".into()))
        );
        assert_eq!(
            fault(r#"{"list":[{"number":1,"a/b":2}]}"#),
            (422, Some("/list/0/a~1b".into()))
        );
        assert_eq!(fault(r#"{"other":1}"#), (422, Some("/other".into())));
        assert_eq!(fault("{}"), (422, Some("/list".into())));
        assert_eq!(
            fault(r#"{"list":[{}]}"#),
            (422, Some("/list/0/number".into()))
        );
        assert_eq!(fault(r#"{"list":[]"#), (400, None));
        assert_eq!(fault(r#"{"list":[]} {}"#), (400, None));
        assert_eq!(fault(""), (400, None));
        assert_eq!(fault(&"[".repeat(100_000)).0, 422);
        assert!(read::<Value>("[".repeat(100_000).as_bytes()).is_err());
    }
}
