//! Rich authorization requests ([RFC 9396](https://www.rfc-editor.org/rfc/rfc9396)): what is asked for as objects of a type (§2), the types that a
//! tenant's APIs know, and how much of what was granted a later request may ask for (§6).
//!
//! What is granted is what was asked for: nothing is added to it (§7.1), and nothing that a type doesn't name is taken (§5). Left out: types
//! whose members are known to nobody but their API.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::errors::{ErrorCode, OAuthError, short};
use super::params::Params;
use super::strict_json::{keeps_numbers, parse_value};

/// The longest parameter, in bytes: as it comes, and as it is printed again. A token has to fit into a header.
pub const MAX_BYTES: usize = 4096;
/// The most objects of one request.
pub const MAX_DETAILS: usize = 10;
/// The most types of one API, and of one client.
pub const MAX_TYPES: usize = 20;
/// The longest name of a type, in bytes.
pub const MAX_TYPE_NAME: usize = 200;

const MAX_DEPTH: usize = 6;
const MAX_VALUES: usize = 50;
const MAX_TEXT: usize = 500;
const MAX_WORDS: usize = 300;
const MAX_FIELDS: usize = 30;

/// The members that RFC 9396 §2.2 gives a meaning, besides `type`.
const COMMON: [&str; 5] = [
    "locations",
    "actions",
    "datatypes",
    "identifier",
    "privileges",
];

fn invalid(description: impl Into<String>) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidAuthorizationDetails, description.into())
}

/// What is asked for, or was granted (§2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuthorizationDetails(Vec<AuthorizationDetail>);

/// One object of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuthorizationDetail(Map<String, Value>);

impl AuthorizationDetail {
    /// Its `type`.
    pub fn kind(&self) -> &str {
        self.0
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Whether `asked` asks for no more than this: the same, but for lists of §2.2 that name fewer values. A list that is left out would mean
    /// something else, so it must be there; and an empty one is no part of another.
    fn covers(&self, asked: &Self) -> bool {
        self.0.len() == asked.0.len()
            && asked.0.iter().all(|(name, value)| {
                let Some(own) = self.0.get(name) else {
                    return false;
                };
                match (own, value) {
                    (own, value) if own == value => true,
                    (Value::Array(own), Value::Array(values)) if COMMON.contains(&&**name) => {
                        !values.is_empty() && values.iter().all(|value| own.contains(value))
                    }
                    _ => false,
                }
            })
    }
}

impl AuthorizationDetails {
    /// Reads the parameter; absent and an empty list are the same.
    pub fn from_params(params: &Params) -> Result<Self, OAuthError> {
        match params.get("authorization_details")? {
            Some(text) => Self::parse(text),
            None => Ok(Self::default()),
        }
    }

    /// Reads a list. Whether its types are known, and what they allow, is for [`DetailsType::check_detail`].
    pub fn parse(text: &str) -> Result<Self, OAuthError> {
        let too_large = || {
            invalid(format!(
                "authorization_details is too large: at most {MAX_BYTES} bytes, {MAX_DETAILS} objects and {MAX_DEPTH} levels of nesting are accepted"
            ))
        };
        if text.len() > MAX_BYTES {
            return Err(too_large());
        }
        let document = parse_value(text.as_bytes()).map_err(|_| {
            invalid("authorization_details must be a JSON array of objects with distinct names")
        })?;
        if !keeps_numbers(text) {
            return Err(invalid(
                "a number in authorization_details has more digits than can be kept exactly; send it as a text",
            ));
        }
        let Value::Array(objects) = document else {
            return Err(invalid(
                "authorization_details must be a JSON array of objects",
            ));
        };
        if objects.len() > MAX_DETAILS {
            return Err(too_large());
        }
        let mut details: Vec<AuthorizationDetail> = Vec::new();
        for object in objects {
            // The list itself is a level.
            if depth(&object) >= MAX_DEPTH {
                return Err(too_large());
            }
            let Value::Object(members) = object else {
                return Err(invalid(
                    "authorization_details must be a JSON array of objects",
                ));
            };
            let named = members.get("type").and_then(Value::as_str);
            if !named.is_some_and(is_type_name) {
                return Err(invalid(
                    "each object in authorization_details needs a type, which is a text",
                ));
            }
            let detail = AuthorizationDetail(members);
            if !details.contains(&detail) {
                details.push(detail);
            }
        }
        let details = Self(details);
        // `1e15` is printed as `1000000000000000.0`.
        if details.to_string().len() > MAX_BYTES {
            return Err(too_large());
        }
        Ok(details)
    }

