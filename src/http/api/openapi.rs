//! The `OpenAPI` 3.1 document, made from the table of operations.

use std::sync::OnceLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::SECTIONS;
use super::answer::{KINDS, Problem};
use super::call::{IDEMPOTENCY_KEY_MAX, LIMIT_DEFAULT, LIMIT_MAX};
use super::operation::{Gives, NO_NUL, Operation, Takes};
use super::router;
use crate::flows::Provider;
use crate::protocol::slug;

/// Makes schemas whose names are found below `components`.
pub fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .into_generator()
}

/// The document, for an installation whose root is this.
pub fn document(root: &str) -> Value {
    let mut generator = generator();
    let mut paths = Map::new();
    for (path, operations) in router::paths() {
        let mut item = Map::new();
        for operation in operations {
            let method = (operation.method)().as_str().to_ascii_lowercase();
            item.insert(method, describe(operation, &mut generator));
        }
        paths.insert(path.to_owned(), Value::Object(item));
    }
    let problem = generator.subschema_for::<Problem>();
    let responses: Map<String, Value> = problem_responses(&problem);
    let mut schemas = Map::new();
    schemas.extend(generator.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tessera administration API",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Tenants, people, clients, keys and everything else that is administered.",
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": format!("{root}/api/v1") }],
        "security": [{ "bearer": [] }, { "dpop": [] }],
        "tags": SECTIONS.iter().map(|section| json!({ "name": section.title, "description": section.description })).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "at+jwt",
                    "description": format!("An access token whose `aud` is `{root}/api/v1` and whose scope holds `tessera:admin`, of the tenant itself or of the operators' tenant `system`."),
                },
                "dpop": {
                    "type": "http",
                    "scheme": "dpop",
                    "description": "The same where the token is bound to a key (RFC 9449), with a fresh proof for each request in the header field `DPoP`; such a token is refused as `Bearer`.",
                },
            },
        },
    })
}

const DESCRIPTION: &str = "Who asks is the access token's word: an operator (tenant `system`) may do everything, others what their roles permit in their own tenant. \
Lists take `limit` and `cursor`; what is made may be made with an `Idempotency-Key`, which is remembered for a day; what is changed is changed with `If-Match`. \
Problems are RFC 9457's, with a JSON pointer to the field at fault. Unknown fields and parameters are refused.";

/// 16 bytes as base64url: the last character holds two bits.
const CURSOR: &str = "^[A-Za-z0-9_-]{21}[AQgw]$";

/// What stands for a kind of problem below `components.responses`.
fn problem_name(status: u16) -> String {
    format!("Problem{status}")
}

fn problem_responses(problem: &Schema) -> Map<String, Value> {
    let mut responses = Map::new();
    for status in problem_statuses() {
        let kinds: Vec<String> = KINDS
            .iter()
            .filter(|kind| kind.1 == status)
            .map(|(code, _, title, _)| format!("`{code}`: {title}"))
            .collect();
        let mut response = json!({
            "description": kinds.join("; "),
            "content": { "application/problem+json": { "schema": problem } },
        });
        if status == 401 {
            response["headers"] = json!({ "WWW-Authenticate": { "schema": { "type": "string" } } });
        }
        responses.insert(problem_name(status), response);
    }
    responses
}

fn problem_statuses() -> Vec<u16> {
    let mut statuses: Vec<u16> = KINDS.iter().map(|kind| kind.1).collect();
    statuses.sort_unstable();
    statuses.dedup();
    statuses
}

/// The problems that an operation may answer with.
fn problems(operation: &Operation) -> Vec<u16> {
    problem_statuses()
        .into_iter()
        .filter(|status| match status {
            404 => operation.path.contains('{'),
            405 => false,
            409 => !matches!((operation.method)().as_str(), "GET"),
            412 | 428 => operation.is_update(),
            415 | 422 => !matches!(operation.takes, Takes::Nothing),
            _ => true,
        })
        .collect()
}

