//! JSON bodies, read strictly: what is wrong is told with the place where it is.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::error::Category;
use serde_json::{Error, Value};
use serde_path_to_error::{Path, Segment};

use super::answer::Refusal;

/// Reads a body.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let mut document = serde_json::Deserializer::from_slice(body);
    // By the text first: a value has forgotten that a member was there twice.
    let _: T = serde_path_to_error::deserialize(&mut document).map_err(|error| {
        let at = pointer(error.path());
        refusal(error.inner(), at)
    })?;
    document
        .end()
        .map_err(|error| refusal(&error, String::new()))?;
    let document: Value =
        serde_json::from_slice(body).map_err(|error| refusal(&error, String::new()))?;
    read_value(&document)
}

/// Reads a document that stands in memory.
pub fn read_value<T: DeserializeOwned>(document: &Value) -> Result<T, Refusal> {
    serde_path_to_error::deserialize(Document(document)).map_err(|error| {
        let at = pointer(error.path());
        refusal(error.inner(), at)
    })
}

/// A value whose objects are objects: by itself serde reads a struct from an array of its members' values, too.
struct Document<'de>(&'de Value);

impl<'de> Deserializer<'de> for Document<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(items) => SeqDeserializer::<_, Error>::new(items.iter().map(Document))
                .deserialize_any(visitor),
            Value::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| (name.as_str(), Document(value)));
                MapDeserializer::<_, Error>::new(members).deserialize_any(visitor)
            }
            scalar => scalar.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.0.is_object() {
            self.deserialize_any(visitor)
        } else {
            // Says what else it is.
            self.0.deserialize_map(visitor)
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Document<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn refusal(error: &Error, at: String) -> Refusal {
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
fn reason(error: &Error) -> String {
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
        assert_eq!(fault("[[]]"), (422, Some(String::new())));
        assert_eq!(fault(r#"{"list":[[1]]}"#), (422, Some("/list/0".into())));
        assert_eq!(fault(r#"{"list":[],"list":[]}"#).0, 422);
        assert_eq!(fault(r#"{"list":[]"#), (400, None));
        assert_eq!(fault(r#"{"list":[]} {}"#), (400, None));
        assert_eq!(fault(""), (400, None));
        assert_eq!(fault(&"[".repeat(100_000)).0, 422);
        assert!(read::<Value>("[".repeat(100_000).as_bytes()).is_err());
    }
}
