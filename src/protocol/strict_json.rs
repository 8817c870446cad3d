//! JSON that can't be read in two ways.
//!
//! RFC 7515 §4 and RFC 7519 §4 let a parser take the last of two members of the same name, and parsers differ: what one checks,
//! another uses. Here a repeated name is refused, at the top and inside. Size is the caller's to bound; depth is `serde_json`'s 128.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The text is not one JSON object with distinct names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON object with distinct member names")]
pub struct NotAStrictObject;

/// Reads one JSON object and nothing else.
pub fn parse_object(json: &[u8]) -> Result<Map<String, Value>, NotAStrictObject> {
    match serde_json::from_slice(json) {
        Ok(Strict(Value::Object(object))) => Ok(object),
        Ok(_) | Err(_) => Err(NotAStrictObject),
    }
}

/// Reads one JSON value, whichever; the names of its objects' members are distinct.
pub fn parse_value(json: &[u8]) -> Result<Value, NotAStrictObject> {
    match serde_json::from_slice(json) {
        Ok(Strict(value)) => Ok(value),
        Err(_) => Err(NotAStrictObject),
    }
}

/// Whether each number of a text that is JSON is one that is the same when it is printed again: whole ones of 64 bits, and others that have no more
/// digits than a double keeps. `1e400`, `0.1234567890123456789` and `18446744073709551616` aren't.
pub fn keeps_numbers(json: &str) -> bool {
    let (mut rest, mut kept) = (json, true);
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        rest = &rest[at..];
        let length = if let Some(text) = rest.strip_prefix('"') {
            let mut escaped = false;
            let end = text.find(|c: char| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |end| end + 2)
        } else {
            let length = rest
                .find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c)))
                .unwrap_or(rest.len());
            kept &= is_kept(&rest[..length]);
            length
        };
        rest = &rest[length..];
    }
    kept
}

fn is_kept(number: &str) -> bool {
    if !number.contains(['.', 'e', 'E']) {
        return number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    }
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let significant = digits.trim_matches('0');
    // Beyond 2^53 not even whole numbers are kept.
    let is_near = |value: f64| value.abs() < 9_007_199_254_740_992.0;
    let value = number.parse::<f64>().ok().filter(|value| is_near(*value));
    value.is_some_and(|value| {
        significant.is_empty() || (significant.len() <= 15 && value.abs() >= f64::MIN_POSITIVE)
    })
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON with distinct member names")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = sequence.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, _>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member name is repeated"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_as_serde_json_reads_it() {
        let json =
            r#" {"a":[1,-2,3.5,1e300,null,true,"\u00e9\n",18446744073709551615],"b":{"a":{}}} "#;
        let expected: Value = serde_json::from_str(json).unwrap();
        assert_eq!(
            parse_object(json.as_bytes()).map(Value::Object),
            Ok(expected)
        );
    }

    #[test]
    fn numbers_are_kept_or_not() {
        for kept in [
            "[]",
            "0",
            "[-1, 123.5,1e15,0.0, -0.5E-3]",
            "18446744073709551615",
            "-9223372036854775808",
            "0.000000123456789012345",
            "1000000000000000.0",
            r#"{"1e400":"18446744073709551616 \" 1e400","a\\":1}"#,
        ] {
            assert!(keeps_numbers(kept), "{kept}");
        }
        for lost in [
            "18446744073709551616",
            "-9223372036854775809",
            r#"{"a\\":1e16}"#,
            "1e400",
            "1e-400",
            "[1,[0.1234567890123456]]",
            "123456789.12345678",
            r#"{"amount":9007199254740993.0}"#,
        ] {
            assert!(!keeps_numbers(lost), "{lost}");
        }
    }

    #[test]
    fn repeated_names_are_refused_at_every_depth() {
        for json in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"a":null}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[[{"a":1,"a":2}]]}"#,
        ] {
            assert_eq!(
                parse_object(json.as_bytes()),
                Err(NotAStrictObject),
                "{json}"
            );
        }
    }

    #[test]
    fn only_one_whole_object_counts() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(1_000), "]".repeat(1_000));
        for json in [
            "",
            "[]",
            "null",
            "\"{}\"",
            "{}{}",
            "{} x",
            "{\"a\":1,}",
            "{'a':1}",
            "\u{feff}{}",
            &deep,
        ] {
            assert_eq!(
                parse_object(json.as_bytes()),
                Err(NotAStrictObject),
                "{json}"
            );
        }
        assert_eq!(parse_object(b"{\"a\":\"\xff\"}"), Err(NotAStrictObject));
    }
}
