//! Sealing at rest: AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce.
//!
//! What a tenant keeps secret (private keys, client secrets that must be known, …) is sealed under the tenant's [`DataKey`], that
//! under the installation's [`MasterKey`]. Associated data binds a sealed value to its tenant, table and row, so that it opens nowhere
//! else. Where keys are kept and when they change is `storage`'s.
//!
//! A sealed value is `version (1) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openssl::cipher::{Cipher, CipherRef};
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::files::sync_folder_of;
use crate::secret::{HashKey, PlainSecret};

const VERSION: u8 = 1;
const NONCE: usize = 12;
const TAG: usize = 16;
/// More than any spelling of a key and its newline.
const MAX_KEY_FILE: u64 = 1_024;

/// A sealed value can't be made or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It was sealed by another key or for another place, or it was changed; which of them is not told.
    #[error("a sealed value can't be opened with this key in this place")]
    Refused,
    /// The cipher failed.
    #[error("a value can't be sealed")]
    Failed,
}

/// A master key can't be had.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The text isn't a key.
    #[error("the master key must be 32 bytes, written as base64 or as 64 hexadecimal digits")]
    Malformed,
    /// The text is a key that nobody made by chance.
    #[error("the master key must be random; make one with `tessera master-key create`")]
    NotRandom,
    /// The file can't be read or written.
    #[error(transparent)]
    File(#[from] io::Error),
}

/// The key that seals the others. It is wiped when dropped and never printed.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Makes a new one.
    pub fn generate(clock: &Clock) -> Self {
        Self(Zeroizing::new(clock.random_bytes()))
    }

    /// Reads a key from text: base64 (either alphabet) or 64 hexadecimal digits; white space around it doesn't count.
    pub fn from_text(text: &str) -> Result<Self, MasterKeyError> {
        let text = text.trim_ascii();
        let bytes = Zeroizing::new(match text.len() {
            64 => decode_hex(text),
            44 => STANDARD.decode(text).ok(),
            43 => URL_SAFE_NO_PAD.decode(text).ok(),
            _ => None,
        });
        let bytes = bytes.as_deref().ok_or(MasterKeyError::Malformed)?;
        let key =
            Zeroizing::new(<[u8; 32]>::try_from(bytes).map_err(|_| MasterKeyError::Malformed)?);
        if key.iter().all(|byte| *byte == key[0]) {
            return Err(MasterKeyError::NotRandom);
        }
        Ok(Self(key))
    }

    /// Reads a key from a file.
    pub fn from_file(path: &Path) -> Result<Self, MasterKeyError> {
        let mut text = Zeroizing::new(String::with_capacity(1_025));
        File::open(path)?
            .take(MAX_KEY_FILE)
            .read_to_string(&mut text)
            .map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => MasterKeyError::Malformed,
                _ => error.into(),
            })?;
        Self::from_text(&text)
    }

    /// Writes the key to a new file that only its owner may read, and has it on the disk before it returns. A file that exists is left
    /// alone and is an error (`AlreadyExists`).
    pub fn write_new_file(&self, path: &Path) -> Result<(), MasterKeyError> {
        // Half a key is worse than none: the next start would stumble over it. So it gets its name when it is whole.
        let unfinished =
            path.with_added_extension(format!("{}.unfinished", &self.fingerprint()[..8]));
        self.write_file(&unfinished)?;
        let linked = fs::hard_link(&unfinished, path);
        fs::remove_file(&unfinished)?;
        match linked {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error.into()),
            // There are file systems without a second name for a file.
            Err(_) => self.write_file(path)?,
        }
        Ok(sync_folder_of(path)?)
    }

    fn write_file(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let written = file
            .write_all(self.to_text().as_bytes())
            .and_then(|()| file.sync_all());
        written.inspect_err(|_| {
            let _ = fs::remove_file(path);
        })
    }

    /// The text of a key file.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(48));
        STANDARD.encode_string(self.0.as_slice(), &mut text);
        text.push('\n');
        text
    }

    /// What the database remembers the key by: 16 bytes in hexadecimal, which tell nothing of the key.
    pub fn fingerprint(&self) -> String {
        let hash = HashKey::derive(self.0.as_slice(), "fingerprint").mac("fingerprint", &[]);
        encode_hex(&hash.as_bytes()[..16])
    }

    /// A key for installation-wide hashes, independent of everything else that is derived.
    #[must_use]
    pub fn derive(&self, label: &str) -> HashKey {
        HashKey::derive(self.0.as_slice(), &format!("hash {label}"))
    }

    fn sealing_key(&self) -> HashKey {
        HashKey::derive(self.0.as_slice(), "seal data keys")
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Whether nobody but a key file's owner may read or write it.
pub fn is_private(path: &Path) -> io::Result<bool> {
    let others = fs::metadata(path)?.mode() & 0o077;
    Ok(others == 0)
}

/// The one place where a sealed value opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealContext {
    /// The tenant it belongs to.
    pub tenant: Uuid,
    /// The table, and the column where a row has several sealed values (`clients.secret`).
    pub table: &'static str,
    /// The row.
    pub row: Uuid,
}

impl SealContext {
    fn associated_data(self) -> Vec<u8> {
        // Fixed widths first, so that the table's name needs no length.
        [
            &[VERSION, b'v'],
            self.tenant.as_bytes().as_slice(),
            self.row.as_bytes(),
            self.table.as_bytes(),
        ]
        .concat()
    }
}

/// A tenant's key, under which its secrets are sealed and from which its hash keys are derived. It is wiped when dropped and never
/// printed.
#[derive(Clone)]
pub struct DataKey {
    secret: Zeroizing<[u8; 32]>,
    sealing: HashKey,
}