    /// The objects.
    pub fn iter(&self) -> impl Iterator<Item = &AuthorizationDetail> {
        self.0.iter()
    }

    /// What the audit is told of them: their types, and what of §2.2 a type's definition lists. What a request says in its own words, amounts and
    /// accounts and names of people, stays out.
    pub fn told(&self) -> Value {
        let told = |detail: &AuthorizationDetail| {
            let mut members = detail.0.clone();
            members.retain(|name, _| {
                name == "type" || COMMON.contains(&&**name) && name != "identifier"
            });
            Value::Object(members)
        };
        self.iter().map(told).collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether nothing of `asked` goes beyond these (§6): each of its objects is covered by one of them.
    pub fn cover(&self, asked: &Self) -> bool {
        asked
            .iter()
            .all(|asked| self.iter().any(|own| own.covers(asked)))
    }

    /// Those of them that are still to be had.
    #[must_use]
    pub fn retain(&self, fits: impl Fn(&AuthorizationDetail) -> bool) -> Self {
        Self(self.iter().filter(|detail| fits(detail)).cloned().collect())
    }
}

impl std::fmt::Display for AuthorizationDetails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| std::fmt::Error)?)
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// Whether a type may be called so: visible ASCII, as a short name or as a URI (§2).
pub fn is_type_name(name: &str) -> bool {
    (1..=MAX_TYPE_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A type of authorization details that an API understands, and what people read of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AuthorizationDetailsType")]
pub struct DetailsType {
    /// Its name, as `type` says it.
    #[serde(rename = "type")]
    pub name: String,
    /// What the consent page says, by language (`en`, `de`): a sentence with members of the object in braces, as `Pay {amount.value}`. Whatever it
    /// doesn't name is listed below it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<String, String>,
    /// What `actions` may hold; without any, there is no such member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// What `datatypes` may hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datatypes: Vec<String>,
    /// What `privileges` may hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub privileges: Vec<String>,
    /// Whether `identifier` may name one thing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub identifier: bool,
    /// Members of its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, FieldKind>,
    /// Members without which it is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
}

/// What a member of a type's own may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AuthorizationDetailsField")]
pub enum FieldKind {
    /// A text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A list of texts.
    Texts,
    /// An object, or a list of objects, whose members are the API's business.
    Object,
}

/// What people read of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The sentence; the type's name where there is none.
    pub sentence: String,
    /// What the sentence doesn't say: members and their values.
    pub rest: Vec<(String, String)>,
}

impl DetailsType {
    /// What a definition has to be; an error says what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let name = &self.name;
        if !is_type_name(name) {
            return Err(format!(
                "a type must be called by 1 to {MAX_TYPE_NAME} visible ASCII characters"
            ));
        }
        for (member, values) in [
            ("actions", &self.actions),
            ("datatypes", &self.datatypes),
            ("privileges", &self.privileges),
        ] {
            if values.len() > MAX_VALUES || !values.iter().all(|value| is_text(value)) {
                return Err(format!(
                    "{member} of `{name}` must hold at most {MAX_VALUES} texts of 1 to {MAX_TEXT} characters"
                ));
            }
        }
        let is_member = |member: &str| {
            (1..=64).contains(&member.len())
                && member
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        };
        let sound = |member: &String| {
            is_member(member) && member != "type" && !COMMON.contains(&member.as_str())
        };
        if self.fields.len() > MAX_FIELDS || !self.fields.keys().all(sound) {
            return Err(format!(
                "fields of `{name}` must be at most {MAX_FIELDS}, called by letters, digits, _ and -, and none that RFC 9396 section 2.2 names"
            ));
        }
        if let Some(unknown) = self.required.iter().find(|member| !self.knows(member)) {
            return Err(format!(
                "`{name}` requires `{}`, which it doesn't know",
                short(unknown)
            ));
        }
        for (language, words) in &self.words {
            let is_tag = (2..=35).contains(&language.len())
                && language
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if !is_tag {
                return Err(format!(
                    "words of `{name}` must stand under languages, as `en`"
                ));
            }
            if words.chars().count() > MAX_WORDS || !is_text(words) {
                return Err(format!(
                    "words of `{name}` must be 1 to {MAX_WORDS} characters, without control characters"
                ));
            }
            let mut named = places(words);
            if let Some(unknown) =
                named.find(|path| !self.knows(path.split('.').next().unwrap_or_default()))
            {
                return Err(format!(
                    "words of `{name}` name `{{{}}}`, which it doesn't know",
                    short(unknown)
                ));
            }
        }
        Ok(())
    }

    fn knows(&self, member: &str) -> bool {
        match member {
            "locations" => true,
            "actions" => !self.actions.is_empty(),
            "datatypes" => !self.datatypes.is_empty(),
            "privileges" => !self.privileges.is_empty(),
            "identifier" => self.identifier,
            member => self.fields.contains_key(member),
        }
    }

    /// Refuses an object that isn't of this type (§5); `location` is the identifier of the API whose type it is.
    pub fn check_detail(
        &self,
        detail: &AuthorizationDetail,
        location: &str,
    ) -> Result<(), OAuthError> {
        let name = &self.name;
        for (member, value) in &detail.0 {
            if member == "type" {
                continue;
            }
            if !self.knows(member) {
                return Err(invalid(format!("{name} has no member `{}`", short(member))));
            }
            let fits = match member.as_str() {
                "locations" => among(value, &[location.to_owned()]),
                "actions" => among(value, &self.actions),
                "datatypes" => among(value, &self.datatypes),
                "privileges" => among(value, &self.privileges),
                "identifier" => value.as_str().is_some_and(is_text),
                _ => self
                    .fields
                    .get(member)
                    .is_some_and(|kind| kind.accepts(value)),
            };
            if !fits {
                return Err(invalid(format!(
                    "{name} doesn't take this as its `{}`",
                    short(member)
                )));
            }
        }
        match self
            .required
            .iter()
            .find(|member| !detail.0.contains_key(*member))
        {
            Some(missing) => Err(invalid(format!("{name} needs `{}`", short(missing)))),
            None => Ok(()),
        }
    }

    /// An object in words: the sentence of the first of these languages that there is one in, else in English, else in any.
    pub fn in_words<'a>(
        &self,
        detail: &AuthorizationDetail,
        languages: impl IntoIterator<Item = &'a str>,
    ) -> Words {
        let mut leaves = Vec::new();
        for (member, value) in detail.0.iter().filter(|(member, _)| *member != "type") {
            flatten(member, value, &mut leaves);
        }
        let found = languages
            .into_iter()
            .find_map(|language| self.words.get(language))
            .or_else(|| self.words.get("en"))
            .or_else(|| self.words.values().next());
        let Some(template) = found else {
            return Words {
                sentence: self.name.clone(),
                rest: leaves,
            };
        };
        let is_below = |path: &str, place: &str| {
            path.strip_prefix(place)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let value_of = |place: &str| {
            let values: Vec<_> = leaves
                .iter()
                .filter(|(path, _)| is_below(path, place))
                .map(|(_, value)| value.as_str())
                .collect();
            if values.is_empty() {
                "–".to_owned()
            } else {
                values.join(", ")
            }
        };
        // In one pass: what a value says is never taken for a place.
        let mut sentence = String::new();
        for part in parts(template) {
            match part {
                Part::Words(words) => sentence.push_str(words),
                Part::Place(place) => push_isolated(&mut sentence, &value_of(place)),
            }
        }
        let said = |path: &str| places(template).any(|place| is_below(path, place));
        leaves.retain(|(path, _)| !said(path));
        Words {
            sentence,
            rest: leaves,
        }
    }
}

