//! Secrets as types: what is handed out in the clear, what is kept of it, and the keys in between.
//!
//! A secret that is handed out is a [`Handle`]: a time-ordered id that finds the row, and 256 random bits whose keyed hash the row
//! holds. Its [`Purpose`] is part of its text and of its hash, so that one kind can never be spent as another. Hashes are HMAC-SHA-256
//! (RFC 2104), keys are derived by HKDF (RFC 5869). Passwords are no such secrets: people choose them, see `jose::passwords`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::clock::Clock;

/// The longest client secret that is looked at, in bytes.
pub const MAX_CLIENT_SECRET: usize = 256;

/// A secret in the clear. It is wiped when dropped and never printed.
#[derive(Clone)]
pub struct PlainSecret(Zeroizing<String>);

impl PlainSecret {
    /// Takes hold of a secret.
    pub fn new(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The secret, for the one place that hands it out or checks it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for PlainSecret {
    fn from(secret: String) -> Self {
        Self::new(secret)
    }
}

impl fmt::Debug for PlainSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainSecret(…)")
    }
}

/// What is kept of a secret: its keyed hash. It has no `==`, only [`HashedSecret::matches`].
#[derive(Clone, Copy)]
pub struct HashedSecret([u8; 32]);

impl HashedSecret {
    /// What no secret is known to hash to, to compare with where there is none.
    pub const NONE: Self = Self([0; 32]);

    /// Compares in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// Whether it is one of these.
    #[must_use]
    pub fn matches_one_of(&self, others: &[Self]) -> bool {
        others.iter().any(|other| self.matches(other))
    }

    /// The bytes to keep.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads what was kept; `None` unless it has 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for HashedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashedSecret(…)")
    }
}

/// A key for keyed hashes. It is wiped when dropped and never printed.
#[derive(Clone)]
pub struct HashKey(Zeroizing<[u8; 32]>);

impl HashKey {
    /// Derives a key from another secret by HKDF-SHA-256 without salt; a different `label` gives an independent key.
    #[must_use]
    pub fn derive(master: &[u8], label: &str) -> Self {
        let pseudo_random_key = Zeroizing::new(hmac(&[0; 32], &[master])); // RFC 5869 §2.2
        Self(Zeroizing::new(hmac(
            &pseudo_random_key,
            &[label.as_bytes(), &[1]],
        ))) // RFC 5869 §2.3: the first block
    }

    /// The key itself, for ciphers that are keyed by a derived key.
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The keyed hash of `parts` for the use that `label` names. Each part is preceded by its length, so that no two lists of parts
    /// give the same input.
    #[must_use]
    pub fn mac(&self, label: &str, parts: &[&[u8]]) -> HashedSecret {
        let mut mac = keyed(&self.0);
        for part in std::iter::once(&label.as_bytes()).chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        HashedSecret(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(…)")
    }
}

/// What a handed-out secret is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// An authorization code.
    AuthorizationCode,
    /// A refresh token.
    RefreshToken,
    /// A one-time link, by which a person sets a password.
    OneTimeLink,
    /// A browser session.
    Session,
    /// An authorization request that waits for its person.
    Interaction,
    /// An authorization request that its client pushed.
    PushedRequest,
    /// The code that a device polls with.
    DeviceCode,
    /// The `auth_req_id` of a backchannel authentication request.
    BackchannelRequest,
    /// A browser on which a person has signed in before.
    KnownDevice,
    /// An opaque access token.
    OpaqueAccessToken,
    /// A client's secret.
    ClientSecret,
    /// An initial access token, by which a client may be registered (RFC 7591 §1.2).
    InitialAccessToken,
    /// A registration access token, by which a client manages its own registration (RFC 7592 §1.2).
    RegistrationAccessToken,
    /// A device secret, by which the applications on a device share a session (OpenID Connect Native SSO).
    DeviceSecret,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 14] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::OneTimeLink,
        Self::Session,
        Self::Interaction,
        Self::PushedRequest,
        Self::DeviceCode,
        Self::BackchannelRequest,
        Self::KnownDevice,
        Self::OpaqueAccessToken,
        Self::ClientSecret,
        Self::InitialAccessToken,
        Self::RegistrationAccessToken,
        Self::DeviceSecret,
    ];

    /// What the text begins with, before `_`; secret scanners go by it.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "tsc",
            Self::RefreshToken => "tsr",
            Self::OneTimeLink => "tsl",
            Self::Session => "tss",
            Self::Interaction => "tsi",
            Self::PushedRequest => "tsp",
            Self::DeviceCode => "tsd",
            Self::BackchannelRequest => "tsb",
            Self::KnownDevice => "tsk",
            Self::OpaqueAccessToken => "tsa",
            Self::ClientSecret => "tscs",
            Self::InitialAccessToken => "tsit",
            Self::RegistrationAccessToken => "tsrt",
            Self::DeviceSecret => "tsds",
        }
    }

    /// What separates the hashes of one purpose from those of another.
    const fn label(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization code",
            Self::RefreshToken => "refresh token",
            Self::OneTimeLink => "one-time link",
            Self::Session => "session",
            Self::Interaction => "interaction",
            Self::PushedRequest => "pushed request",
            Self::DeviceCode => "device code",
            Self::BackchannelRequest => "backchannel request",
            Self::KnownDevice => "known device",
            Self::OpaqueAccessToken => "opaque access token",
            Self::ClientSecret => "client secret",
            Self::InitialAccessToken => "initial access token",
            Self::RegistrationAccessToken => "registration access token",
            Self::DeviceSecret => "device secret",
        }
    }

    /// The secret's part behind the prefix.
    fn strip(self, text: &str) -> Option<&str> {
        text.strip_prefix(self.prefix())?.strip_prefix('_')
    }
}

