//! A client's metadata as the form has it, and the document that a form asks for.

use serde_json::{Map, Value};

use super::{Shape, all_fields};
use crate::http::console::layout::Shell;
use crate::http::console::parts::Draft;
use crate::protocol::client_metadata::ClientMetadata;

/// A document as the form shows it.
pub(super) fn draft_of(metadata: &ClientMetadata) -> Draft {
    let Ok(Value::Object(document)) = serde_json::to_value(metadata) else {
        return Draft::default();
    };
    let mut values: Vec<(&str, String)> = Vec::new();
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    for (name, shape) in all_fields() {
        let value = document.get(name);
        match (shape, value) {
            (Shape::Localized, _) => {
                let lines = document
                    .iter()
                    .filter(|(name, _)| name.contains('#'))
                    .map(|(name, value)| format!("{name} = {}", text(value)));
                values.push((name, lines.collect::<Vec<_>>().join("\n")));
            }
            (_, None) => {}
            (Shape::Flag, Some(value)) => {
                if value == &Value::Bool(true) {
                    values.push((name, "1".to_owned()));
                }
            }
            (Shape::Lines, Some(value)) => {
                let lines = value.as_array().into_iter().flatten().map(text);
                values.push((name, lines.collect::<Vec<_>>().join("\n")));
            }
            (Shape::Grants | Shape::Responses, Some(value)) => {
                values.extend(
                    value
                        .as_array()
                        .into_iter()
                        .flatten()
                        .map(|v| (name, text(v))),
                );
            }
            (Shape::Scopes, Some(value)) => {
                let scope = text(value);
                values.extend(scope.split_whitespace().map(|v| (name, v.to_owned())));
            }
            (Shape::Json, Some(value)) => {
                values.push((
                    name,
                    serde_json::to_string_pretty(value).unwrap_or_default(),
                ));
            }
            (_, Some(value)) => values.push((name, text(value))),
        }
    }
    Draft::new(values)
}

/// The document that a form asks for; what can't be one is said beside its field.
pub(super) fn document_of(page: Shell<'_>, draft: &mut Draft) -> Value {
    let mut document = Map::new();
    let mut wrong = Vec::new();
    for (name, shape) in all_fields() {
        let given = draft.given(name);
        let value = match (shape, given) {
            (Shape::Lines, _) => draft.lines(name).into(),
            (Shape::Flag, given) => given.is_some().into(),
            (Shape::Grants | Shape::Responses, _) => draft.values(name).collect::<Vec<_>>().into(),
            (Shape::Scopes, _) => draft.values(name).collect::<Vec<_>>().join(" ").into(),
            (Shape::Localized, _) => {
                for line in draft.lines(name) {
                    match line.split_once('=') {
                        Some((member, value)) if member.contains('#') => {
                            let value = value.trim().into();
                            document.insert(member.trim().to_owned(), value);
                        }
                        _ => wrong.push((name, page.t("client-localized-wrong"))),
                    }
                }
                continue;
            }
            (_, None) => continue,
            (Shape::Number, Some(text)) => {
                if let Ok(number) = text.parse::<u32>() {
                    number.into()
                } else {
                    wrong.push((name, page.t("client-number-wrong")));
                    continue;
                }
            }
            (Shape::Json, Some(text)) => {
                if let Ok(value) = serde_json::from_str(text) {
                    value
                } else {
                    wrong.push((name, page.t("client-json-wrong")));
                    continue;
                }
            }
            (_, Some(text)) => text.into(),
        };
        document.insert(name.to_owned(), value);
    }
    for (name, problem) in wrong {
        draft.blame(name, problem);
    }
    Value::Object(document)
}

/// The field that a member with a language is shown in.
pub(super) fn place(field: &str) -> &str {
    if field.contains('#') {
        "localized"
    } else {
        field
    }
}
