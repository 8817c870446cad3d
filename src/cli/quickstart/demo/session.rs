//! Browsers' sessions with the application: in memory, bounded, found by a random cookie.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quick_cache::sync::Cache;

use super::problem::Problem;
use super::verify::Claims;
use crate::clock::Clock;
use crate::secret::PlainSecret;

const COOKIE: &str = "tessera_demo";
const MAX_SESSIONS: usize = 1000;
/// Sign-ins that a browser may have begun and not ended.
const MAX_PENDING: usize = 10;

/// A sign-in that was begun.
pub(super) struct Pending {
    pub(super) slug: String,
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) code_verifier: PlainSecret,
}

/// A person who is signed in at a tenant.
#[derive(Clone)]
pub(super) struct SignedIn {
    pub(super) id_token: PlainSecret,
    pub(super) claims: Claims,
    pub(super) userinfo: Option<Claims>,
    pub(super) access_token: PlainSecret,
    pub(super) refresh_token: Option<PlainSecret>,
    pub(super) api_result: Option<ApiResult>,
    pub(super) notice: Option<String>,
}

/// What the demo API answered.
#[derive(Clone)]
pub(super) struct ApiResult {
    pub(super) request: String,
    pub(super) status: u16,
    pub(super) body: String,
}

/// All that is known of a browser. Tenants lie side by side.
pub(super) struct Session {
    pub(super) csrf: String,
    pub(super) pending: VecDeque<Pending>,
    pub(super) signed_in: HashMap<String, SignedIn>,
    pub(super) signing_out: Option<(String, String)>,
    pub(super) notice: Option<String>,
}

impl Session {
    pub(super) fn begin(&mut self, pending: Pending) {
        if self.pending.len() >= MAX_PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back(pending);
    }

    /// The sign-in that `state` belongs to; it is forgotten, so that its answer counts once.
    pub(super) fn consume_pending(&mut self, slug: &str, state: &str) -> Option<Pending> {
        let at = self
            .pending
            .iter()
            .position(|pending| pending.slug == slug && pending.state == state)?;
        self.pending.remove(at)
    }
}

/// A browser's session and the name that its cookie has for it.
#[derive(Clone)]
pub(super) struct Handle {
    id: String,
    session: Arc<Mutex<Session>>,
}

impl Handle {
    /// Never held across an await.
    pub(super) fn lock(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn cookie(&self) -> Cookie<'static> {
        // Lax: the way back from the issuer is a navigation from elsewhere and must bring it.
        Cookie::build(COOKIE, self.id.clone())
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .finish()
    }
}

#[derive(Clone)]
pub(super) struct Sessions {
    clock: Clock,
    kept: Arc<Cache<String, Arc<Mutex<Session>>>>,
}

impl Sessions {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            kept: Arc::new(Cache::new(MAX_SESSIONS)),
        }
    }

    /// 256 random bits as text: ids, `state`, `nonce`, `code_verifier`.
    pub(super) fn random(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.clock.random_bytes::<32>())
    }

    pub(super) fn find(&self, request: &HttpRequest) -> Option<Handle> {
        let id = request.cookie(COOKIE)?.value().to_owned();
        let session = self.kept.get(&id)?;
        Some(Handle { id, session })
    }

    pub(super) fn find_or_begin(&self, request: &HttpRequest) -> Handle {
        self.find(request).unwrap_or_else(|| {
            let session = Session {
                csrf: self.random(),
                pending: VecDeque::new(),
                signed_in: HashMap::new(),
                signing_out: None,
                notice: None,
            };
            self.insert(Arc::new(Mutex::new(session)))
        })
    }

    /// The same session under a new name, for when a person signs in: whoever knew the old name is left outside.
    pub(super) fn rename(&self, handle: &Handle) -> Handle {
        self.kept.remove(&handle.id);
        self.insert(Arc::clone(&handle.session))
    }

    /// The session, if it has someone signed in at this tenant.
    pub(super) fn load_signed_in(
        &self,
        request: &HttpRequest,
        slug: &str,
    ) -> Result<(Handle, SignedIn), Problem> {
        let handle = self.find(request).ok_or(Problem::NoSession)?;
        let signed_in = handle
            .lock()
            .signed_in
            .get(slug)
            .cloned()
            .ok_or(Problem::NoSession)?;
        Ok((handle, signed_in))
    }

    fn insert(&self, session: Arc<Mutex<Session>>) -> Handle {
        let id = self.random();
        self.kept.insert(id.clone(), Arc::clone(&session));
        Handle { id, session }
    }
}
