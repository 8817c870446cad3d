//! The device authorization endpoint (RFC 8628 §3.1, §3.2).

use chrono::Duration;

use crate::domain::client::Client;
use crate::domain::device_code::{DeviceCode, DeviceStage};
use crate::domain::ids::DeviceCodeId;
use crate::domain::settings::LockoutPolicy;
use crate::domain::throttle::{Admission, SITE_SHARE, network_of, site_of};
use crate::flows::Provider;
use crate::flows::client_authentication::Sent;
use crate::flows::grants::TokenRefusal;
use crate::flows::provider::FlowError;
use crate::flows::scopes::{ADMIN, Rules};
use crate::flows::tenancy::{Tenant, TenantAt};
use crate::protocol::authorization_details::AuthorizationDetails;
use crate::protocol::client_metadata::GrantType;
use crate::protocol::device_authorization::{
    DeviceAuthorizationRequest, DeviceAuthorizationResponse, INTERVAL, UserCode,
};
use crate::protocol::scope::DEVICE_SSO;
use crate::protocol::{ErrorCode, OAuthError, Params, Scope};
use crate::secret::{Handle, HashedSecret, Purpose};
use crate::storage::{self, Repo};

/// The window in which codes for one address are counted, in seconds.
const RATE_WINDOW: u32 = 3600;

/// How many of a client's codes a site gets in any case while a code is good, however few may wait.
const SHARE_MIN: u32 = 20;

/// How many user codes are made ahead, should one be another device's already: with a million codes waiting, three in a row are
/// taken once in seventeen million million requests.
const SPARE_CODES: usize = 3;

/// The longest network address that is kept, in bytes.
const MAX_ADDRESS: usize = 64;

/// Why a device gets no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DeviceRefusal {
    /// Too many codes for one address.
    TooFast,
    /// As many devices of the client wait as may.
    Full,
}

impl From<DeviceRefusal> for OAuthError {
    fn from(refusal: DeviceRefusal) -> Self {
        match refusal {
            DeviceRefusal::TooFast => Self::new(
                ErrorCode::TooManyRequests,
                "too many device codes are being asked for from this address; try again later",
            ),
            DeviceRefusal::Full => Self::temporarily_unavailable(
                "too many devices of this client wait for their people; try again in a minute",
            ),
        }
    }
}

/// What the code that a device shows is kept as.
pub(super) fn hash_of(tenant: &Tenant, code: &UserCode) -> HashedSecret {
    tenant.handle_key().mac("user code", &[code.as_bytes()])
}

/// Refuses a client that may not use device codes, or not any more.
pub(in crate::flows) fn check_permitted(
    tenant: &Tenant,
    client: &Client,
) -> Result<(), OAuthError> {
    if !tenant.settings().device_authorization {
        return Err(OAuthError::unauthorized_client(
            "this tenant authorizes no devices; its administrators can allow it in its settings",
        ));
    }
    if !client.allows(GrantType::DeviceCode) {
        return Err(OAuthError::unauthorized_client(
            "the client may not authorize devices; name urn:ietf:params:oauth:grant-type:device_code in the client's grant_types",
        ));
    }
    Ok(())
}

