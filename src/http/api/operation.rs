//! One operation of the API: everything that is true of it stands here once, and the router, the permission check, the headers, the
//! `OpenAPI` document and the page that people read are all made from it.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

use actix_web::http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::answer::Answer;
use super::call::{Call, SEARCH_MAX};
use crate::flows::admin::Permission;

/// What a handler gives back.
pub type Handling = Pin<Box<dyn Future<Output = Answer>>>;

/// How a type looks as JSON.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// Any text but one with a NUL, which PostgreSQL can't hold.
pub const NO_NUL: &str = "^[^\\x00]*$";

/// A parameter of the query.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// Whether nothing is answered without it.
    pub required: bool,
    /// What it may hold.
    pub schema: SchemaOf,
}

/// What an operation wants as its body.
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// A JSON document.
    Document(SchemaOf),
    /// A JSON document, or nothing, which is the same as `{}`.
    Maybe(SchemaOf),
    /// A JSON merge patch (RFC 7396) of this document.
    Patch(SchemaOf),
}

/// What an operation answers when it is done.
#[derive(Clone, Copy, Debug)]
pub enum Gives {
    /// Nothing: 204.
    Nothing,
    /// A document: 200.
    Document(SchemaOf),
    /// What was made: 201 with `Location`.
    Created(SchemaOf),
    /// A page of a list: 200.
    List(SchemaOf),
}

/// One operation.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Its name for programs.
    pub id: &'static str,
    /// The method.
    pub method: fn() -> Method,
    /// The path below `/api/v1`.
    pub path: &'static str,
    /// What it does, as a line.
    pub summary: &'static str,
    /// What more is to be said.
    pub description: &'static str,
    /// What it needs; `None`: nothing but a token for administration.
    pub permission: Option<Permission>,
    /// What it wants.
    pub takes: Takes,
    /// What it answers.
    pub gives: Gives,
    /// Parameters of the query.
    pub query: &'static [Parameter],
    /// Whether the answer carries `ETag`.
    pub tagged: bool,
    /// Does it.
    pub handler: fn(Call) -> Handling,
}

/// How `T` looks as JSON.
pub fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// What is searched for.
pub fn search_text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "maxLength": SEARCH_MAX, "pattern": NO_NUL })
}

impl Operation {
    const fn new(
        method: fn() -> Method,
        id: &'static str,
        path: &'static str,
        handler: fn(Call) -> Handling,
    ) -> Self {
        Self {
            id,
            method,
            path,
            summary: "",
            description: "",
            permission: None,
            takes: Takes::Nothing,
            gives: Gives::Nothing,
            query: &[],
            tagged: false,
            handler,
        }
    }

    /// Reads.
    pub const fn get(id: &'static str, path: &'static str, handler: fn(Call) -> Handling) -> Self {
        Self::new(|| Method::GET, id, path, handler)
    }

    /// Makes or acts.
    pub const fn post(id: &'static str, path: &'static str, handler: fn(Call) -> Handling) -> Self {
        Self::new(|| Method::POST, id, path, handler)
    }

    /// Puts something there, whether it was before or not.
    pub const fn put(id: &'static str, path: &'static str, handler: fn(Call) -> Handling) -> Self {
        Self::new(|| Method::PUT, id, path, handler)
    }

    /// Changes what is named and leaves the rest (RFC 7396). Needs `If-Match`.
    pub const fn patch<T: JsonSchema>(
        id: &'static str,
        path: &'static str,
        handler: fn(Call) -> Handling,
    ) -> Self {
        let mut operation = Self::new(|| Method::PATCH, id, path, handler);
        operation.takes = Takes::Patch(schema_of::<T>);
        operation.tagged = true;
        operation
    }

    /// Deletes.
    pub const fn delete(
        id: &'static str,
        path: &'static str,
        handler: fn(Call) -> Handling,
    ) -> Self {
        Self::new(|| Method::DELETE, id, path, handler)
    }

    /// What it does, as a line; and what more is to be said.
    #[must_use]
    pub const fn says(mut self, summary: &'static str, description: &'static str) -> Self {
        self.summary = summary;
        self.description = description;
        self
    }

    /// Who may.
    #[must_use]
    pub const fn needs(mut self, permission: Permission) -> Self {
        self.permission = Some(permission);
        self
    }

    /// What it wants as its body.
    #[must_use]
    pub const fn takes<T: JsonSchema>(mut self) -> Self {
        self.takes = Takes::Document(schema_of::<T>);
        self
    }

    /// What it may be sent as its body.
    #[must_use]
    pub const fn may_take<T: JsonSchema>(mut self) -> Self {
        self.takes = Takes::Maybe(schema_of::<T>);
        self
    }

    /// The document that it answers with.
    #[must_use]
    pub const fn gives<T: JsonSchema>(mut self) -> Self {
        self.gives = Gives::Document(schema_of::<T>);
        self
    }

    /// What it makes, and answers with.
    #[must_use]
    pub const fn makes<T: JsonSchema>(mut self) -> Self {
        self.gives = Gives::Created(schema_of::<T>);
        self
    }

    /// What it lists; takes `limit` and `cursor`.
    #[must_use]
    pub const fn lists<T: JsonSchema>(mut self) -> Self {
        self.gives = Gives::List(schema_of::<T>);
        self
    }

    /// Further parameters of the query.
    #[must_use]
    pub const fn asks(mut self, query: &'static [Parameter]) -> Self {
        self.query = query;
        self
    }

    /// The answer carries the version as `ETag`.
    #[must_use]
    pub const fn tagged(mut self) -> Self {
        self.tagged = true;
        self
    }

    /// Whether it takes `Idempotency-Key`: whatever makes something does.
    pub const fn is_creation(&self) -> bool {
        matches!(self.gives, Gives::Created(_))
    }

    /// Whether it takes `limit` and `cursor`.
    pub const fn is_list(&self) -> bool {
        matches!(self.gives, Gives::List(_))
    }

    /// Whether it needs `If-Match`.
    pub const fn is_update(&self) -> bool {
        matches!(self.takes, Takes::Patch(_))
    }

    /// Whether it concerns one tenant, which its path names.
    pub fn is_of_tenant(&self) -> bool {
        self.path.starts_with("/tenants/{tenant}")
    }

    /// The names in its path.
    pub fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }

    /// What it belongs to, for readers: the last plain part of its path that names a kind of thing.
    pub fn tag(&self) -> Cow<'static, str> {
        let rest = self.path.strip_prefix("/tenants/{tenant}").unwrap_or("");
        match rest.split('/').nth(1) {
            None | Some("suspend" | "resume") if self.path.starts_with("/tenants") => {
                "tenants".into()
            }
            Some(part) => part.into(),
            None => self.path.trim_start_matches('/').into(),
        }
    }

    /// What answers with a document: its status and its form.
    pub const fn success(&self) -> (u16, Option<SchemaOf>) {
        match self.gives {
            Gives::Nothing => (204, None),
            Gives::Document(schema) | Gives::List(schema) => (200, Some(schema)),
            Gives::Created(schema) => (201, Some(schema)),
        }
    }
}
