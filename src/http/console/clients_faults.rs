//! What is wrong with a client's form, said beside the field where it is to be mended: the rules are those of its metadata, the words the
//! console's.

use serde_json::Value;

use super::clients::SECTION;
use super::layout::Shell;
use super::parts::Draft;
use super::reasons;
use super::visitor::Visitor;
use crate::domain::ids::ClientId;
use crate::flows::admin::AdminError;
use crate::flows::scopes::{ADMIN, OF_PERSONS};
use crate::protocol::client_metadata::{ApplicationType, MetadataError};
use crate::protocol::redirect_uri::{PostLogoutRedirectUri, RedirectUri};
use crate::protocol::scope::DEVICE_SSO;

/// What is wrong with a document that a form asked for.
pub fn of_metadata(page: Shell<'_>, document: &Value, error: &MetadataError) -> String {
    let lines: Vec<&str> = document
        .get(&error.field)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let application = match document.get("application_type").and_then(Value::as_str) {
        Some("native") => ApplicationType::Native,
        _ => ApplicationType::Web,
    };
    let problem_of = |uri: &str| match error.field.as_str() {
        "redirect_uris" => RedirectUri::parse(uri, application).err(),
        "post_logout_redirect_uris" => PostLogoutRedirectUri::parse(uri, application).err(),
        _ => None,
    };
    let found = lines
        .iter()
        .find_map(|uri| Some((*uri, reasons::of_redirect(page, problem_of(uri)?))));
    match found {
        Some((_, problem)) if lines.len() == 1 => problem,
        Some((uri, problem)) => page
            .messages
            .format("client-line-wrong", [("line", uri), ("problem", &problem)]),
        None if error.field == "redirect_uris" && lines.is_empty() => {
            page.t("client-redirect-wanted").into_owned()
        }
        None => reasons::in_words(page, &error.reason),
    }
}

/// Says in the console's words what a form names that this tenant doesn't have; any other error is left as it is.
pub fn of_tenant(visitor: &Visitor, draft: &Draft, error: AdminError) -> AdminError {
    let AdminError::Invalid { field, reason } = error else {
        return error;
    };
    let resources = &visitor.tenant.resources;
    let has_scope = |name: &str| resources.iter().any(|own| own.understands(name));
    let is_resource = |name: &str| resources.iter().any(|own| own.identifier == name);
    let has_type = |name: &str| {
        let mut types = resources.iter().flat_map(|own| &own.details_types);
        types.any(|kind| kind.name == name)
    };
    let missing = |typed: Vec<String>, is_there: &dyn Fn(&str) -> bool| {
        typed.into_iter().find(|name| !is_there(name))
    };
    let found = match field.as_str() {
        "scope" => {
            let chosen = draft.values("api").filter_map(|api| api.split_once(' '));
            let typed = draft.values("scope").chain(chosen.map(|(_, scope)| scope));
            let typed = typed.map(ToOwned::to_owned).collect();
            let shares = visitor.tenant.settings().native_sso;
            let known = |name: &str| {
                has_scope(name)
                    || name == ADMIN
                    || (OF_PERSONS.contains(&name) && (name != DEVICE_SSO || shares))
            };
            missing(typed, &known).map(|name| match name.as_str() {
                DEVICE_SSO => ("client-no-device-sso", name),
                _ => ("client-no-scope", name),
            })
        }
        "token_exchange_scope" => {
            let typed = draft.value("token_exchange_scope").split_whitespace();
            missing(typed.map(ToOwned::to_owned).collect(), &has_scope)
                .map(|name| ("client-no-scope", name))
        }
        "resources" => {
            missing(draft.lines("resources"), &is_resource).map(|name| ("client-no-api", name))
        }
        "token_exchange_targets" => {
            let known = |name: &str| is_resource(name) || name.parse::<ClientId>().is_ok();
            missing(draft.lines("token_exchange_targets"), &known)
                .map(|name| ("client-no-target", name))
        }
        "authorization_details_types" => {
            missing(draft.lines("authorization_details_types"), &has_type)
                .map(|name| ("client-no-type", name))
        }
        _ => None,
    };
    let reason = found.map_or(reason, |(id, name)| {
        visitor.shell(&SECTION).f(id, "name", &name)
    });
    AdminError::Invalid { field, reason }
}