fn describe(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let section = SECTIONS.iter().find(|section| {
        section
            .operations
            .iter()
            .any(|known| known.id == operation.id)
    });
    let mut text = operation.description.to_owned();
    if let Some(permission) = operation.permission {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        let (name, holders) = (permission.name(), permission.holders());
        text = format!("{text}Needs `{name}`: {holders}.");
    }
    let mut described = json!({
        "operationId": operation.id,
        "tags": section.map(|section| section.title),
        "summary": operation.summary,
        "description": text,
        "parameters": parameters(operation, generator),
        "responses": responses(operation, generator),
        "x-permission": operation.permission.map(|permission| permission.name()),
        "x-roles": operation.permission.map(|permission| permission.roles()),
    });
    if section.is_some() {
        described["tags"] = json!(section.map(|section| vec![section.title]));
    }
    let body = match operation.takes {
        Takes::Nothing => None,
        Takes::Document(schema) => Some((true, schema(generator).to_value(), "application/json")),
        Takes::Maybe(schema) => Some((false, schema(generator).to_value(), "application/json")),
        Takes::Patch(schema) => Some((
            true,
            patch(schema(generator), generator),
            "application/merge-patch+json",
        )),
    };
    if let Some((required, schema, form)) = body {
        described["requestBody"] =
            json!({ "required": required, "content": { form: { "schema": schema } } });
    }
    described
}

/// The document that a patch may be, and those within it: nothing has to be there, and whatever has a default may be `null`. Lists are
/// replaced whole, so that theirs stay as they are.
fn patch(schema: Schema, generator: &SchemaGenerator) -> Value {
    loosened(&schema.to_value(), generator)
}

/// What a reference leads to.
fn resolved<'a>(schema: &'a Value, generator: &'a SchemaGenerator) -> &'a Value {
    schema["$ref"]
        .as_str()
        .and_then(|path| generator.definitions().get(path.rsplit('/').next()?))
        .unwrap_or(schema)
}

fn loosened(schema: &Value, generator: &SchemaGenerator) -> Value {
    let known = resolved(schema, generator);
    if let Some(choices) = known["anyOf"].as_array() {
        let mut document = known.clone();
        document["anyOf"] = choices
            .iter()
            .map(|choice| loosened(choice, generator))
            .collect();
        return document;
    }
    let Some(properties) = known["properties"].as_object() else {
        return schema.clone();
    };
    let mut document = known.clone();
    let required = known["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in properties {
        let inner = loosened(property, generator);
        let inner = if required.iter().any(|needed| needed == name) {
            inner
        } else {
            json!({ "anyOf": [inner, { "type": "null" }] })
        };
        document["properties"][name] = inner;
    }
    if let Some(members) = document.as_object_mut() {
        members.remove("required");
        // Where it stands says what it is; its own words are about the whole document.
        if let Some(words) = schema.get("description") {
            members.insert("description".to_owned(), words.clone());
        }
    }
    document
}

fn parameters(operation: &Operation, generator: &mut SchemaGenerator) -> Vec<Value> {
    let mut all = Vec::new();
    for name in operation.path_parameters() {
        let (schema, description) = match name {
            "tenant" => (
                json!({ "type": "string", "maxLength": slug::LENGTH_MAX, "pattern": slug::PATTERN, "examples": ["acme"] }),
                "The tenant's slug.",
            ),
            "kid" => (
                json!({ "type": "string", "minLength": 1, "pattern": NO_NUL }),
                "The key's name, as the key set has it.",
            ),
            "role" => (
                generator
                    .subschema_for::<crate::domain::role::Role>()
                    .to_value(),
                "The role.",
            ),
            _ => (
                json!({ "type": "string", "format": "uuid" }),
                "The identifier.",
            ),
        };
        all.push(json!({ "name": name, "in": "path", "required": true, "schema": schema, "description": description }));
    }
    for parameter in operation.query {
        all.push(json!({
            "name": parameter.name, "in": "query", "required": parameter.required,
            "schema": (parameter.schema)(generator), "description": parameter.description,
        }));
    }
    if operation.is_list() {
        all.push(json!({
            "name": "limit", "in": "query", "required": false, "description": "Items of a page at most.",
            "schema": { "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT },
        }));
        all.push(json!({
            "name": "cursor", "in": "query", "required": false, "description": "`next_cursor` of the page before.",
            "schema": { "type": "string", "pattern": CURSOR },
        }));
    }
    if operation.is_creation() {
        all.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "Sent again within a day with the same request, it makes nothing twice: the answer is that of the first time.",
            "schema": { "type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_MAX, "pattern": "^[ -~]+$" },
        }));
    }
    if operation.is_update() {
        all.push(json!({
            "name": "If-Match", "in": "header", "required": true,
            "description": "The `ETag` that came with what is changed.", "schema": { "type": "string", "examples": ["\"v1\""] },
        }));
    }
    all
}

