//! Changing a client: every field of its metadata (RFC 7591 §2 and our own), the common ones first.
//!
//! The form is turned into the metadata document that the API and the command line take, so that each rule exists once. Where somebody
//! else changed the client meanwhile, the form is shown again with what was typed, and beside each field that differs what is stored.

use actix_web::HttpRequest;
use askama::Template;

use self::choices::kind;
use self::document::{document_of, draft_of, place};
use super::clients::{SECTION, client_of, is_built_in};
use super::clients_faults;
use super::layout::Shell;
use super::notice::Notice;
use super::parts::{Draft, Field, FieldKind, faulty};
use super::shown_once;
use super::visitor::Visitor;
use crate::domain::client::Client;
use crate::flows::admin::{AdminError, Area, Permission};
use crate::http::error::Answer;
use crate::protocol::client_metadata::{ClientMetadata, TokenEndpointAuthMethod};
use crate::protocol::fapi::SecurityProfile;

mod choices;
mod document;

/// How a member of the document stands in the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// A text.
    Text,
    /// An address.
    Address,
    /// Texts, one a line.
    Lines,
    /// A number.
    Number,
    /// Yes or no.
    Flag,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// One of the signing algorithms, or none.
    Algorithm,
    /// One of those of assertions, or none.
    AssertionAlgorithm,
    /// One of the ways to encrypt to a key, or none.
    KeyManagement,
    /// One of the ways to encrypt a content, or none.
    ContentEncryption,
    /// One of the ways to get tokens by the back channel, or none.
    Delivery,
    /// Any of the grant types.
    Grants,
    /// Any of the response types.
    Responses,
    /// Any of the scopes that somebody here understands.
    Scopes,
    /// JSON as it is.
    Json,
    /// The members with a language, one a line.
    Localized,
}

/// Fields that stand together.
struct GroupOf {
    name: &'static str,
    folded: bool,
    fields: &'static [(&'static str, Shape)],
}

const METHODS: [&str; 7] = {
    let all = TokenEndpointAuthMethod::ALL;
    [
        all[0].as_str(),
        all[1].as_str(),
        all[2].as_str(),
        all[3].as_str(),
        all[4].as_str(),
        all[5].as_str(),
        all[6].as_str(),
    ]
};

const PROFILES: [&str; 3] = {
    let all = SecurityProfile::ALL;
    [all[0].as_str(), all[1].as_str(), all[2].as_str()]
};

