//! The cookie with those who signed in from a browser before.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::MOST_SESSIONS;
use crate::clock::Clock;
use crate::flows::tenancy::Tenant;
use crate::secret::HashedSecret;

/// How long a browser is remembered as a device that somebody signed in from, in seconds.
pub const DEVICE_LIFETIME: i64 = 365 * 86_400;

/// The people who signed in from a browser before, each as a random number and a proof that it was made for them.
#[derive(Clone, Debug, Default)]
pub struct DeviceCookie(Vec<Device>);

#[derive(Clone, Copy, Debug)]
struct Device {
    nonce: [u8; 16],
    proof: [u8; 32],
}

impl DeviceCookie {
    /// Reads the cookie's value; what isn't well formed is passed over.
    pub fn parse(value: Option<&str>) -> Self {
        let texts = value.unwrap_or_default().split('.').take(MOST_SESSIONS);
        Self(texts.filter_map(Device::parse).collect())
    }

    /// The number of the device on which the person with this address signed in, if this browser is one.
    pub fn find(&self, tenant: &Tenant, email_key: &str) -> Option<[u8; 16]> {
        let fits = |device: &&Device| {
            HashedSecret::from_slice(&device.proof)
                .is_some_and(|proof| Device::hash(tenant, email_key, &device.nonce).matches(&proof))
        };
        self.0.iter().find(fits).map(|device| device.nonce)
    }

    /// The cookie with this person known.
    #[must_use]
    pub fn with(&self, tenant: &Tenant, email_key: &str, clock: &Clock) -> Self {
        if self.find(tenant, email_key).is_some() {
            return self.clone();
        }
        let nonce = clock.random_bytes();
        let mut devices = self.0.clone();
        devices.insert(
            0,
            Device {
                nonce,
                proof: *Device::hash(tenant, email_key, &nonce).as_bytes(),
            },
        );
        devices.truncate(MOST_SESSIONS);
        Self(devices)
    }

    /// The cookie's value.
    pub fn to_value(&self) -> String {
        let text = |device: &Device| {
            URL_SAFE_NO_PAD.encode([device.nonce.as_slice(), &device.proof].concat())
        };
        self.0.iter().map(text).collect::<Vec<_>>().join(".")
    }
}

impl Device {
    fn parse(text: &str) -> Option<Self> {
        if text.len() != 64 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, proof) = bytes.split_first_chunk::<16>()?;
        Some(Self {
            nonce: *nonce,
            proof: proof.try_into().ok()?,
        })
    }

    fn hash(tenant: &Tenant, email_key: &str, nonce: &[u8; 16]) -> HashedSecret {
        tenant
            .browser_key()
            .mac("known device", &[email_key.as_bytes(), nonce])
    }
}