impl Provider {
    /// Gives a device its codes.
    pub async fn authorize_device(
        &self,
        at: &TenantAt,
        sent: Sent<'_>,
        body: &Params,
    ) -> Result<DeviceAuthorizationResponse, TokenRefusal> {
        let (client, origin) = (self.authenticate_client(at, sent, body).await?, sent.origin);
        let tenant = &at.tenant;
        check_permitted(tenant, &client)?;
        let request = DeviceAuthorizationRequest::from_params(body)?;
        let rules = Rules::new(self, tenant, &client);
        let requested = request.scope.unwrap_or_default();
        rules.check_scope(&requested)?;
        let details = AuthorizationDetails::from_params(body)?;
        let named = rules.check_resources(&request.resources)?;
        let resources = rules.check_details(&details, named)?;
        let scope = if requested.is_empty() && !details.is_empty() {
            // Whoever says in detail what is to be allowed means no more than that.
            Scope::empty()
        } else {
            rules.scope_to_ask_for(&requested, &resources)?
        };
        // RFC 8628 §5.4: anybody can send a code around, and who enters it gives the sender what it is for. Nobody's administration is.
        if requested.contains(ADMIN) {
            return Err(OAuthError::invalid_scope(
                "tessera:admin isn't given to devices; use the authorization code grant",
            )
            .into());
        }
        let scope = scope.without(ADMIN).without(DEVICE_SSO);
        let (handle, now, lifetime) = (
            Handle::generate(&self.clock),
            self.now(),
            tenant.settings().device_code_lifetime,
        );
        let codes: [UserCode; SPARE_CODES] =
            std::array::from_fn(|_| UserCode::generate(&self.clock));
        let address = origin.address.as_deref().unwrap_or_default();
        let device = DeviceCode {
            id: DeviceCodeId::from(handle.id()),
            client_id: client.id,
            proof: handle.hash(tenant.handle_key(), Purpose::DeviceCode),
            user_code: HashedSecret::NONE,
            issuer: at.issuer.to_string(),
            scope,
            resources,
            details,
            address: address.chars().take(MAX_ADDRESS).collect(),
            interval: INTERVAL,
            stage: DeviceStage::Pending,
            created_at: now,
            expires_at: now + Duration::seconds(i64::from(lifetime)),
        };
        let keeping = Keeping {
            hashes: codes.each_ref().map(|code| hash_of(tenant, code)),
            limit: i64::from(tenant.settings().device_code_limit),
            // Anybody can ask in a public client's name. A client that authenticates answers for its own devices, from few addresses.
            rates: if client.is_public() {
                rates_of(tenant, &client, address).to_vec()
            } else {
                Vec::new()
            },
            device,
        };
        let kept = self
            .db
            .write(&**tenant, move |repo| keeping.keep(repo))
            .await?;
        let taken = kept.map_err(OAuthError::from)?;
        let [first, second, third] = codes;
        let user_code = match taken {
            Some(0) => first,
            Some(1) => second,
            Some(_) => third,
            None => return Err(FlowError::Internal("no user code is free").into()),
        };
        Ok(DeviceAuthorizationResponse::new(
            &at.issuer,
            handle.to_text(Purpose::DeviceCode).expose().to_owned(),
            user_code,
            lifetime,
        ))
    }
}

/// What codes for this address are counted by, and how many there may be: all of its network in an hour, and those of this client for its site in
/// the time that a code is good for, so that nobody has all that may wait.
fn rates_of(tenant: &Tenant, client: &Client, address: &str) -> [([u8; 32], LockoutPolicy); 2] {
    let settings = tenant.settings();
    let network = network_of(address);
    let site = site_of(address).unwrap_or_else(|| network.clone());
    let counter = |label, parts: &[&[u8]]| *tenant.browser_key().mac(label, parts).as_bytes();
    let share = settings.device_code_limit / SITE_SHARE;
    [
        (
            counter("device codes for an address", &[network.as_bytes()]),
            LockoutPolicy {
                attempts: settings.device_code_rate,
                window: RATE_WINDOW,
            },
        ),
        (
            counter(
                "device codes of a client for a site",
                &[client.id.uuid().as_bytes(), site.as_bytes()],
            ),
            LockoutPolicy {
                attempts: share.max(SHARE_MIN),
                window: settings.device_code_lifetime,
            },
        ),
    ]
}

/// What is to be written down; owned, as a write may run more than once.
struct Keeping {
    device: DeviceCode,
    hashes: [HashedSecret; SPARE_CODES],
    limit: i64,
    rates: Vec<([u8; 32], LockoutPolicy)>,
}

impl Keeping {
    /// Says which of the user codes was free.
    fn keep(&self, repo: &mut Repo<'_>) -> storage::Result<Result<Option<usize>, DeviceRefusal>> {
        if repo.admit_attempts(&self.rates)? == Admission::Refused {
            return Ok(Err(DeviceRefusal::TooFast));
        }
        // Counted, not reserved: on PostgreSQL, those of one moment may exceed it by as many as they are.
        if repo.count_waiting_device_codes(self.device.client_id)? >= self.limit {
            return Ok(Err(DeviceRefusal::Full));
        }
        for (position, user_code) in self.hashes.iter().enumerate() {
            let device = DeviceCode {
                user_code: *user_code,
                ..self.device.clone()
            };
            if repo.insert_device_code(&device)? {
                return Ok(Ok(Some(position)));
            }
        }
        Ok(Ok(None))
    }
}
