//! A request to the API, let in: who asks, about which tenant, with which body; and the answers that it can be given.

use std::str::FromStr;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderName, IF_MATCH, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::answer::Refusal;
use super::json;
use super::operation::Operation;
use crate::flows::Provider;
use crate::flows::admin::{AdminError, By, Principal, REMEMBERED, Repeated, Subject};
use crate::flows::tenancy::Tenant;
use crate::http::extract::Caller;
use crate::protocol::Params;
use crate::protocol::merge_patch;
use crate::storage::{Once, Page, PageRequest};

/// By which a creation may be repeated (draft-ietf-httpapi-idempotency-key-header).
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The most characters of such a key.
pub const IDEMPOTENCY_KEY_MAX: usize = 255;

/// The most rows of a page.
pub const LIMIT_MAX: u32 = 200;

/// The most characters of what is searched for.
pub const SEARCH_MAX: usize = 500;

/// The rows of a page unless told.
pub const LIMIT_DEFAULT: u32 = 50;

/// A request that was let in.
pub struct Call {
    /// What answers it.
    pub provider: web::Data<Provider>,
    /// Who asks.
    pub principal: Principal,
    pub(super) operation: &'static Operation,
    pub(super) tenant: Option<Arc<Tenant>>,
    pub(super) request: HttpRequest,
    pub(super) caller: Caller,
    /// For the next proof of possession of whoever sent one.
    pub(super) nonce: Option<String>,
    pub(super) query: Params,
    pub(super) body: Vec<u8>,
}

impl Call {
    /// The tenant that the path names and the principal reaches; their own where the path names none.
    pub fn tenant(&self) -> &Arc<Tenant> {
        self.tenant.as_ref().unwrap_or(&self.principal.home)
    }

    /// A name in the path, as it is written there.
    pub fn segment(&self, name: &str) -> String {
        self.request
            .match_info()
            .get(name)
            .unwrap_or_default()
            .to_owned()
    }

    /// An identifier in the path; what is none names nothing.
    pub fn id<T: FromStr>(&self, name: &str) -> Result<T, Refusal> {
        self.segment(name).parse().map_err(|_| Refusal::not_found())
    }