impl DataKey {
    /// Makes a new one.
    pub fn generate(clock: &Clock) -> Self {
        Self::from_bytes(Zeroizing::new(clock.random_bytes()))
    }

    fn from_bytes(secret: Zeroizing<[u8; 32]>) -> Self {
        let sealing = HashKey::derive(secret.as_slice(), "seal");
        Self { secret, sealing }
    }

    /// Reads a key from the text that [`DataKey::to_text`] makes.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        let secret = <[u8; 32]>::try_from(bytes.as_slice()).ok()?;
        Some(Self::from_bytes(Zeroizing::new(secret)))
    }

    /// The key in the clear, for whoever moves a tenant elsewhere with everything that is sealed under it.
    pub fn to_text(&self) -> PlainSecret {
        PlainSecret::new(URL_SAFE_NO_PAD.encode(self.secret.as_slice()))
    }

    /// Seals the key itself, as it is kept for `tenant`.
    pub fn seal_under(
        &self,
        master: &MasterKey,
        tenant: Uuid,
        clock: &Clock,
    ) -> Result<Vec<u8>, SealError> {
        seal(
            &master.sealing_key(),
            &key_context(tenant),
            self.secret.as_slice(),
            clock,
        )
    }

    /// Opens what [`DataKey::seal_under`] made.
    pub fn open_under(master: &MasterKey, tenant: Uuid, sealed: &[u8]) -> Result<Self, SealError> {
        let bytes = open(&master.sealing_key(), &key_context(tenant), sealed)?;
        let secret = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| SealError::Refused)?;
        Ok(Self::from_bytes(Zeroizing::new(secret)))
    }

    /// Seals `plaintext` for one place.
    pub fn seal(
        &self,
        context: SealContext,
        plaintext: &[u8],
        clock: &Clock,
    ) -> Result<Vec<u8>, SealError> {
        seal(&self.sealing, &context.associated_data(), plaintext, clock)
    }

    /// Opens what was sealed for this place.
    pub fn open(
        &self,
        context: SealContext,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        open(&self.sealing, &context.associated_data(), sealed)
    }

    /// The tenant's key for the hashes that `label` names. It lives and dies with the data key.
    #[must_use]
    pub fn derive(&self, label: &str) -> HashKey {
        HashKey::derive(self.secret.as_slice(), &format!("hash {label}"))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

fn key_context(tenant: Uuid) -> Vec<u8> {
    [&[VERSION, b'k'], tenant.as_bytes().as_slice()].concat()
}

fn seal(
    key: &HashKey,
    associated_data: &[u8],
    plaintext: &[u8],
    clock: &Clock,
) -> Result<Vec<u8>, SealError> {
    let nonce = clock.random_bytes::<NONCE>();
    let cipher = cipher().ok_or(SealError::Failed)?;
    encrypt(cipher, key, &nonce, associated_data, plaintext).map_err(|_| SealError::Failed)
}

fn open(
    key: &HashKey,
    associated_data: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let sealed = sealed.strip_prefix(&[VERSION]).ok_or(SealError::Refused)?;
    let (nonce, sealed) = sealed
        .split_first_chunk::<NONCE>()
        .ok_or(SealError::Refused)?;
    let (ciphertext, tag) = sealed.split_last_chunk::<TAG>().ok_or(SealError::Refused)?;
    let cipher = cipher().ok_or(SealError::Failed)?;
    decrypt(cipher, key, nonce, associated_data, ciphertext, tag).map_err(|_| SealError::Refused)
}

fn encrypt(
    cipher: &CipherRef,
    key: &HashKey,
    nonce: &[u8; NONCE],
    associated_data: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, ErrorStack> {
    let mut sealed = Vec::with_capacity(1 + NONCE + plaintext.len() + TAG);
    sealed.push(VERSION);
    sealed.extend_from_slice(nonce);
    let mut context = CipherCtx::new()?;
    context.encrypt_init(Some(cipher), Some(key.as_bytes()), Some(nonce))?;
    context.cipher_update(associated_data, None)?;
    context.cipher_update_vec(plaintext, &mut sealed)?;
    context.cipher_final_vec(&mut sealed)?;
    let mut tag = [0; TAG];
    context.tag(&mut tag)?;
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

fn decrypt(
    cipher: &CipherRef,
    key: &HashKey,
    nonce: &[u8; NONCE],
    associated_data: &[u8],
    ciphertext: &[u8],
    tag: &[u8; TAG],
) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
    let mut plaintext = Zeroizing::new(Vec::with_capacity(ciphertext.len()));
    let mut context = CipherCtx::new()?;
    context.decrypt_init(Some(cipher), Some(key.as_bytes()), Some(nonce))?;
    context.set_tag(tag)?;
    context.cipher_update(associated_data, None)?;
    context.cipher_update_vec(ciphertext, &mut plaintext)?;
    // Into nothing, as GCM has no last block: a vector that grew for one would leave the plaintext behind where it was.
    context.cipher_final(&mut [])?;
    Ok(plaintext)
}

/// AES-256-GCM, looked up once: by name it takes as long as to open a token.
fn cipher() -> Option<&'static CipherRef> {
    static CIPHER: LazyLock<Option<Cipher>> = LazyLock::new(|| {
        // As `storage::postgres::establish` needs it: so that OpenSSL doesn't take itself down at the exit.
        openssl::init();
        Cipher::fetch(None, "AES-256-GCM", None).ok()
    });
    CIPHER.as_deref()
}

fn encode_hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    text.as_bytes()
        .chunks(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?))
        .collect()
}

#[cfg(test)]
mod tests;
