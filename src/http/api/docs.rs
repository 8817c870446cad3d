//! The page about the API, for readers: made from the same document that programs read.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web;
use askama::Template;
use serde_json::Value;

use super::answer::KINDS;
use super::openapi;
use crate::domain::tenant::SYSTEM_SLUG;
use crate::flows::Provider;
use crate::http::extract::Caller;
use crate::http::pages::assets::File;
use crate::http::pages::render::{Frame, show};
use crate::http::pages::views::Page;

/// The page.
#[derive(Template)]
#[template(path = "api/docs.html")]
struct Docs<'a> {
    page: Reference<'a>,
    root: &'a str,
    issuer: String,
    sections: Vec<Section>,
    schemas: Vec<SchemaText>,
    problems: &'static [(&'static str, u16, &'static str, &'static str)],
}

/// What the page's head needs.
struct Reference<'a> {
    inner: Page<'a>,
    root_path: String,
    tenant: Option<crate::http::pages::views::TenantMark<'a>>,
}

impl Reference<'_> {
    fn file(&self, file: File) -> String {
        self.inner.file(file)
    }
}

struct Section {
    anchor: String,
    title: String,
    description: String,
    operations: Vec<OperationText>,
}

struct OperationText {
    id: String,
    method: String,
    path: String,
    summary: String,
    description: String,
    permission: String,
    holders: String,
    parameters: Vec<Member>,
    body: Option<Form>,
    status: String,
    answer: Option<Form>,
}

struct Member {
    name: String,
    form: String,
    anchor: Option<String>,
    required: bool,
    description: String,
}

/// What something looks like, in a few words, and where there is more about it.
struct Form {
    name: String,
    anchor: Option<String>,
}

struct SchemaText {
    name: String,
    anchor: String,
    description: String,
    members: Vec<Member>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn anchor_of(name: &str) -> String {
    format!("document-{name}")
}

/// A schema in words: `User`, `list of User`, `text`, `number`.
fn form(schema: &Value) -> Form {
    let plain = |name: &str| Form {
        name: name.to_owned(),
        anchor: None,
    };
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next())
    {
        return Form {
            name: name.to_owned(),
            anchor: Some(anchor_of(name)),
        };
    }
    if let Some(Value::Array(choices)) = schema.get("anyOf").or(schema.get("oneOf"))
        && let Some(choice) = choices.iter().find(|choice| choice["type"] != "null")
    {
        return form(choice);
    }
    if let Value::Array(values) = &schema["enum"] {
        let values: Vec<_> = values.iter().filter_map(Value::as_str).collect();
        return plain(&values.join(", "));
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds
            .iter()
            .find(|kind| *kind != "null")
            .cloned()
            .unwrap_or_default(),
        kind => kind.clone(),
    };
    match (kind.as_str(), schema["format"].as_str()) {
        (Some("array"), _) => {
            let inner = form(&schema["items"]);
            Form {
                name: format!("list of {}", inner.name),
                anchor: inner.anchor,
            }
        }
        (Some("object"), _) if schema["properties"]["items"].is_object() => {
            let inner = form(&schema["properties"]["items"]["items"]);
            Form {
                name: format!("page of {}", inner.name),
                anchor: inner.anchor,
            }
        }
        (Some("string"), Some("date-time")) => plain("time (RFC 3339)"),
        (Some("string"), Some("uuid")) => plain("UUID"),
        (Some("string"), Some("uri")) => plain("URI"),
        (Some("string"), _) => plain("text"),
        (Some("integer" | "number"), _) => plain("number"),
        (Some("boolean"), _) => plain("true or false"),
        _ => plain("JSON"),
    }
}

fn members(schema: &Value) -> Vec<Member> {
    let Value::Object(properties) = &schema["properties"] else {
        return choices(schema);
    };
    let required = |name: &String| {
        schema["required"]
            .as_array()
            .is_some_and(|names| names.iter().any(|known| known == name))
    };
    properties
        .iter()
        .map(|(name, property)| {
            let form = form(property);
            Member {
                required: required(name),
                name: name.clone(),
                form: form.name,
                anchor: form.anchor,
                description: description(property),
            }
        })
        .collect()
}

/// The values of an enumeration.
fn choices(schema: &Value) -> Vec<Member> {
    let named = schema["oneOf"].as_array().into_iter().flatten();
    let listed = schema["enum"].as_array().into_iter().flatten();
    let member = |value: &Value, about: String| Member {
        name: text(value),
        form: String::new(),
        anchor: None,
        required: false,
        description: about,
    };
    named
        .filter(|choice| !choice["const"].is_null())
        .map(|choice| member(&choice["const"], description(choice)))
        .chain(listed.map(|value| member(value, String::new())))
        .collect()
}