static GROUPS: &[GroupOf] = &[
    GroupOf {
        name: "basics",
        folded: false,
        fields: &[
            ("client_name", Shape::Text),
            ("redirect_uris", Shape::Lines),
            ("post_logout_redirect_uris", Shape::Lines),
        ],
    },
    GroupOf {
        name: "scopes",
        folded: false,
        fields: &[("scope", Shape::Scopes), ("skip_consent", Shape::Flag)],
    },
    GroupOf {
        name: "people",
        folded: true,
        fields: &[
            ("logo_uri", Shape::Address),
            ("client_uri", Shape::Address),
            ("policy_uri", Shape::Address),
            ("tos_uri", Shape::Address),
            ("contacts", Shape::Lines),
            ("localized", Shape::Localized),
        ],
    },
    GroupOf {
        name: "sign-in",
        folded: true,
        fields: &[
            ("grant_types", Shape::Grants),
            ("response_types", Shape::Responses),
            ("authorization_signed_response_alg", Shape::Algorithm),
            ("authorization_encrypted_response_alg", Shape::KeyManagement),
            (
                "authorization_encrypted_response_enc",
                Shape::ContentEncryption,
            ),
            ("application_type", Shape::OneOf(&["web", "native"])),
            ("require_pkce", Shape::Flag),
            ("require_pushed_authorization_requests", Shape::Flag),
            ("require_signed_request_object", Shape::Flag),
            ("request_object_signing_alg", Shape::Algorithm),
            ("request_object_encryption_alg", Shape::KeyManagement),
            ("request_object_encryption_enc", Shape::ContentEncryption),
            ("request_uris", Shape::Lines),
            ("default_max_age", Shape::Number),
            ("require_auth_time", Shape::Flag),
            ("default_acr_values", Shape::Lines),
            ("initiate_login_uri", Shape::Address),
            ("allowed_origins", Shape::Lines),
            ("popup_sign_in", Shape::Flag),
        ],
    },
    GroupOf {
        name: "sign-out",
        folded: true,
        fields: &[
            ("backchannel_logout_uri", Shape::Address),
            ("backchannel_logout_session_required", Shape::Flag),
            ("frontchannel_logout_uri", Shape::Address),
            ("frontchannel_logout_session_required", Shape::Flag),
        ],
    },
    GroupOf {
        name: "backchannel",
        folded: true,
        fields: &[
            ("backchannel_token_delivery_mode", Shape::Delivery),
            ("backchannel_client_notification_endpoint", Shape::Address),
            (
                "backchannel_authentication_request_signing_alg",
                Shape::Algorithm,
            ),
            ("backchannel_user_code_parameter", Shape::Flag),
        ],
    },
    GroupOf {
        name: "proof",
        folded: true,
        fields: &[
            ("token_endpoint_auth_method", Shape::OneOf(&METHODS)),
            ("token_endpoint_auth_signing_alg", Shape::AssertionAlgorithm),
            ("jwks_uri", Shape::Address),
            ("jwks", Shape::Json),
            ("tls_client_auth_subject_dn", Shape::Text),
            ("tls_client_auth_san_dns", Shape::Text),
            ("tls_client_auth_san_uri", Shape::Text),
            ("tls_client_auth_san_ip", Shape::Text),
            ("tls_client_auth_san_email", Shape::Text),
            ("tls_client_certificate_bound_access_tokens", Shape::Flag),
            ("dpop_bound_access_tokens", Shape::Flag),
            ("require_dpop_nonce", Shape::Flag),
            ("security_profile", Shape::OneOf(&PROFILES)),
        ],
    },
    GroupOf {
        name: "tokens",
        folded: true,
        fields: &[
            ("resources", Shape::Lines),
            ("authorization_details_types", Shape::Lines),
            ("default_audience", Shape::Text),
            ("access_token_format", Shape::OneOf(&["jwt", "opaque"])),
            ("access_token_signed_response_alg", Shape::Algorithm),
            ("access_token_lifetime", Shape::Number),
            ("refresh_token_lifetime", Shape::Number),
            ("refresh_token_leeway", Shape::Number),
            ("id_token_signed_response_alg", Shape::Algorithm),
            ("id_token_encrypted_response_alg", Shape::KeyManagement),
            ("id_token_encrypted_response_enc", Shape::ContentEncryption),
            ("userinfo_signed_response_alg", Shape::Algorithm),
            ("userinfo_encrypted_response_alg", Shape::KeyManagement),
            ("userinfo_encrypted_response_enc", Shape::ContentEncryption),
            ("introspection_signed_response_alg", Shape::Algorithm),
            ("introspection_encrypted_response_alg", Shape::KeyManagement),
            (
                "introspection_encrypted_response_enc",
                Shape::ContentEncryption,
            ),
            ("subject_type", Shape::OneOf(&["public", "pairwise"])),
            ("sector_identifier_uri", Shape::Address),
        ],
    },
    GroupOf {
        name: "exchange",
        folded: true,
        fields: &[
            ("token_exchange_subjects", Shape::Lines),
            ("token_exchange_targets", Shape::Lines),
            ("token_exchange_scope", Shape::Text),
            ("token_exchange_impersonation", Shape::Flag),
            ("token_exchange_issuers", Shape::Lines),
            ("token_exchange_may_act", Shape::Text),
            ("native_sso_group", Shape::Text),
        ],
    },
    GroupOf {
        name: "software",
        folded: true,
        fields: &[
            ("software_id", Shape::Text),
            ("software_version", Shape::Text),
        ],
    },
];

fn all_fields() -> impl Iterator<Item = (&'static str, Shape)> {
    GROUPS.iter().flat_map(|group| group.fields.iter().copied())
}

/// The names of the messages that are put together here.
#[cfg(test)]
pub(super) fn message_names() -> Vec<String> {
    let fields = all_fields().map(|(name, _)| format!("client-field-{name}"));
    let hints = HINTS.iter().map(|name| format!("client-hint-{name}"));
    let groups = GROUPS
        .iter()
        .map(|group| format!("client-group-{}", group.name));
    fields.chain(hints).chain(groups).collect()
}