    /// A parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// A parameter of the query, understood.
    pub fn parsed<T: FromStr>(&self, name: &'static str, what: &str) -> Result<Option<T>, Refusal> {
        self.parameter(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| Refusal::parameter(name, format!("must be {what}")))
            })
            .transpose()
    }

    /// What a list is searched for.
    pub fn search(&self) -> Result<Option<String>, Refusal> {
        // An empty field of a search form asks for everything.
        let text = self.parameter("search").filter(|text| !text.is_empty());
        if text.is_some_and(|text| text.chars().nth(SEARCH_MAX).is_some()) {
            return Err(Refusal::parameter(
                "search",
                format!("must have at most {SEARCH_MAX} characters"),
            ));
        }
        Ok(text.map(ToOwned::to_owned))
    }

    /// Who acts.
    pub fn by(&self) -> By {
        self.principal.by(&self.caller.origin)
    }

    /// Who makes something, once for each key.
    pub fn by_once(&self) -> Result<By, Refusal> {
        Ok(By {
            once: self.once()?,
            ..self.by()
        })
    }

    fn once(&self) -> Result<Option<Once>, Refusal> {
        let mut keys = self.request.headers().get_all(IDEMPOTENCY_KEY);
        let Some(key) = keys.next() else {
            return Ok(None);
        };
        if !is_idempotency_key(key.as_bytes()) || keys.next().is_some() {
            return Err(Refusal::header(
                "malformed_request",
                "Idempotency-Key",
                format!("must be there once, with 1 to {IDEMPOTENCY_KEY_MAX} characters of ASCII"),
            ));
        }
        let mut asked = Sha256::new();
        for part in [
            self.operation.id.as_bytes(),
            self.request.path().as_bytes(),
            &self.body,
        ] {
            asked.update(part.len().to_be_bytes());
            asked.update(part);
        }
        let caller = match self.principal.subject {
            Subject::User(id) => id.uuid(),
            Subject::Client(id) => id.uuid(),
        };
        Ok(Some(Once {
            caller,
            key_hash: Sha256::digest(key.as_bytes()).into(),
            request_hash: asked.finalize().into(),
            expires_at: self.provider.now() + REMEMBERED,
        }))
    }

    /// What was made by the same request before; `tenant` is the one that remembers the key.
    pub async fn repeated(&self, tenant: &Tenant) -> Result<Repeated, Refusal> {
        let once = self.once()?.ok_or(AdminError::Repeated)?;
        Ok(self.provider.find_repeated(tenant, once).await?)
    }

    /// The body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        json::read(&self.body)
    }

    /// The body, or what an empty one means.
    pub fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Refusal> {
        if self.body.is_empty() {
            return Ok(T::default());
        }
        self.json()
    }

    /// What the document becomes by the patch in the body (RFC 7396).
    pub fn patched<T: DeserializeOwned>(&self, current: &impl Serialize) -> Result<T, Refusal> {
        let patch: Value = self.json()?;
        if !patch.is_object() {
            return Err(Refusal::new("invalid_value", "a patch is a JSON object").at(String::new()));
        }
        let mut document = serde_json::to_value(current)
            .map_err(|_| Refusal::new("server_error", "the document can't be written"))?;
        merge_patch::apply(&mut document, &patch);
        json::read_value(&document)
    }

    /// Whether the patch in the body says something of this member, that it goes too.
    pub fn patches(&self, member: &str) -> Result<bool, Refusal> {
        let patch: Value = self.json()?;
        Ok(patch.get(member).is_some())
    }

    /// Refuses a change of another version than the present one (RFC 9110 §13.1.1).
    pub fn check_version(&self, version: i64) -> Result<(), Refusal> {
        let mut wanted = self.request.headers().get_all(IF_MATCH).peekable();
        if wanted.peek().is_none() {
            return Err(Refusal::header(
                "version_required",
                "If-Match",
                "send the `ETag` that came with what you change",
            ));
        }
        let matches = wanted
            .filter_map(|value| value.to_str().ok())
            .any(|value| names_version(value, version));
        if matches {
            return Ok(());
        }
        Err(Refusal::new(
            "changed_meanwhile",
            "somebody changed it since it was read: read it again and repeat the change",
        ))
    }

    /// The part of a list that is asked for.
    pub fn page(&self) -> Result<PageRequest, Refusal> {
        let limit = match self.parameter("limit") {
            None => LIMIT_DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=LIMIT_MAX).contains(limit))
                .ok_or_else(|| {
                    Refusal::parameter("limit", format!("must be a number from 1 to {LIMIT_MAX}"))
                })?,
        };
        let after = self
            .parameter("cursor")
            .map(|text| {
                parse_cursor(text).ok_or_else(|| {
                    Refusal::parameter("cursor", "must be the `next_cursor` of the page before")
                })
            })
            .transpose()?;
        Ok(PageRequest {
            limit: Some(limit),
            after,
        })
    }

    /// 200 with a document.
    pub fn show(&self, document: &impl Serialize) -> HttpResponse {
        answer(StatusCode::OK, document)
    }

    /// 200 with a document and its version.
    pub fn show_version(&self, version: i64, document: &impl Serialize) -> HttpResponse {
        let mut response = answer(StatusCode::OK, document);
        tagged(&mut response, version);
        response
    }

    /// 200 with a page of a list.
    pub fn list<T, V: Serialize>(&self, page: Page<T>, view: impl Fn(&T) -> V) -> HttpResponse {
        answer(
            StatusCode::OK,
            &List {
                items: page.items.iter().map(view).collect::<Vec<_>>(),
                next_cursor: page.next.map(cursor),
            },
        )
    }

    /// 201 with what was made; `path` is below `/api/v1`.
    pub fn made(
        &self,
        path: &str,
        version: Option<i64>,
        document: &impl Serialize,
    ) -> HttpResponse {
        let mut response = answer(StatusCode::CREATED, document);
        let location = format!("{}/api/v1{path}", self.provider.config.public_url.root());
        if let Ok(location) = location.parse() {
            response.headers_mut().insert(LOCATION, location);
        }
        if let Some(version) = version {
            tagged(&mut response, version);
        }
        response
    }

    /// 204.
    pub fn done(&self) -> HttpResponse {
        HttpResponse::NoContent()
            .insert_header((CACHE_CONTROL, "no-store"))
            .finish()
    }
}

/// A page of a list.
#[derive(Serialize)]
struct List<V> {
    items: Vec<V>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A list that has one page only.
pub fn whole<T>(items: Vec<T>) -> Page<T> {
    Page { items, next: None }
}

/// The text that asks for the rows behind this one.
pub fn cursor(after: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(after.as_bytes())
}

/// Reads what [`cursor`] wrote.
pub fn parse_cursor(text: &str) -> Option<Uuid> {
    // 16 bytes have one spelling of 22 characters; anything longer isn't worth decoding.
    if text.len() != 22 {
        return None;
    }
    Uuid::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// Whether this may name a creation: 1 to [`IDEMPOTENCY_KEY_MAX`] characters of ASCII.
pub fn is_idempotency_key(key: &[u8]) -> bool {
    (1..=IDEMPOTENCY_KEY_MAX).contains(&key.len())
        && key.iter().all(|byte| (0x20..0x7f).contains(byte))
}

/// The entity tag of a version.
pub fn tag(version: i64) -> String {
    format!("\"v{version}\"")
}

/// Whether the value of an `If-Match` field names this version.
pub fn names_version(if_match: &str, version: i64) -> bool {
    let current = tag(version);
    if_match
        .split(',')
        .map(str::trim)
        .any(|value| value == "*" || value == current)
}

fn tagged(response: &mut HttpResponse, version: i64) {
    if let Ok(tag) = tag(version).parse() {
        response.headers_mut().insert(ETAG, tag);
    }
}

fn answer(status: StatusCode, document: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(document)
}