/// A description, or that of what stands in an alternative to `null`.
fn description(schema: &Value) -> String {
    match &schema["description"] {
        Value::String(text) => text.replace('\n', " "),
        _ => schema["anyOf"]
            .as_array()
            .and_then(|choices| choices.first())
            .map(|choice| text(&choice["description"]))
            .unwrap_or_default(),
    }
}

fn operation(path: &str, method: &str, described: &Value) -> OperationText {
    let parameters = described["parameters"].as_array().into_iter().flatten();
    let body = described["requestBody"]["content"].as_object();
    let succeeded = described["responses"]
        .as_object()
        .and_then(|responses| responses.iter().find(|(status, _)| status.starts_with('2')));
    let (status, answer) = succeeded.map_or((String::new(), None), |(status, response)| {
        let schema = &response["content"]["application/json"]["schema"];
        (status.clone(), (!schema.is_null()).then(|| form(schema)))
    });
    // The permission is told apart from it.
    let about = text(&described["description"]);
    let about = about.split("Needs `").next().unwrap_or_default().trim();
    OperationText {
        id: text(&described["operationId"]),
        method: method.to_ascii_uppercase(),
        path: path.to_owned(),
        summary: text(&described["summary"]),
        description: about.to_owned(),
        permission: text(&described["x-permission"]),
        holders: described["x-roles"]
            .as_array()
            .map_or_else(String::new, |roles| {
                if roles.is_empty() {
                    "operators of the installation".to_owned()
                } else {
                    roles
                        .iter()
                        .filter_map(Value::as_str)
                        .collect::<Vec<_>>()
                        .join(" or ")
                }
            }),
        parameters: parameters
            .map(|parameter| Member {
                name: text(&parameter["name"]),
                form: text(&parameter["in"]),
                anchor: None,
                required: parameter["required"] == true,
                description: text(&parameter["description"]),
            })
            .collect(),
        body: body
            .and_then(|forms| forms.iter().next())
            .map(|(media, content)| {
                let schema = &content["schema"];
                let mut known = form(schema);
                if media.contains("merge-patch") {
                    known.name = match schema["title"].as_str() {
                        Some(title) => format!("merge patch of {title}"),
                        None => format!(
                            "merge patch with {}",
                            schema["properties"].as_object().map_or_else(
                                String::new,
                                |properties| {
                                    properties.keys().cloned().collect::<Vec<_>>().join(", ")
                                }
                            )
                        ),
                    };
                }
                known
            }),
        status,
        answer,
    }
}

fn sections(document: &Value) -> Vec<Section> {
    let tags = document["tags"].as_array().into_iter().flatten();
    tags.map(|tag| {
        let paths = document["paths"].as_object().into_iter().flatten();
        Section {
            anchor: text(&tag["name"]).to_lowercase().replace(' ', "-"),
            title: text(&tag["name"]),
            description: text(&tag["description"]),
            operations: paths
                .flat_map(|(path, item)| {
                    item.as_object()
                        .into_iter()
                        .flatten()
                        .filter(|(_, described)| described["tags"][0] == tag["name"])
                        .map(|(method, described)| operation(path, method, described))
                })
                .collect(),
        }
    })
    .collect()
}

fn schemas(document: &Value) -> Vec<SchemaText> {
    let schemas = document["components"]["schemas"]
        .as_object()
        .into_iter()
        .flatten();
    schemas
        .map(|(name, schema)| SchemaText {
            name: name.clone(),
            anchor: anchor_of(name),
            description: description(schema),
            members: members(schema),
        })
        .collect()
}

/// Serves the page.
pub async fn serve(provider: web::Data<Provider>, caller: Caller) -> HttpResponse {
    let public_url = &provider.config.public_url;
    let document = openapi::document(public_url.root());
    let frame = Frame::new(None, &caller, &[]);
    show(
        StatusCode::OK,
        &Docs {
            page: Reference {
                inner: frame.page(),
                root_path: public_url.root_path().to_owned(),
                tenant: None,
            },
            root: public_url.root(),
            issuer: public_url.issuer(SYSTEM_SLUG),
            sections: sections(&document),
            schemas: schemas(&document),
            problems: &KINDS,
        },
    )
}