/// Fields that stand together, as they are shown.
pub struct FieldGroup {
    /// What they are about.
    pub title: String,
    /// Whether they are folded away at first.
    pub folded: bool,
    /// Whether they are unfolded nevertheless: something in them is wrong.
    pub open: bool,
    /// The fields.
    pub fields: Vec<Field>,
}

/// The form.
#[derive(Template)]
#[template(path = "console/client_edit.html")]
pub struct EditClient<'a> {
    /// The page around it.
    pub page: Shell<'a>,
    /// The client's name.
    pub name: String,
    /// Below the console's address.
    pub path: String,
    /// Its version as it was read.
    pub version: i64,
    /// Whether somebody else changed it meanwhile.
    pub stale: bool,
    /// What is wrong with none of the fields.
    pub problems: Vec<String>,
    /// The fields.
    pub groups: Vec<FieldGroup>,
}

impl EditClient<'_> {
    /// What wasn't accepted: most of the form isn't seen.
    fn faults(&self) -> Vec<&Field> {
        faulty(self.groups.iter().flat_map(|group| &group.fields))
    }
}

/// The form. Where the client was changed meanwhile, `stored` is how it is now.
fn view<'a>(
    visitor: &'a Visitor,
    client: &Client,
    draft: &Draft,
    stored: Option<&Draft>,
) -> EditClient<'a> {
    let page = visitor.shell(&SECTION);
    let field = |(name, shape): (&'static str, Shape)| {
        let mut field = Field::new(
            name,
            page.t(&format!("client-field-{name}")),
            kind(visitor, shape, draft),
        )
        .of(draft);
        if HINTS.contains(&name) {
            field = field.hint(page.t(&format!("client-hint-{name}")));
        }
        if name == "client_name" {
            field.required = true;
        }
        if let Some(stored) = stored {
            field.compare(&page, draft, stored);
        }
        field
    };
    let groups: Vec<FieldGroup> = GROUPS
        .iter()
        .map(|group| {
            let fields: Vec<Field> = group.fields.iter().copied().map(field).collect();
            FieldGroup {
                title: page.t(&format!("client-group-{}", group.name)).into_owned(),
                folded: group.folded,
                open: fields.iter().any(|field| field.problem.is_some()) || stored.is_some(),
                fields,
            }
        })
        .collect();
    let known: Vec<Field> = groups
        .iter()
        .flat_map(|group| group.fields.clone())
        .collect();
    EditClient {
        page,
        name: client.name(),
        path: format!("/clients/{}", client.id),
        version: client.version,
        stale: stored.is_some(),
        problems: draft.other_problems(&known),
        groups,
    }
}

/// The fields of which there is more to say than their name.
const HINTS: [&str; 53] = [
    "redirect_uris",
    "post_logout_redirect_uris",
    "skip_consent",
    "logo_uri",
    "contacts",
    "localized",
    "response_types",
    "authorization_signed_response_alg",
    "authorization_encrypted_response_alg",
    "require_pkce",
    "require_pushed_authorization_requests",
    "require_signed_request_object",
    "request_object_encryption_alg",
    "request_uris",
    "default_max_age",
    "default_acr_values",
    "initiate_login_uri",
    "allowed_origins",
    "popup_sign_in",
    "backchannel_logout_uri",
    "frontchannel_logout_uri",
    "backchannel_token_delivery_mode",
    "backchannel_client_notification_endpoint",
    "backchannel_authentication_request_signing_alg",
    "backchannel_user_code_parameter",
    "token_endpoint_auth_method",
    "token_endpoint_auth_signing_alg",
    "jwks",
    "tls_client_auth_subject_dn",
    "tls_client_certificate_bound_access_tokens",
    "dpop_bound_access_tokens",
    "require_dpop_nonce",
    "security_profile",
    "resources",
    "authorization_details_types",
    "default_audience",
    "access_token_format",
    "refresh_token_leeway",
    "id_token_encrypted_response_alg",
    "id_token_encrypted_response_enc",
    "userinfo_signed_response_alg",
    "userinfo_encrypted_response_alg",
    "introspection_signed_response_alg",
    "introspection_encrypted_response_alg",
    "subject_type",
    "sector_identifier_uri",
    "token_exchange_subjects",
    "token_exchange_targets",
    "token_exchange_scope",
    "token_exchange_impersonation",
    "token_exchange_issuers",
    "token_exchange_may_act",
    "native_sso_group",
];