fn responses(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let (status, schema) = operation.success();
    let mut success =
        json!({ "description": if schema.is_some() { "Done." } else { "Done; nothing to say." } });
    if let Some(schema) = schema {
        let schema = schema(generator).to_value();
        let schema = match operation.gives {
            Gives::List(_) => json!({
                "type": "object",
                "required": ["items"],
                "properties": {
                    "items": { "type": "array", "items": schema },
                    "next_cursor": { "type": "string", "description": "Where the next page begins; absent on the last." },
                },
            }),
            _ => schema,
        };
        success["content"] = json!({ "application/json": { "schema": schema } });
    }
    let mut headers = Map::new();
    if operation.tagged {
        headers.insert("ETag".to_owned(), json!({ "schema": { "type": "string" }, "description": "The version, for `If-Match`." }));
    }
    if operation.is_creation() {
        headers.insert(
            "Location".to_owned(),
            json!({ "schema": { "type": "string" }, "description": "Where it is." }),
        );
    }
    if !headers.is_empty() {
        success["headers"] = Value::Object(headers);
    }
    let mut all = Map::new();
    all.insert(status.to_string(), success);
    for status in problems(operation) {
        all.insert(
            status.to_string(),
            json!({ "$ref": format!("#/components/responses/{}", problem_name(status)) }),
        );
    }
    Value::Object(all)
}

/// Serves the document.
pub async fn serve(provider: web::Data<Provider>) -> HttpResponse {
    // One installation has one root for as long as it runs.
    static TEXT: OnceLock<(String, String)> = OnceLock::new();
    let root = provider.config.public_url.root();
    let known = TEXT.get_or_init(|| (root.to_owned(), document(root).to_string()));
    let text = if known.0 == root {
        known.1.clone()
    } else {
        document(root).to_string()
    };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_a_name_of_its_own_and_a_summary() {
        let mut names: Vec<_> = router::operations()
            .iter()
            .map(|operation| operation.id)
            .collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), router::operations().len());
        for operation in router::operations() {
            assert!(!operation.summary.is_empty(), "{}", operation.id);
            assert!(
                operation.permission.is_some() || operation.path == "/me",
                "{} needs nothing",
                operation.id
            );
        }
    }

    /// Clients are generated from these names: each says what it is, and whoever changes one changes others' programs.
    #[test]
    fn documents_have_names_that_say_what_they_are() {
        let document = document("https://id.example.com");
        let schemas = document["components"]["schemas"].as_object();
        let mut names: Vec<_> = schemas.unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        let known = [
            "AccessTokenFormat",
            "AddressClaim",
            "Administrator",
            "ApplicationType",
            "AssertionAlgorithm",
            "AssertionIssuer",
            "AssertionSubjectMapping",
            "AuditEvent",
            "AuthorizationDetailsField",
            "AuthorizationDetailsType",
            "BackchannelTokenDeliveryMode",
            "Branding",
            "Caller",
            "Client",
            "ClientMetadata",
            "Colour",
            "Consent",
            "ConsentPolicy",
            "ContentEncryption",
            "CreatedUser",
            "DeviceSecret",
            "Domain",
            "ExternalSubject",
            "FieldError",
            "GrantType",
            "InitialAccessToken",
            "KeyAlgorithm",
            "KeyManagementAlgorithm",
            "KeyRotation",
            "LockoutPolicy",
            "LogoutDelivery",
            "LogoutDeliveryKind",
            "LogoutDeliveryState",
            "NewDomain",
            "NewExternalSubject",
            "NewInitialAccessToken",
            "NewResource",
            "NewTenant",
            "NewUser",
            "OneTimeLink",
            "PasswordPolicy",
            "Problem",
            "RegistrationPolicy",
            "Resource",
            "ResourceChange",
            "ResourceScope",
            "ResponseType",
            "Role",
            "RotatedKeys",
            "SecretRotation",
            "SecurityProfile",
            "Session",
            "SigningAlgorithm",
            "SoftwareStatementIssuer",
            "StandardClaims",
            "SubjectType",
            "Tenant",
            "TenantChange",
            "TenantKey",
            "TenantSettings",
            "TenantStatus",
            "TokenEndpointAuthMethod",
            "User",
            "UserChange",
        ];
        assert_eq!(names, known);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(members) => {
                    if let Some(Value::String(path)) = members.get("$ref") {
                        found.push(path.clone());
                    }
                    members.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document = document("https://id.example.com");
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 50);
        for path in found {
            let pointer = path.strip_prefix('#').expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{path}");
        }
    }
}