/// A secret that is handed out: the id its row is found by, and the proof whose hash the row holds.
#[derive(Clone)]
pub struct Handle {
    id: Uuid,
    proof: Zeroizing<[u8; 32]>,
}

impl Handle {
    /// Makes a new one: a time-ordered id and 256 random bits.
    pub fn generate(clock: &Clock) -> Self {
        Self::from_parts(clock.uuid_v7(), clock.random_bytes())
    }

    /// Puts one together from what is known.
    pub fn from_parts(id: Uuid, proof: [u8; 32]) -> Self {
        Self {
            id,
            proof: Zeroizing::new(proof),
        }
    }

    /// What the row is found by.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The text that is handed out: `<prefix>_<base64url(id ‖ proof)>`.
    pub fn to_text(&self, purpose: Purpose) -> PlainSecret {
        let mut bytes = Zeroizing::new([0; 48]);
        bytes[..16].copy_from_slice(self.id.as_bytes());
        bytes[16..].copy_from_slice(self.proof.as_slice());
        text_of(purpose, bytes.as_slice())
    }

    /// Reads a text that was handed out for `purpose`; `None` for any other.
    pub fn parse(purpose: Purpose, text: &str) -> Option<Self> {
        let encoded = purpose.strip(text)?;
        // 48 bytes fill their 64 characters, so that a text has no second spelling.
        if encoded.len() != 64 {
            return None;
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
        let (id, proof) = bytes.split_first_chunk::<16>()?;
        Some(Self::from_parts(
            Uuid::from_bytes(*id),
            proof.try_into().ok()?,
        ))
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self, key: &HashKey, purpose: Purpose) -> HashedSecret {
        key.mac(
            purpose.label(),
            &[self.id.as_bytes(), self.proof.as_slice()],
        )
    }

    /// What is kept of one that is good at a single address of its tenant: elsewhere it proves nothing. Whoever holds a domain after the tenant
    /// gave it up is sent what browsers and old mail kept for it.
    #[must_use]
    pub fn hash_at(&self, key: &HashKey, purpose: Purpose, issuer: &str) -> HashedSecret {
        key.mac(
            purpose.label(),
            &[self.id.as_bytes(), self.proof.as_slice(), issuer.as_bytes()],
        )
    }

    /// What may be kept of it where it is presented at this address: as [`Self::hash_at`] says, or, in rows of before that, as [`Self::hash`].
    pub fn proofs_at(&self, key: &HashKey, purpose: Purpose, issuer: &str) -> [HashedSecret; 2] {
        [self.hash_at(key, purpose, issuer), self.hash(key, purpose)]
    }

    /// The handle that follows this one under `new_id`. Only who holds this one (and the key) can make it, and always makes the same:
    /// a lost answer can be given again without keeping anything in the clear.
    #[must_use]
    pub fn successor(&self, key: &HashKey, new_id: Uuid) -> Self {
        let proof = key.mac(
            "successor",
            &[self.id.as_bytes(), self.proof.as_slice(), new_id.as_bytes()],
        );
        Self::from_parts(new_id, proof.0)
    }

    /// The secret of the client whose registration access token this is. Only who holds the token (and the key) can make it, and always
    /// makes the same: a client may read its secret again (RFC 7592 §2.1) without anything being kept in the clear.
    #[must_use]
    pub fn client_secret(&self, key: &HashKey) -> PlainSecret {
        let secret = key.mac(
            "client secret of a registration",
            &[self.id.as_bytes(), self.proof.as_slice()],
        );
        text_of(Purpose::ClientSecret, &secret.0)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Makes a client secret: 256 random bits.
pub fn generate_client_secret(clock: &Clock) -> PlainSecret {
    text_of(
        Purpose::ClientSecret,
        Zeroizing::new(clock.random_bytes::<32>()).as_slice(),
    )
}

/// What is kept of a client's secret, and what a presented one is compared by; `None` for a secret longer than [`MAX_CLIENT_SECRET`].
#[must_use]
pub fn hash_client_secret(key: &HashKey, client_id: Uuid, secret: &str) -> Option<HashedSecret> {
    (secret.len() <= MAX_CLIENT_SECRET).then(|| {
        key.mac(
            Purpose::ClientSecret.label(),
            &[client_id.as_bytes(), secret.as_bytes()],
        )
    })
}

fn text_of(purpose: Purpose, bytes: &[u8]) -> PlainSecret {
    // Reserved whole, so that growing leaves no copy behind.
    let mut text = String::with_capacity(purpose.prefix().len() + 1 + bytes.len().div_ceil(3) * 4);
    text.push_str(purpose.prefix());
    text.push('_');
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    PlainSecret::new(text)
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = keyed(key);
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> HashKey {
        HashKey::derive(b"a master key of a test", "handles")
    }

    #[test]
    fn keys_are_derived_as_rfc_5869_says() {
        // Appendix A.3: no salt, no info; the first 32 bytes.
        let derived = HashKey::derive(&[0x0b; 22], "");
        let expected = [
            0x8d, 0xa4, 0xe7, 0x75, 0xa5, 0x63, 0xc1, 0x8f, 0x71, 0x5f, 0x80, 0x2a, 0x06, 0x3c,
            0x5a, 0x31, 0xb8, 0xa1, 0x1f, 0x5c, 0x5e, 0xe1, 0x87, 0x9e, 0xc3, 0x45, 0x4e, 0x5f,
            0x3c, 0x73, 0x8d, 0x2d,
        ];
        assert_eq!(*derived.0, expected);
        assert_ne!(HashKey::derive(b"m", "a").0, HashKey::derive(b"m", "b").0);
    }

    #[test]
    fn macs_tell_labels_and_the_bounds_of_parts_apart() {
        let key = key();
        let base = key.mac("label", &[b"ab", b"c"]);
        assert!(base.matches(&key.mac("label", &[b"ab", b"c"])));
        assert!(!base.matches(&key.mac("label", &[b"a", b"bc"])));
        assert!(!base.matches(&key.mac("label", &[b"abc"])));
        assert!(!base.matches(&key.mac("labe", &[b"lab", b"c"])));
        assert!(
            !base.matches(&HashKey::derive(b"another", "handles").mac("label", &[b"ab", b"c"]))
        );
    }

    #[test]
    fn a_handle_survives_its_text() {
        let clock = Clock::system();
        for purpose in Purpose::ALL {
            let handle = Handle::generate(&clock);
            let text = handle.to_text(purpose);
            let read = Handle::parse(purpose, text.expose()).expect("its own text");
            assert_eq!((read.id(), *read.proof), (handle.id(), *handle.proof));
            assert!(
                read.hash(&key(), purpose)
                    .matches(&handle.hash(&key(), purpose))
            );
        }
    }

    #[test]
    fn a_handle_is_good_for_one_purpose() {
        let handle = Handle::generate(&Clock::system());
        for purpose in Purpose::ALL {
            for other in Purpose::ALL.into_iter().filter(|other| *other != purpose) {
                assert!(
                    Handle::parse(other, handle.to_text(purpose).expose()).is_none(),
                    "{purpose:?} as {other:?}"
                );
                assert!(
                    !handle
                        .hash(&key(), purpose)
                        .matches(&handle.hash(&key(), other)),
                    "{purpose:?} as {other:?}"
                );
            }
        }
    }

    #[test]
    fn a_handle_has_one_spelling() {
        let purpose = Purpose::RefreshToken;
        let secret = Handle::from_parts(Uuid::from_u128(7), [0xfb; 32]).to_text(purpose);
        let text = secret.expose();
        assert!(Handle::parse(purpose, text).is_some());
        for wrong in [
            String::new(),
            "tsr".to_owned(),
            "tsr_".to_owned(),
            text[4..].to_owned(),
            text[..text.len() - 1].to_owned(),
            format!("{text}A"),
            format!("{text}="),
            format!(" {text}"),
            format!("{text}\n"),
            text.replacen("tsr_", "TSR_", 1),
            text.replacen("tsr_", "tsr-", 1),
            text.replacen("tsr_", "tsr_tsr_", 1),
            text.replace('-', "+")
                .replace('_', "/")
                .replacen('/', "_", 1),
            format!("{}é", &text[..text.len() - 2]),
        ] {
            assert!(Handle::parse(purpose, &wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn each_part_of_a_handle_and_the_key_decide_its_hash() {
        let (id, proof) = (Uuid::from_u128(1), [1; 32]);
        let hash = Handle::from_parts(id, proof).hash(&key(), Purpose::Session);
        let other_key = HashKey::derive(b"another", "handles");
        assert!(!hash.matches(
            &Handle::from_parts(Uuid::from_u128(2), proof).hash(&key(), Purpose::Session)
        ));
        assert!(!hash.matches(&Handle::from_parts(id, [2; 32]).hash(&key(), Purpose::Session)));
        assert!(!hash.matches(&Handle::from_parts(id, proof).hash(&other_key, Purpose::Session)));
    }

    #[test]
    fn a_successor_is_the_same_each_time_and_nobody_elses() {
        let predecessor = Handle::from_parts(Uuid::from_u128(1), [1; 32]);
        let new_id = Uuid::from_u128(2);
        let successor = predecessor.successor(&key(), new_id);
        assert_eq!(successor.id(), new_id);
        assert_eq!(successor.proof, predecessor.successor(&key(), new_id).proof);
        assert_ne!(successor.proof, predecessor.proof);
        assert_ne!(
            successor.proof,
            predecessor.successor(&key(), Uuid::from_u128(3)).proof
        );
        assert_ne!(
            successor.proof,
            Handle::from_parts(Uuid::from_u128(1), [2; 32])
                .successor(&key(), new_id)
                .proof
        );
        assert_ne!(
            successor.proof,
            predecessor
                .successor(&HashKey::derive(b"another", "handles"), new_id)
                .proof
        );
    }

    #[test]
    fn a_registrations_client_secret_is_the_same_each_time_and_nobody_elses() {
        let token = Handle::from_parts(Uuid::from_u128(1), [1; 32]);
        let secret = token.client_secret(&key());
        assert_eq!(secret.expose().len(), "tscs_".len() + 43);
        assert_eq!(secret.expose(), token.client_secret(&key()).expose());
        for (other, key) in [
            (Handle::from_parts(Uuid::from_u128(2), [1; 32]), key()),
            (Handle::from_parts(Uuid::from_u128(1), [2; 32]), key()),
            (token.clone(), HashKey::derive(b"another", "handles")),
        ] {
            assert_ne!(secret.expose(), other.client_secret(&key).expose());
        }
    }

    #[test]
    fn client_secrets_are_bound_to_their_client_and_bounded() {
        let (clock, client) = (Clock::system(), Uuid::from_u128(1));
        let secret = generate_client_secret(&clock);
        assert_eq!(secret.expose().len(), "tscs_".len() + 43);
        let kept = hash_client_secret(&key(), client, secret.expose()).unwrap();
        assert!(kept.matches(&hash_client_secret(&key(), client, secret.expose()).unwrap()));
        assert!(
            !kept
                .matches(&hash_client_secret(&key(), Uuid::from_u128(2), secret.expose()).unwrap())
        );
        assert!(!kept.matches(
            &hash_client_secret(&key(), client, generate_client_secret(&clock).expose()).unwrap()
        ));
        assert!(hash_client_secret(&key(), client, &"a".repeat(MAX_CLIENT_SECRET)).is_some());
        assert!(hash_client_secret(&key(), client, &"a".repeat(MAX_CLIENT_SECRET + 1)).is_none());
    }

    #[test]
    fn nothing_is_printed() {
        let handle = Handle::from_parts(Uuid::nil(), [7; 32]);
        let printed = format!(
            "{:?} {:?} {:?} {:?}",
            PlainSecret::from("hush".to_owned()),
            handle,
            handle.hash(&key(), Purpose::Session),
            key()
        );
        assert_eq!(
            printed,
            "PlainSecret(…) Handle { id: 00000000-0000-0000-0000-000000000000, .. } HashedSecret(…) HashKey(…)"
        );
    }
}
