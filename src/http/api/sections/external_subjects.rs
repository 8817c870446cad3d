//! What issuers of assertions call people.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Section;
use crate::clock::Timestamp;
use crate::domain::external_subject::{ExternalSubject as Record, ISSUER_MAX, SUBJECT_MAX};
use crate::domain::ids::{ExternalSubjectId, UserId};
use crate::flows::admin::{AdminError, Area, NewExternalSubject, Permission};
use crate::http::api::answer::Answer;
use crate::http::api::call::Call;
use crate::http::api::operation::{Operation, Parameter, search_text};

/// This section.
pub const SECTION: Section = Section {
    title: "External subjects",
    description: "What those who vouch for people call them (RFC 7523), where `subjects` of an issuer among `assertion_issuers` is `stored`.",
    operations: &[
        Operation::get(
            "listExternalSubjects",
            "/tenants/{tenant}/external-subjects",
            |call| Box::pin(list(call)),
        )
        .says("List external subjects", "In the order of their making.")
        .needs(Permission::Read(Area::Users))
        .asks(&[
            Parameter {
                name: "user",
                description: "Whose; everybody's unless told.",
                required: false,
                schema: user,
            },
            Parameter {
                name: "search",
                description: "A part of the name or of its issuer's.",
                required: false,
                schema: search_text,
            },
        ])
        .lists::<ExternalSubject>(),
        Operation::post(
            "createExternalSubject",
            "/tenants/{tenant}/external-subjects",
            |call| Box::pin(create(call)),
        )
        .says(
            "Write down what an issuer calls a person",
            "Its assertions with this `sub` are of that person from then on.",
        )
        .needs(Permission::Write(Area::Users))
        .takes::<Wanted>()
        .makes::<ExternalSubject>(),
        Operation::get(
            "getExternalSubject",
            "/tenants/{tenant}/external-subjects/{external_subject}",
            |call| Box::pin(get(call)),
        )
        .says("Show an external subject", "")
        .needs(Permission::Read(Area::Users))
        .gives::<ExternalSubject>(),
        Operation::delete(
            "deleteExternalSubject",
            "/tenants/{tenant}/external-subjects/{external_subject}",
            |call| Box::pin(delete(call)),
        )
        .says(
            "Forget an external subject",
            "And end what its issuer's word gave by it.",
        )
        .needs(Permission::Write(Area::Users)),
    ],
};

/// What an issuer calls a person.
#[derive(Serialize, JsonSchema)]
struct ExternalSubject {
    /// Permanent.
    id: Uuid,
    /// Who.
    user_id: Uuid,
    /// The `iss` of its assertions.
    issuer: String,
    /// Their `sub`.
    subject: String,
    /// When it was written down.
    created_at: Timestamp,
}

/// What an issuer calls a person, to be written down.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewExternalSubject")]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Who.
    user_id: Uuid,
    /// The `iss` of its assertions.
    #[schemars(length(min = 1, max = ISSUER_MAX))]
    issuer: String,
    /// Their `sub`.
    #[schemars(length(min = 1, max = SUBJECT_MAX))]
    subject: String,
}

/// A person's identifier.
fn user(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "uuid" })
}

fn view(record: &Record) -> ExternalSubject {
    ExternalSubject {
        id: record.id.uuid(),
        user_id: record.user_id.uuid(),
        issuer: record.issuer.clone(),
        subject: record.subject.clone(),
        created_at: record.created_at,
    }
}

async fn list(call: Call) -> Answer {
    let user: Option<UserId> = call.parsed("user", "a person's id")?;
    let search = call.search()?;
    let page = call
        .provider
        .list_external_subjects(call.tenant(), user, search, call.page()?)
        .await?;
    Ok(call.list(page, view))
}

async fn create(call: Call) -> Answer {
    let wanted: Wanted = call.json()?;
    let new = NewExternalSubject {
        user_id: wanted.user_id.into(),
        issuer: wanted.issuer,
        subject: wanted.subject,
    };
    let made = call
        .provider
        .create_external_subject(call.tenant(), new, &call.by_once()?)
        .await;
    let record = match made {
        Err(AdminError::Repeated) => {
            let before = call.repeated(call.tenant()).await?;
            let id = ExternalSubjectId::from(before.made);
            call.provider
                .load_external_subject(call.tenant(), id)
                .await?
        }
        made => made?,
    };
    let path = format!(
        "/tenants/{}/external-subjects/{}",
        call.tenant().slug(),
        record.id
    );
    Ok(call.made(&path, None, &view(&record)))
}

async fn get(call: Call) -> Answer {
    let id: ExternalSubjectId = call.id("external_subject")?;
    let record = call
        .provider
        .load_external_subject(call.tenant(), id)
        .await?;
    Ok(call.show(&view(&record)))
}

async fn delete(call: Call) -> Answer {
    let id: ExternalSubjectId = call.id("external_subject")?;
    call.provider
        .delete_external_subject(call.tenant(), id, &call.by())
        .await?;
    Ok(call.done())
}
