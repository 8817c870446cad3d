//! Clients, as RFC 7591 describes them.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Section;
use crate::clock::Timestamp;
use crate::domain::client::Client as Record;
use crate::domain::ids::ClientId;
use crate::flows::admin::{
    AdminError, Area, DEFAULT_SECRET_OVERLAP, Permission, RegisteredClient, client_information,
};
use crate::http::api::answer::{Answer, Refusal};
use crate::http::api::call::Call;
use crate::http::api::operation::{Operation, Parameter, search_text};
use crate::protocol::client_metadata::ClientMetadata;

/// This section.
pub const SECTION: Section = Section {
    title: "Clients",
    description: "Applications and services that ask for tokens. Their fields are those of RFC 7591 and OpenID Connect Dynamic Client Registration.",
    operations: &[
        Operation::get("listClients", "/tenants/{tenant}/clients", |call| Box::pin(list(call)))
            .says("List clients", "In the order of their making.")
            .needs(Permission::Read(Area::Clients))
            .asks(&[Parameter {
                name: "search",
                description: "A part of the name, or a whole `client_id`.",
                required: false,
                schema: search_text,
            }])
            .lists::<Client>(),
        Operation::post("createClient", "/tenants/{tenant}/clients", |call| Box::pin(create(call)))
            .says("Register a client", "The answer is RFC 7591's; it holds the secret, where there is one, this once.")
            .needs(Permission::Write(Area::Clients))
            .takes::<Metadata>()
            .makes::<Client>()
            .tagged(),
        Operation::get("getClient", "/tenants/{tenant}/clients/{client}", |call| Box::pin(get(call)))
            .says("Show a client", "Without its secret, which nobody can read.")
            .needs(Permission::Read(Area::Clients))
            .gives::<Client>()
            .tagged(),
        Operation::patch::<Metadata>("updateClient", "/tenants/{tenant}/clients/{client}", |call| Box::pin(update(call)))
            .says("Change a client", "A field that is `null` takes its default. Where the client needs a secret from now on, the answer holds it this once.")
            .needs(Permission::Write(Area::Clients))
            .gives::<Client>(),
        Operation::delete("deleteClient", "/tenants/{tenant}/clients/{client}", |call| Box::pin(delete(call)))
            .says("Delete a client", "With its grants and consents, for good.")
            .needs(Permission::Write(Area::Clients)),
        Operation::post("rotateClientSecret", "/tenants/{tenant}/clients/{client}/rotate-secret", |call| Box::pin(rotate(call)))
            .says("Give a client another secret", "The answer holds it this once. The one before stays good for the overlap, so that nothing stops while it is rolled out.")
            .needs(Permission::Write(Area::Clients))
            .may_take::<SecretRotation>()
            .gives::<Client>()
            .tagged(),
    ],
};

/// A client's metadata (RFC 7591 §2).
#[derive(Deserialize)]
#[serde(transparent)]
struct Metadata(Value);

/// A client (RFC 7591 §3.2.1).
#[derive(Serialize)]
#[serde(transparent)]
struct Client(Value);

/// How a secret is replaced.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct SecretRotation {
    /// For how many seconds the secret before stays good; a day unless told.
    #[schemars(range(max = 7_776_000))]
    overlap_seconds: u32,
}

impl Default for SecretRotation {
    fn default() -> Self {
        Self {
            overlap_seconds: DEFAULT_SECRET_OVERLAP,
        }
    }
}

/// Texts in further languages: `client_name#de` (RFC 7591 §2.2).
fn localized() -> Value {
    serde_json::json!({ "^(client_name|client_uri|logo_uri|policy_uri|tos_uri)#": { "type": ["string", "null"] } })
}

impl JsonSchema for Metadata {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ClientMetadata".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = ClientMetadata::json_schema(generator);
        // RFC 7591 §2.2 says nothing of `null`; a member that is `null` counts as absent, here and in RFC 7592 §2.2.
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            for property in properties.values_mut() {
                let inner = property.take();
                *property = serde_json::json!({ "anyOf": [inner, { "type": "null" }] });
            }
        }
        schema.insert("additionalProperties".to_owned(), false.into());
        schema.insert("patternProperties".to_owned(), localized());
        schema
    }
}

impl JsonSchema for Client {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Client".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Metadata::json_schema(generator);
        let more = json_schema!({
            "client_id": { "type": "string", "format": "uuid", "description": "Permanent." },
            "client_id_issued_at": { "type": "integer", "description": "When it was made, in seconds since 1970." },
            "client_secret": { "type": "string", "description": "Its secret, shown once." },
            "client_secret_expires_at": { "type": "integer", "description": "0: it doesn't expire." },
            "previous_secret_expires_at": { "type": "string", "format": "date-time", "description": "Until when the secret before is good." },
            "last_used_at": { "type": "string", "format": "date-time", "description": "When it was used last, to the day; left out where that was never noted." },
            "registered_by": { "enum": ["administrator", "itself"], "description": "Who registered it: `itself` at the registration endpoint (RFC 7591), where it may change and delete itself too." },
            "initial_access_token": { "type": "string", "format": "uuid", "description": "By which initial access token it registered itself." },
            "software_statement": { "type": "string", "description": "The software statement that it registered itself with (RFC 7591 §2.3)." },
        });
        if let (Some(Value::Object(properties)), Value::Object(more)) =
            (schema.get_mut("properties"), more.to_value())
        {
            properties.extend(more);
        }
        schema.insert(
            "required".to_owned(),
            serde_json::json!(["client_id", "client_id_issued_at"]),
        );
        schema.insert(
            "description".to_owned(),
            "A client (RFC 7591 §3.2.1).".into(),
        );
        schema
    }
}

