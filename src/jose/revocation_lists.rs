//! Lists of revoked certificates (RFC 5280 §5), as a tenant's administrators set them: complete ones, each signed by the authority whose certificates it
//! is about. Nothing is fetched: where such lists lie is written in certificates, and a certificate is a stranger's. Left out for the same reason is
//! OCSP, which besides tells its responder of each request.
//!
//! An authority with a list is one whose list has to be in its time: what it says nothing of for long may have been revoked since. One without a list
//! is believed as before.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::{CrlStatus, X509, X509Crl};

use super::certificate::CertificateError;

/// The most lists of a tenant.
pub const MAX_LISTS: usize = 20;
/// The longest text that holds them, in bytes.
pub const MAX_LISTS_TEXT: usize = 64 * 1024;

const BEGIN: &str = "-----BEGIN X509 CRL-----";
const END: &str = "-----END X509 CRL-----";

/// The DER of the extensions that make a list a part of one (RFC 5280 §5.2.4, §5.2.5): what isn't in it may be revoked by another part.
const PARTIAL: [[u8; 5]; 2] = [[6, 3, 0x55, 0x1d, 27], [6, 3, 0x55, 0x1d, 28]];

/// Why a text holds no lists.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevocationListsError {
    /// It isn't PEM.
    #[error("must be lists in PEM, one after the other, from {BEGIN} to {END}")]
    Malformed,
    /// A list is a part of one, or doesn't say when the next one comes.
    #[error(
        "must be complete lists that say when the next one comes: neither changes to another list (deltaCRLIndicator) nor one of several (issuingDistributionPoint)"
    )]
    Partial,
    /// There are too many.
    #[error("must be {MAX_LISTS} lists at most")]
    TooMany,
    /// It is too long.
    #[error("must have {MAX_LISTS_TEXT} bytes at most")]
    TooLong,
}

/// The lists of a tenant.
#[derive(Clone, Default)]
pub struct RevocationLists(Arc<Vec<X509Crl>>);

impl RevocationLists {
    /// Reads lists in PEM; an empty text holds none.
    pub fn parse(text: &str) -> Result<Self, RevocationListsError> {
        use RevocationListsError as E;
        if text.len() > MAX_LISTS_TEXT {
            return Err(E::TooLong);
        }
        let mut lists = Vec::new();
        let mut rest = text.trim();
        // Nothing stands between them: what isn't read would be believed to count.
        while !rest.is_empty() {
            let end = rest.find(END).ok_or(E::Malformed)? + END.len();
            if lists.len() == MAX_LISTS {
                return Err(E::TooMany);
            }
            if !rest.starts_with(BEGIN) || rest[..end].matches(BEGIN).count() > 1 {
                return Err(E::Malformed);
            }
            let list = X509Crl::from_pem(&rest.as_bytes()[..end]).map_err(|_| E::Malformed)?;
            let der = list.to_der().map_err(|_| E::Malformed)?;
            let is_partial = PARTIAL
                .iter()
                .any(|oid| der.windows(oid.len()).any(|part| part == oid));
            if is_partial || list.next_update().is_none() {
                return Err(E::Partial);
            }
            lists.push(list);
            rest = rest[end..].trim_start();
        }
        Ok(Self(Arc::new(lists)))
    }

    /// Whose lists they are, for people to read.
    pub fn names(&self) -> Vec<String> {
        let name = |list: &X509Crl| super::certificate::in_words(list.issuer_name());
        self.0.iter().map(name).collect()
    }

    /// Whether a certificate of a chain was revoked; the chain is verified, each certificate issued by the next.
    pub(super) fn check(&self, chain: &[X509], unix: i64) -> Result<(), CertificateError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let now = Asn1Time::from_unix(unix)?;
        chain
            .iter()
            .zip(chain.iter().skip(1))
            .try_for_each(|(own, issuer)| self.check_one(own, issuer, &now))
    }

    fn check_one(
        &self,
        own: &X509,
        issuer: &X509,
        now: &Asn1TimeRef,
    ) -> Result<(), CertificateError> {
        let key = issuer.public_key()?;
        let (mut has_list, mut has_current) = (false, false);
        for list in self.0.iter() {
            // By the key and not by the name alone, which anybody may have.
            let is_theirs = list.issuer_name().try_cmp(issuer.subject_name())? == Ordering::Equal
                && list.verify(&key).unwrap_or(false);
            if !is_theirs {
                continue;
            }
            if matches!(list.get_by_cert(own), CrlStatus::Revoked(_)) {
                return Err(CertificateError::Revoked);
            }
            has_list = true;
            let begun = list.last_update().compare(now)? != Ordering::Greater;
            let lasts = match list.next_update() {
                Some(end) => end.compare(now)? == Ordering::Greater,
                None => false,
            };
            has_current |= begun && lasts;
        }
        if has_list && !has_current {
            return Err(CertificateError::RevocationList);
        }
        Ok(())
    }
}

impl fmt::Debug for RevocationLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RevocationLists({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_hold_no_lists() {
        assert!(RevocationLists::parse(" \n").unwrap().0.is_empty());
        for (text, expected) in [
            ("x".to_owned(), RevocationListsError::Malformed),
            (BEGIN.to_owned(), RevocationListsError::Malformed),
            (
                format!("{BEGIN}\nAAAA\n{END}"),
                RevocationListsError::Malformed,
            ),
            (format!("x{BEGIN}\n{END}"), RevocationListsError::Malformed),
            (
                " ".repeat(MAX_LISTS_TEXT + 1),
                RevocationListsError::TooLong,
            ),
        ] {
            assert_eq!(RevocationLists::parse(&text).err(), Some(expected));
        }
    }
}
