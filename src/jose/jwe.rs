//! JWE compact serialization, read strictly (RFC 7516 §3.1, §5.2; RFC 8725): what others encrypt to a key of ours.
//!
//! josekit does the key management; the content is opened here, as josekit decrypts CBC before it looks at the tag and takes tags of GCM that were
//! cut short. Whatever is wrong with a token that was taken apart, one error says it, and a key that can't be unwrapped is replaced by a
//! random one that fails at the tag (RFC 7516 §11.5), so that neither words nor time tell a guess that was nearly right. Left out: compression
//! (RFC 7516 §4.1.3), which makes a small token a large one and tells of its content by its length; the JSON serializations; `crit`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use openssl::symm::{Cipher, decrypt, decrypt_aead};
use serde_json::{Map, Value};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::jws::MAX_KID;
use super::keys::DecryptionKey;
use crate::clock::Clock;
use crate::protocol::encryption::{ContentEncryption, KeyManagementAlgorithm};
use crate::protocol::strict_json::parse_object;

/// The longest token that is looked at, in bytes: what the longest signed one grows to.
pub const MAX_TOKEN: usize = 24 * 1_024;

/// Header parameters that bring a key or say where one is, ask for compression, or belong to algorithms that aren't known here.
const REFUSED: [&str; 9] = [
    "crit", "zip", "jku", "jwk", "x5u", "x5c", "p2c", "p2s", "b64",
];

/// A token isn't one that can be opened. It isn't told why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token can't be decrypted")]
pub struct NotDecrypted;

/// Whether a token has as many parts as an encrypted one.
pub fn is_encrypted(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').take(5).count() == 4
}

/// An encrypted token that was taken apart, and nothing of which was decrypted.
pub struct Encrypted {
    /// `alg`.
    pub algorithm: KeyManagementAlgorithm,
    /// `enc`.
    pub enc: ContentEncryption,
    /// `kid`.
    pub kid: Option<String>,
    members: Map<String, Value>,
    header: String,
    wrapped_key: Vec<u8>,
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

impl Encrypted {
    /// Takes a token apart.
    pub fn parse(token: &str) -> Result<Self, NotDecrypted> {
        if token.len() > MAX_TOKEN {
            return Err(NotDecrypted);
        }
        let mut parts = token.split('.');
        let mut next = || parts.next().ok_or(NotDecrypted);
        let (header, key, iv, ciphertext, tag) = (next()?, next()?, next()?, next()?, next()?);
        if parts.next().is_some() {
            return Err(NotDecrypted);
        }
        let members = parse_object(&decode(header)?).map_err(|_| NotDecrypted)?;
        if REFUSED.iter().any(|name| members.contains_key(*name)) {
            return Err(NotDecrypted);
        }
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(NotDecrypted),
        };
        let kid = text("kid")?.map(str::to_owned);
        // RFC 7519 §5.2: nested is what is taken here, and nothing else.
        let is_jwt = |cty: &str| {
            let bare = cty.rsplit_once('/').map_or(cty, |(_, bare)| bare);
            ["JWT", "oauth-authz-req+jwt"]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(bare))
        };
        if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID) || !text("cty")?.is_none_or(is_jwt) {
            return Err(NotDecrypted);
        }
        let named = |name| text(name).and_then(|found| found.ok_or(NotDecrypted));
        Ok(Self {
            algorithm: named("alg")?.parse().map_err(|_| NotDecrypted)?,
            enc: named("enc")?.parse().map_err(|_| NotDecrypted)?,
            kid,
            header: header.to_owned(),
            wrapped_key: decode(key)?,
            iv: decode(iv)?,
            ciphertext: decode(ciphertext)?,
            tag: decode(tag)?,
            members,
        })
    }

    /// Opens it by one of our keys.
    pub fn decrypt(&self, key: &DecryptionKey) -> Result<Zeroizing<Vec<u8>>, NotDecrypted> {
        if key.algorithm() != self.algorithm {
            return Err(NotDecrypted);
        }
        let wanted = key_length(self.enc);
        let random: Zeroizing<[u8; 64]> = Zeroizing::new(Clock::system().random_bytes());
        let random = Zeroizing::new(random[..wanted].to_vec());
        let content_key = key
            .content_key(self.enc, &self.members, &self.wrapped_key)
            .filter(|found| found.len() == wanted)
            .unwrap_or(random);
        self.open(&content_key)
    }

    /// RFC 7518 §5.2.2.2, §5.3
    fn open(&self, key: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotDecrypted> {
        let iv_length = match self.enc {
            ContentEncryption::A128CbcHs256 => 16,
            ContentEncryption::A128Gcm | ContentEncryption::A256Gcm => 12,
        };
        if self.iv.len() != iv_length || self.tag.len() != 16 {
            return Err(NotDecrypted);
        }
        let aad = self.header.as_bytes();
        let opened = match self.enc {
            ContentEncryption::A128CbcHs256 => {
                let (mac_key, own_key) = key.split_at(16);
                // The tag first: a padding that can be asked about is an oracle.
                let mut mac = Hmac::<Sha256>::new_from_slice(mac_key).map_err(|_| NotDecrypted)?;
                mac.update(aad);
                mac.update(&self.iv);
                mac.update(&self.ciphertext);
                let bits = u64::try_from(aad.len()).map_err(|_| NotDecrypted)? * 8;
                mac.update(&bits.to_be_bytes());
                let full = mac.finalize().into_bytes();
                if !bool::from(full[..16].ct_eq(&self.tag)) {
                    return Err(NotDecrypted);
                }
                decrypt(
                    Cipher::aes_128_cbc(),
                    own_key,
                    Some(&self.iv),
                    &self.ciphertext,
                )
            }
            ContentEncryption::A128Gcm | ContentEncryption::A256Gcm => {
                let cipher = if self.enc == ContentEncryption::A128Gcm {
                    Cipher::aes_128_gcm()
                } else {
                    Cipher::aes_256_gcm()
                };
                decrypt_aead(
                    cipher,
                    key,
                    Some(&self.iv),
                    aad,
                    &self.ciphertext,
                    &self.tag,
                )
            }
        };
        opened.map(Zeroizing::new).map_err(|_| NotDecrypted)
    }
}

const fn key_length(enc: ContentEncryption) -> usize {
    match enc {
        ContentEncryption::A128CbcHs256 | ContentEncryption::A256Gcm => 32,
        ContentEncryption::A128Gcm => 16,
    }
}

fn decode(part: &str) -> Result<Vec<u8>, NotDecrypted> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| NotDecrypted)
}

#[cfg(test)]
mod tests;
