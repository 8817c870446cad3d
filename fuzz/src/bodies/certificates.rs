//! Clients' certificates (RFC 8705): the names in them, the headers in which a proxy hands them on, and lists of revoked ones.

use tessera::jose::certificate::{Authorities, ClientCertificate};
use tessera::jose::revocation_lists::RevocationLists;
use tessera::protocol::distinguished_name::{DistinguishedName, MAX_NAME};
use tessera::protocol::mutual_tls::{
    CertificateFormat, ExpectedSubject, MAX_CHAIN, MAX_HEADER, read_chain,
};

use super::text::{choice, text};

/// A name is equal to itself and to no name with another part; a certificate that is read has one form, and nobody who trusts nobody believes it.
pub fn certificate(data: &[u8]) {
    let (kind, rest) = choice(data);
    match kind % 6 {
        0 => {
            let text = text(rest);
            let Ok(name) = DistinguishedName::parse(&text) else {
                return;
            };
            assert!(!text.is_empty() && text.len() <= MAX_NAME);
            assert_eq!(Ok(&name), DistinguishedName::parse(&text).as_ref());
            let longer = format!("{text},CN=x");
            assert_ne!(Ok(name), DistinguishedName::parse(&longer));
        }
        1 => {
            let name = DistinguishedName::from_der(rest);
            assert_eq!(name, DistinguishedName::from_der(rest));
            if name.is_ok() {
                let more = [rest, &[0]].concat();
                assert!(DistinguishedName::from_der(&more).is_err());
            }
        }
        4 => {
            let text = text(rest);
            let Ok(chain) = read_chain(text.split('\n')) else {
                return;
            };
            assert!(chain.len() <= MAX_CHAIN && chain.iter().all(|der| !der.is_empty()));
        }
        5 => {
            let text = text(rest);
            let Ok(lists) = RevocationLists::parse(&text) else {
                return;
            };
            assert_eq!(
                lists.names().len(),
                text.matches("-----BEGIN X509 CRL-----").count()
            );
        }
        format => {
            let format = if format % 6 == 2 {
                CertificateFormat::EscapedPem
            } else {
                CertificateFormat::ByteSequence
            };
            let text = text(rest);
            let Ok(Some(der)) = format.read(&text) else {
                return;
            };
            assert!(!der.is_empty() && text.trim_matches(' ').len() <= MAX_HEADER);
            let Ok(shown) = ClientCertificate::from_der(&der, &[]) else {
                return;
            };
            let subject = ExpectedSubject::Dns("orders.example");
            assert!(
                shown
                    .check_issued(&Authorities::default(), subject, 1_700_000_000)
                    .is_err()
            );
            assert!(shown.check_published(&[]).is_err());
        }
    }
}
