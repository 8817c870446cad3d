//! Hashes that other systems made: compared with until their owner signs in, never made.
//!
//! - PBKDF2 (RFC 8018 §5.2) with SHA-256 or SHA-512, as Django writes it (`pbkdf2_sha256$ITERATIONS$SALT$HASH`), and as PHC text or
//!   passlib do (`$pbkdf2-sha256$i=ITERATIONS$SALT$HASH`, `$pbkdf2-sha512$ITERATIONS$SALT$HASH`);
//! - bcrypt (`$2a$`, `$2b$`, `$2y$`), and as Django writes it (`bcrypt$$2b$…`, `bcrypt_sha256$$2b$…`).
//!
//! A password is compared as it was typed: these systems know nothing of our normal form. Left out: hashes without work in them (MD5,
//! SHA-1, salted or not), and scrypt.

use std::str::FromStr as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use openssl::hash::MessageDigest;
use openssl::pkcs5::pbkdf2_hmac;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::parameters::PasswordError;

/// The most iterations of PBKDF2: some 600 ms. Django 6.1 makes 1.5 million.
const MAX_ITERATIONS: usize = 2_000_000;
/// Fewer give no protection worth the name.
const MIN_ITERATIONS: usize = 1_000;
/// The costliest bcrypt: some 800 ms.
const MAX_BCRYPT_COST: u32 = 14;
const MAX_SALT: usize = 128;