/// Adds a value so that one which is read from right to left turns nothing around it: no value holds these marks itself.
fn push_isolated(sentence: &mut String, value: &str) {
    let turns = |c: char| matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}');
    if value.contains(turns) {
        sentence.push('\u{2068}');
        sentence.push_str(value);
        sentence.push('\u{2069}');
    } else {
        sentence.push_str(value);
    }
}

impl FieldKind {
    fn accepts(self, value: &Value) -> bool {
        let text = |value: &Value| value.as_str().is_some_and(is_text);
        match self {
            Self::Text => text(value),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Texts => value
                .as_array()
                .is_some_and(|values| values.len() <= MAX_VALUES && values.iter().all(text)),
            Self::Object => match value {
                Value::Object(_) => are_texts_sound(value),
                Value::Array(values) => {
                    values.iter().all(Value::is_object) && are_texts_sound(value)
                }
                _ => false,
            },
        }
    }
}

/// A text that can be shown: no control characters, none that break a line or can't be seen, and no marks that turn its direction.
fn is_text(text: &str) -> bool {
    let hides = |c: char| {
        matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
    };
    !text.is_empty()
        && text.chars().count() <= MAX_TEXT
        && !text.chars().any(|c| c.is_control() || hides(c))
}

fn are_texts_sound(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty() || is_text(text),
        Value::Array(values) => values.iter().all(are_texts_sound),
        Value::Object(members) => members
            .iter()
            .all(|(name, value)| is_text(name) && are_texts_sound(value)),
        _ => true,
    }
}

