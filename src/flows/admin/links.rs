//! One-time links, by which a person sets a password. This server sends no mail: whoever makes one hands it over.

use super::error::{AdminError, By};
use crate::clock::Timestamp;
use crate::domain::audit::Act;
use crate::domain::ids::{LinkId, UserId};
use crate::domain::one_time_link::OneTimeLink;
use crate::domain::role::Role;
use crate::flows::provider::Provider;
use crate::flows::tenancy::Tenant;
use crate::secret::{Handle, PlainSecret, Purpose};
use crate::storage::{self, Repo};

/// A link to hand over.
#[derive(Clone, Debug)]
pub struct IssuedLink {
    /// Whoever opens it sets the person's password.
    pub url: PlainSecret,
    /// End of its life.
    pub expires_at: Timestamp,
}

impl Provider {
    /// Makes a link and what is stored of it.
    pub(super) fn new_link(
        &self,
        tenant: &Tenant,
        user_id: UserId,
        by: &By,
    ) -> (OneTimeLink, IssuedLink) {
        let handle = Handle::generate(&self.clock);
        let expires_at =
            self.now() + chrono::Duration::seconds(tenant.settings().one_time_link_lifetime.into());
        let url = PlainSecret::new(format!(
            "{}/link/{}",
            tenant.canonical,
            handle.to_text(Purpose::OneTimeLink).expose()
        ));
        let key = tenant.handle_key();
        let proof = handle.hash_at(key, Purpose::OneTimeLink, &tenant.canonical);
        (
            OneTimeLink {
                id: LinkId::from(handle.id()),
                user_id,
                proof,
                expires_at,
                by_administrator: by.authority.holds(&[Role::Administrator]),
                consumed_at: None,
            },
            IssuedLink { url, expires_at },
        )
    }
}

impl Provider {
    /// A link that was shown once, with the end that is stored of it; none where it is forgotten.
    pub async fn find_issued_link(
        &self,
        tenant: &Tenant,
        url: PlainSecret,
    ) -> Result<Option<IssuedLink>, AdminError> {
        let text = url.expose().rsplit('/').next().unwrap_or_default();
        let Some(handle) = Handle::parse(Purpose::OneTimeLink, text) else {
            return Ok(None);
        };
        let id = LinkId::from(handle.id());
        let stored = self.db.read(tenant, move |repo| repo.find_link(id)).await?;
        Ok(stored.map(|link| IssuedLink {
            url,
            expires_at: link.expires_at,
        }))
    }
}

/// Stores a link; the person's older ones are good no more.
pub(super) fn insert(repo: &mut Repo<'_>, link: &OneTimeLink, by: &By) -> storage::Result<()> {
    repo.insert_link(link)?;
    repo.record(
        by.event(Act::LinkCreated)
            .user(link.user_id)
            .detail(serde_json::json!({ "expires_at": link.expires_at })),
    )
}