/// What is known of a client, and until when the secret before its present one is good.
fn view(client: &Record, now: Timestamp) -> Client {
    let mut document = client_information(client);
    let previous = client
        .secret
        .as_ref()
        .and_then(|secrets| secrets.previous.as_ref());
    if let (Value::Object(members), Some((_, until))) = (&mut document, previous)
        && *until > now
    {
        members.insert(
            "previous_secret_expires_at".to_owned(),
            serde_json::json!(until),
        );
    }
    marked(document, client)
}

/// Says who registered the client.
fn marked(mut document: Value, client: &Record) -> Client {
    if let Value::Object(members) = &mut document {
        let by = if client.registration.is_some() {
            "itself"
        } else {
            "administrator"
        };
        members.insert("registered_by".to_owned(), by.into());
        if let Some(at) = client.last_used.at() {
            members.insert("last_used_at".to_owned(), serde_json::json!(at));
        }
        let token = client
            .registration
            .as_ref()
            .and_then(|registration| registration.initial_access_token);
        if let Some(token) = token {
            members.insert("initial_access_token".to_owned(), token.to_string().into());
        }
        let statement = client
            .registration
            .as_ref()
            .and_then(|registration| registration.software_statement.clone());
        if let Some(statement) = statement {
            members.insert("software_statement".to_owned(), statement.into());
        }
    }
    Client(document)
}

fn registered(made: &RegisteredClient) -> Client {
    marked(made.response(), &made.client)
}

fn metadata(document: Value) -> Result<ClientMetadata, Refusal> {
    ClientMetadata::from_json(document).map_err(|error| {
        let pointer = match error.field.as_str() {
            "(document)" => String::new(),
            field => format!("/{}", field.replace('~', "~0").replace('/', "~1")),
        };
        Refusal::new("invalid_value", error.reason).at(pointer)
    })
}

async fn find(call: &Call) -> Result<Record, Refusal> {
    let id: ClientId = call.id("client")?;
    Ok(call.provider.load_client(call.tenant(), id).await?)
}

async fn list(call: Call) -> Answer {
    let search = call.search()?;
    let page = call
        .provider
        .search_clients(call.tenant(), search, call.page()?)
        .await?;
    let now = call.provider.now();
    Ok(call.list(page, |client| view(client, now)))
}

async fn create(call: Call) -> Answer {
    let Metadata(document) = call.json()?;
    let made = call
        .provider
        .create_client(call.tenant(), metadata(document)?, &call.by_once()?)
        .await;
    let made = match made {
        Err(AdminError::Repeated) => {
            let before = call.repeated(call.tenant()).await?;
            RegisteredClient {
                client: call
                    .provider
                    .load_client(call.tenant(), ClientId::from(before.made))
                    .await?,
                secret: before.secret,
            }
        }
        made => made?,
    };
    Ok(call.made(
        &format!(
            "/tenants/{}/clients/{}",
            call.tenant().slug(),
            made.client.id
        ),
        Some(made.client.version),
        &registered(&made),
    ))
}

async fn get(call: Call) -> Answer {
    let client = find(&call).await?;
    Ok(call.show_version(client.version, &view(&client, call.provider.now())))
}

async fn update(call: Call) -> Answer {
    let mut client = find(&call).await?;
    call.check_version(client.version)?;
    let changed: Map<String, Value> = call.patched(&client.metadata)?;
    client.metadata = metadata(Value::Object(changed))?;
    let changed = call
        .provider
        .update_client(call.tenant(), client, &call.by())
        .await?;
    Ok(call.show_version(changed.client.version, &registered(&changed)))
}

async fn delete(call: Call) -> Answer {
    let id: ClientId = call.id("client")?;
    call.provider
        .delete_client(call.tenant(), id, &call.by())
        .await?;
    Ok(call.done())
}

/// The flows call the overlap by its name at the command line.
fn in_words_of_the_api(error: AdminError) -> Refusal {
    match error {
        AdminError::Invalid { field, reason } if field == "overlap" => AdminError::Invalid {
            field: "overlap_seconds".to_owned(),
            reason,
        }
        .into(),
        error => error.into(),
    }
}

async fn rotate(call: Call) -> Answer {
    let id: ClientId = call.id("client")?;
    let wanted: SecretRotation = call.json_or_default()?;
    let overlap = Duration::from_secs(wanted.overlap_seconds.into());
    let rotated = call
        .provider
        .rotate_client_secret(call.tenant(), id, overlap, &call.by())
        .await
        .map_err(in_words_of_the_api)?;
    Ok(call.show_version(rotated.client.version, &registered(&rotated)))
}
