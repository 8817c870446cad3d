//! How a field is filled in, and what there is to choose from.

use super::Shape;
use crate::flows::admin::{Area, Permission};
use crate::flows::scopes::{ADMIN, OF_PERSONS};
use crate::http::console::clients::SECTION;
use crate::http::console::clients_wizard::response_types;
use crate::http::console::parts::{Choice, Draft, FieldKind};
use crate::http::console::visitor::Visitor;
use crate::protocol::algorithm::AssertionAlgorithm;
use crate::protocol::backchannel_authentication::DeliveryMode;
use crate::protocol::client_metadata::GrantType;
use crate::protocol::{ContentEncryption, KeyManagementAlgorithm, SigningAlgorithm};

fn scopes(visitor: &Visitor, draft: &Draft) -> Vec<Choice> {
    let page = visitor.shell(&SECTION);
    let mut choices: Vec<Choice> = OF_PERSONS
        .iter()
        .map(|scope| Choice::new(*scope, *scope).hint(page.t(&format!("client-scope-{scope}"))))
        .collect();
    for resource in &visitor.tenant.resources {
        for scope in &resource.scopes {
            if !choices.iter().any(|known| known.value == scope.name) {
                choices.push(
                    Choice::new(scope.name.clone(), scope.name.clone()).hint(resource.name.clone()),
                );
            }
        }
    }
    // Who administers everything is for those to say who do.
    if visitor.may(Permission::Write(Area::Administrators)) {
        choices.push(Choice::new(ADMIN, ADMIN).hint(page.t("client-scope-admin")));
    }
    for chosen in draft.values("scope") {
        if !choices.iter().any(|known| known.value == chosen) {
            choices.push(Choice::new(chosen, chosen).hint(page.t("client-scope-unknown")));
        }
    }
    choices
}

pub(super) fn kind(visitor: &Visitor, shape: Shape, draft: &Draft) -> FieldKind {
    let plain = |values: &[&str]| values.iter().map(|v| Choice::new(*v, *v)).collect();
    match shape {
        Shape::Text => FieldKind::Line("text"),
        Shape::Address => FieldKind::Line("url"),
        Shape::Number => FieldKind::Line("number"),
        Shape::Lines | Shape::Localized => FieldKind::Lines(3),
        Shape::Json => FieldKind::Lines(8),
        Shape::Flag => FieldKind::Box,
        Shape::OneOf(values) => FieldKind::Menu(plain(values)),
        Shape::Algorithm => algorithms(visitor, &SigningAlgorithm::ALL.map(|own| own.as_str())),
        Shape::AssertionAlgorithm => {
            algorithms(visitor, &AssertionAlgorithm::ALL.map(|own| own.as_str()))
        }
        Shape::KeyManagement => menu(
            visitor.shell(&SECTION).t("client-unencrypted").into_owned(),
            &KeyManagementAlgorithm::ALL.map(KeyManagementAlgorithm::as_str),
        ),
        Shape::Delivery => menu(
            visitor.shell(&SECTION).t("nothing").into_owned(),
            &DeliveryMode::ALL.map(DeliveryMode::as_str),
        ),
        Shape::ContentEncryption => algorithms(
            visitor,
            &ContentEncryption::ALL.map(ContentEncryption::as_str),
        ),
        Shape::Grants => FieldKind::Boxes(plain(&GrantType::ALL.map(GrantType::as_str))),
        Shape::Responses => FieldKind::Boxes(response_types(visitor.shell(&SECTION))),
        Shape::Scopes => FieldKind::Boxes(scopes(visitor, draft)),
    }
}

fn algorithms(visitor: &Visitor, names: &[&str]) -> FieldKind {
    menu(visitor.shell(&SECTION).t("client-any").into_owned(), names)
}

/// One of these, or what it is without a choice.
fn menu(unchosen: String, names: &[&str]) -> FieldKind {
    let mut choices = vec![Choice::new("", unchosen)];
    choices.extend(names.iter().map(|name| Choice::new(*name, *name)));
    FieldKind::Menu(choices)
}