/// A list of one or more of these.
fn among(value: &Value, allowed: &[String]) -> bool {
    value.as_array().is_some_and(|values| {
        !values.is_empty()
            && values.len() <= MAX_VALUES
            && values.iter().all(|value| {
                value
                    .as_str()
                    .is_some_and(|text| allowed.iter().any(|own| own == text))
            })
    })
}

/// A part of a template.
enum Part<'a> {
    Words(&'a str),
    Place(&'a str),
}

/// A template's parts; a brace that isn't closed is a word.
fn parts(template: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((place, after)) = rest
            .strip_prefix('{')
            .and_then(|inside| inside.split_once('}'))
        {
            rest = after;
            return Some(Part::Place(place));
        }
        let end = rest
            .char_indices()
            .skip(1)
            .find(|(_, c)| *c == '{')
            .map_or(rest.len(), |(at, _)| at);
        let (words, after) = rest.split_at(end);
        rest = after;
        Some(Part::Words(words))
    })
}

/// The places of a template.
fn places(template: &str) -> impl Iterator<Item = &str> {
    parts(template).filter_map(|part| match part {
        Part::Place(place) => Some(place),
        Part::Words(_) => None,
    })
}

/// The values below a member, each with its path.
fn flatten(path: &str, value: &Value, leaves: &mut Vec<(String, String)>) {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    };
    if let Some(text) = scalar(value) {
        leaves.push((path.to_owned(), text));
        return;
    }
    match value {
        Value::Array(values) => {
            if let Some(texts) = values.iter().map(scalar).collect::<Option<Vec<_>>>() {
                leaves.push((path.to_owned(), texts.join(", ")));
                return;
            }
            for (position, value) in values.iter().enumerate() {
                let mut below = path.to_owned();
                let _ = write!(below, ".{}", position + 1);
                flatten(&below, value, leaves);
            }
        }
        Value::Object(members) if members.is_empty() => {
            leaves.push((path.to_owned(), "{}".to_owned()));
        }
        Value::Object(members) => {
            for (name, value) in members {
                flatten(&format!("{path}.{name}"), value, leaves);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