/// A stored hash that another system made.
pub(super) enum Foreign<'a> {
    Pbkdf2 {
        digest: MessageDigest,
        iterations: usize,
        salt: Vec<u8>,
        output: Vec<u8>,
    },
    Bcrypt(&'a str),
    /// Django's: the password goes through SHA-256 first, so that all of it counts.
    BcryptSha256(&'a str),
}

impl<'a> Foreign<'a> {
    /// Reads one; `None` where it is of no kind that is known here.
    pub(super) fn parse(text: &'a str) -> Option<Result<Self, PasswordError>> {
        if let Some(rest) = text.strip_prefix("pbkdf2_sha256$") {
            return Some(django_pbkdf2(rest));
        }
        for (prefix, digest) in [
            ("$pbkdf2-sha256$", MessageDigest::sha256()),
            ("$pbkdf2-sha512$", MessageDigest::sha512()),
        ] {
            if let Some(rest) = text.strip_prefix(prefix) {
                return Some(phc_pbkdf2(digest, rest));
            }
        }
        if let Some(rest) = text.strip_prefix("bcrypt_sha256$") {
            return Some(check_bcrypt(rest).map(|()| Self::BcryptSha256(rest)));
        }
        let bare = text.strip_prefix("bcrypt$").unwrap_or(text);
        let known = ["$2a$", "$2b$", "$2y$"];
        known
            .iter()
            .any(|prefix| bare.starts_with(prefix))
            .then(|| check_bcrypt(bare).map(|()| Self::Bcrypt(bare)))
    }

    /// Whether it is this password's.
    pub(super) fn matches(&self, password: &str) -> Result<bool, PasswordError> {
        match self {
            Self::Pbkdf2 {
                digest,
                iterations,
                salt,
                output,
            } => {
                let mut computed = Zeroizing::new(vec![0; output.len()]);
                pbkdf2_hmac(
                    password.as_bytes(),
                    salt,
                    *iterations,
                    *digest,
                    &mut computed,
                )
                .map_err(|_| PasswordError::Parameters)?;
                Ok(computed.ct_eq(output).into())
            }
            Self::Bcrypt(hash) => verify_bcrypt(password.as_bytes(), hash),
            Self::BcryptSha256(hash) => {
                let digest = Sha256::digest(password.as_bytes());
                let mut text = Zeroizing::new(String::with_capacity(64));
                for byte in digest {
                    text.extend(
                        [byte >> 4, byte & 0xf].map(|digit| char::from(HEX[usize::from(digit)])),
                    );
                }
                verify_bcrypt(text.as_bytes(), hash)
            }
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn verify_bcrypt(password: &[u8], hash: &str) -> Result<bool, PasswordError> {
    bcrypt::verify(password, hash).map_err(|_| PasswordError::MalformedHash)
}

fn check_bcrypt(text: &str) -> Result<(), PasswordError> {
    let parts = bcrypt::HashParts::from_str(text).map_err(|_| PasswordError::MalformedHash)?;
    (4..=MAX_BCRYPT_COST)
        .contains(&parts.get_cost())
        .then_some(())
        .ok_or(PasswordError::Parameters)
}

fn django_pbkdf2(text: &str) -> Result<Foreign<'_>, PasswordError> {
    let parts = text.split('$').collect::<Vec<_>>();
    let [iterations, salt, hash] = parts.as_slice() else {
        return Err(PasswordError::MalformedHash);
    };
    let output = STANDARD
        .decode(hash)
        .map_err(|_| PasswordError::MalformedHash)?;
    pbkdf2(
        MessageDigest::sha256(),
        iterations,
        salt.as_bytes().to_vec(),
        output,
    )
}

fn phc_pbkdf2(digest: MessageDigest, text: &str) -> Result<Foreign<'_>, PasswordError> {
    let parts = text.split('$').collect::<Vec<_>>();
    let [costs, salt, hash] = parts.as_slice() else {
        return Err(PasswordError::MalformedHash);
    };
    let iterations = costs.strip_prefix("i=").unwrap_or(costs);
    let (iterations, length) = match iterations.split_once(",l=") {
        Some((iterations, length)) => (iterations, Some(length)),
        None => (iterations, None),
    };
    // passlib writes a dot where base64 has a plus.
    let decode = |text: &str| {
        STANDARD_NO_PAD
            .decode(text.replace('.', "+"))
            .map_err(|_| PasswordError::MalformedHash)
    };
    let output = decode(hash)?;
    if length.is_some_and(|length| length != output.len().to_string()) {
        return Err(PasswordError::MalformedHash);
    }
    pbkdf2(digest, iterations, decode(salt)?, output)
}

fn pbkdf2<'a>(
    digest: MessageDigest,
    iterations: &str,
    salt: Vec<u8>,
    output: Vec<u8>,
) -> Result<Foreign<'a>, PasswordError> {
    let iterations: usize = iterations
        .parse()
        .map_err(|_| PasswordError::MalformedHash)?;
    // More than one block would cost as much again, and give nothing.
    if !(16..=digest.size()).contains(&output.len()) || !(1..=MAX_SALT).contains(&salt.len()) {
        return Err(PasswordError::MalformedHash);
    }
    if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
        return Err(PasswordError::Parameters);
    }
    Ok(Foreign::Pbkdf2 {
        digest,
        iterations,
        salt,
        output,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(password: &str, hash: &str) -> Result<bool, PasswordError> {
        Foreign::parse(hash)
            .unwrap_or_else(|| panic!("of no known kind: {hash}"))?
            .matches(password)
    }

    /// Made by Python's `hashlib` and `base64`, in the forms that Django and passlib document.
    #[test]
    fn hashes_of_other_systems_fit_their_passwords_only() {
        for hash in [
            "pbkdf2_sha256$1000$seasalt$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A=",
            "$pbkdf2-sha256$i=1000,l=32$c2Vhc2FsdA$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A",
            "$pbkdf2-sha512$1000$c2Vhc2FsdA$MvpYzRb9t8IHUO1U7cCcGPfI.JLcFRBOUbkty.vHmXzMoGO3EGn5ZDxFwkkOHVT55Elz3Qczs2.FNpDKUjv/RA",
        ] {
            assert_eq!(fits("lètmein", hash), Ok(true), "{hash}");
            assert_eq!(fits("letmein", hash), Ok(false), "{hash}");
        }
    }

    /// Of the test vectors that came with OpenBSD's and jBCrypt's implementations.
    #[test]
    fn bcrypt_fits_its_password_only() {
        let hash = "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i";
        assert_eq!(fits("abc", hash), Ok(true));
        assert_eq!(fits("abd", hash), Ok(false));
        let hash = hash.replace("$2a$", "bcrypt$$2b$");
        assert_eq!(fits("abc", &hash), Ok(true));
        assert_eq!(fits("ABC", &hash.replace("$2b$", "$2y$")), Ok(false));
        // Django's: of the digest's text.
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let made = bcrypt::hash_with_salt(digest, 4, [7; 16]).unwrap();
        let hash = format!(
            "bcrypt_sha256${}",
            made.format_for_version(bcrypt::Version::TwoB)
        );
        assert_eq!(fits("abc", &hash), Ok(true));
        assert_eq!(fits("abd", &hash), Ok(false));
    }

    #[test]
    fn costs_are_bounded_and_malformed_hashes_are_told() {
        let hash = format!("{}A", "C".repeat(42));
        for costly in [
            format!("pbkdf2_sha256$2000001$salt${hash}="),
            format!("pbkdf2_sha256$999$salt${hash}="),
            format!("$pbkdf2-sha512$i=4294967295$c2FsdA${hash}"),
            "$2b$15$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i".to_owned(),
            "$2b$31$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i".to_owned(),
        ] {
            assert_eq!(
                fits("x", &costly),
                Err(PasswordError::Parameters),
                "{costly}"
            );
        }
        for malformed in [
            "pbkdf2_sha256$".to_owned(),
            format!("pbkdf2_sha256$x$salt${hash}="),
            format!("pbkdf2_sha256$1000$${hash}="),
            format!("pbkdf2_sha256$1000$salt${hash}"),
            format!("pbkdf2_sha256$1000$salt${hash}=$"),
            "pbkdf2_sha256$1000$salt$AAAA".to_owned(),
            format!("$pbkdf2-sha256$i=1000,l=33$c2FsdA${hash}"),
            format!("$pbkdf2-sha256$i=1000$c2FsdA${}", "A".repeat(86)),
            format!("pbkdf2_sha256$99999999999999999999999$salt${hash}="),
            "$2b$12$short".to_owned(),
            "$2b$12$éf6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0".to_owned(),
            "bcrypt_sha256$2b$12$".to_owned(),
        ] {
            assert_eq!(
                fits("x", &malformed),
                Err(PasswordError::MalformedHash),
                "{malformed}"
            );
        }
        for unknown in [
            "",
            "md5$salt$abc",
            "sha1$a$b",
            "scrypt$16384$a$8$1$b",
            "$2x$12$",
            "!",
            "$1$a$b",
        ] {
            assert!(Foreign::parse(unknown).is_none(), "{unknown}");
        }
    }
}
