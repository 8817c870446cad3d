//! How a person hears that they are asked.

use crate::domain::backchannel_request::BackchannelRequest;
use crate::domain::logout_delivery::DeliveryKind;
use crate::domain::settings::TenantSettings;
use crate::storage::{Repo, Result};

/// A way to tell a person that an application asks for them.
///
/// It is called in the transaction that writes the request down, so that nobody hears of one that isn't there. What takes time, or may fail, it
/// leaves to the queue of deliveries. Whatever it does, the request waits in the person's account, and telling them of it decides nothing.
pub trait Notifier: Send + Sync {
    /// Has the person told.
    fn notify(&self, repo: &mut Repo<'_>, request: &BackchannelRequest) -> Result<()>;
}

/// Nobody is told: the person finds the request in their account, where a number says that something waits.
pub struct OnAccountPage;

impl Notifier for OnAccountPage {
    fn notify(&self, _: &mut Repo<'_>, _: &BackchannelRequest) -> Result<()> {
        Ok(())
    }
}

/// Something of the tenant's own is told, and tells the person by a message to their phone, say.
pub struct Webhook;

impl Notifier for Webhook {
    fn notify(&self, repo: &mut Repo<'_>, request: &BackchannelRequest) -> Result<()> {
        repo.queue_backchannel_delivery(DeliveryKind::BackchannelNotice, request)
    }
}

/// The way that a tenant has chosen.
pub fn notifier_of(settings: &TenantSettings) -> &'static dyn Notifier {
    if settings.backchannel_notice_uri.is_empty() {
        &OnAccountPage
    } else {
        &Webhook
    }
}