/// `GET /console/clients/{id}/edit`.
pub async fn form(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Clients))?;
    let client = client_of(&visitor, &request).await?;
    if is_built_in(&client) {
        return Err(visitor.not_found());
    }
    visitor
        .by()
        .authority
        .check_client(&client)
        .map_err(|error| visitor.fault(error))?;
    let draft = draft_of(&client.metadata);
    visitor.show(&view(&visitor, &client, &draft, None))
}

/// `POST /console/clients/{id}/edit`.
pub async fn save(visitor: Visitor, request: HttpRequest) -> Answer {
    visitor.check(Permission::Write(Area::Clients))?;
    let form = visitor.take()?;
    let names: Vec<_> = all_fields().map(|(name, _)| name).collect();
    let mut draft = Draft::sent(&form, &names);
    let client = client_of(&visitor, &request).await?;
    if form.input("version") != client.version.to_string() {
        let stored = draft_of(&client.metadata);
        return visitor.show_again(&view(&visitor, &client, &draft, Some(&stored)));
    }
    let page = visitor.shell(&SECTION);
    let document = document_of(page, &mut draft);
    if draft.given("client_name").is_none() {
        draft.blame("client_name", page.t("client-name-wanted"));
    }
    let metadata = match ClientMetadata::from_json(document.clone()) {
        Ok(metadata) if !draft.is_wrong() => metadata,
        Ok(_) => return visitor.show_again(&view(&visitor, &client, &draft, None)),
        Err(error) => {
            let told = clients_faults::of_metadata(page, &document, &error);
            draft.blame(place(&error.field), told);
            return visitor.show_again(&view(&visitor, &client, &draft, None));
        }
    };
    let changed = Client {
        metadata,
        ..client.clone()
    };
    let updated = visitor
        .provider()
        .update_client(&visitor.tenant, changed, &visitor.by())
        .await;
    let updated = match updated {
        Ok(updated) => updated,
        Err(AdminError::Stale(_)) => {
            let client = client_of(&visitor, &request).await?;
            let stored = draft_of(&client.metadata);
            return visitor.show_again(&view(&visitor, &client, &draft, Some(&stored)));
        }
        Err(error) => {
            let error = clients_faults::of_tenant(&visitor, &draft, error);
            draft
                .take(page, error)
                .map_err(|error| visitor.fault(error))?;
            return visitor.show_again(&view(&visitor, &client, &draft, None));
        }
    };
    let notice = Notice::new("client-saved").name(updated.client.name());
    let path = format!("/clients/{}", client.id);
    match &updated.secret {
        // It needs a secret from now on, and has its first.
        Some(made) => {
            let mut response = visitor.done(&format!("{path}/connect"), &notice)?;
            shown_once::keep(&visitor, &mut response, client.id.uuid(), made);
            Ok(response)
        }
        None => visitor.done(&path, &notice),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::console::samples::Stage;
    use crate::http::pages::messages::Messages;

    #[test]
    fn the_form_holds_the_whole_document() {
        // More members than the macro has patience for.
        let document = r#"{
            "client_name": "App", "client_name#de": "Anwendung", "client_uri": "https://app.example", "tos_uri": "https://app.example/tos",
            "policy_uri": "https://app.example/p", "logo_uri": "https://app.example/l.png", "contacts": ["ops@example.com"],
            "redirect_uris": ["https://app.example/a", "https://app.example/b"], "post_logout_redirect_uris": ["https://app.example/"],
            "grant_types": ["authorization_code", "refresh_token", "implicit", "urn:openid:params:grant-type:ciba"], "backchannel_token_delivery_mode": "ping",
            "backchannel_client_notification_endpoint": "https://app.example/told", "backchannel_authentication_request_signing_alg": "ES256", "backchannel_user_code_parameter": true, "response_types": ["code", "code id_token"], "authorization_signed_response_alg": "EdDSA",
            "userinfo_signed_response_alg": "ES256", "introspection_signed_response_alg": "PS256", "scope": "openid profile offline_access read",
            "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
            "jwks_uri": "https://app.example/jwks", "id_token_signed_response_alg": "RS256", "access_token_format": "opaque",
            "default_audience": "urn:api", "resources": ["urn:api"], "authorization_details_types": ["payment"], "default_max_age": 60, "require_auth_time": true,
            "default_acr_values": ["a", "b"], "initiate_login_uri": "https://app.example/login", "application_type": "native",
            "subject_type": "pairwise", "sector_identifier_uri": "https://app.example/uris.json", "allowed_origins": ["https://spa.example"], "require_pkce": false, "require_pushed_authorization_requests": true,
            "require_signed_request_object": true, "request_object_signing_alg": "PS256", "request_object_encryption_alg": "ECDH-ES", "request_object_encryption_enc": "A256GCM",
            "request_uris": ["https://app.example/request", "https://app.example/request#GkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM"],
            "id_token_encrypted_response_alg": "RSA-OAEP-256", "id_token_encrypted_response_enc": "A128GCM", "authorization_encrypted_response_alg": "ECDH-ES",
            "authorization_encrypted_response_enc": "A128CBC-HS256", "userinfo_encrypted_response_alg": "ECDH-ES", "userinfo_encrypted_response_enc": "A256GCM",
            "introspection_encrypted_response_alg": "RSA-OAEP-256", "introspection_encrypted_response_enc": "A256GCM", "dpop_bound_access_tokens": true, "require_dpop_nonce": true, "access_token_lifetime": 60,
            "refresh_token_lifetime": 3600, "refresh_token_leeway": 5, "skip_consent": true, "popup_sign_in": true, "token_exchange_subjects": ["urn:api"], "token_exchange_targets": ["urn:b"], "token_exchange_scope": "read", "token_exchange_impersonation": true, "token_exchange_issuers": ["https://idp.example"], "token_exchange_may_act": "a", "native_sso_group": "acme", "software_id": "x", "software_version": "1"
        }"#;
        let metadata = ClientMetadata::from_json(serde_json::from_str(document).unwrap()).unwrap();
        let stage = Stage::named(Messages::default(), "Acme");
        let mut draft = draft_of(&metadata);
        let document = document_of(stage.shell("/clients"), &mut draft);
        assert!(!draft.is_wrong());
        assert_eq!(ClientMetadata::from_json(document).unwrap(), metadata);
        // The rest by their defaults.
        let plain =
            ClientMetadata::from_json(json!({ "grant_types": ["client_credentials"] })).unwrap();
        let document = document_of(stage.shell("/clients"), &mut draft_of(&plain));
        assert_eq!(ClientMetadata::from_json(document).unwrap(), plain);
        // Every member is somewhere.
        let written = serde_json::to_value(&metadata).unwrap();
        for name in written.as_object().unwrap().keys() {
            assert!(
                all_fields().any(|(known, _)| known == place(name)),
                "{name}"
            );
        }
    }

    #[test]
    fn the_form_holds_what_a_certificate_says() {
        let stage = Stage::named(Messages::default(), "Acme");
        for (member, value) in [
            ("tls_client_auth_subject_dn", "CN=orders"),
            ("tls_client_auth_san_dns", "orders.example"),
            ("tls_client_auth_san_uri", "urn:orders"),
            ("tls_client_auth_san_ip", "192.0.2.7"),
            ("tls_client_auth_san_email", "orders@example.com"),
        ] {
            let metadata = ClientMetadata::from_json(json!({
                "grant_types": ["client_credentials"], "token_endpoint_auth_method": "tls_client_auth", member: value,
                "tls_client_certificate_bound_access_tokens": true, "security_profile": "fapi2_security",
            }))
            .unwrap();
            let document = document_of(stage.shell("/clients"), &mut draft_of(&metadata));
            assert_eq!(ClientMetadata::from_json(document).unwrap(), metadata);
        }
    }

    #[test]
    fn what_is_no_value_is_said_beside_its_field() {
        let stage = Stage::named(Messages::default(), "Acme");
        let mut draft = Draft::new([
            ("default_max_age", "soon".to_owned()),
            ("jwks", "{".to_owned()),
            ("localized", "Anwendung".to_owned()),
        ]);
        document_of(stage.shell("/clients"), &mut draft);
        for name in ["default_max_age", "jwks", "localized"] {
            assert!(draft.problem(name).is_some(), "{name}");
        }
    }
}
