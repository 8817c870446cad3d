//! Mutual TLS ([RFC 8705](https://www.rfc-editor.org/rfc/rfc8705)): what a client registers of its certificate, and how a proxy hands one on
//! (nginx's `$ssl_client_escaped_cert`, and [RFC 9440](https://www.rfc-editor.org/rfc/rfc9440)).
//!
//! Whether a certificate is the one that was meant is `jose::certificate`'s matter.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::client_metadata::{ClientMetadata, MetadataError, TokenEndpointAuthMethod};
use super::distinguished_name::DistinguishedName;
use super::email::EmailAddress;
use super::params::decode_form;
use super::uri::MAX_URI;

/// The longest value of a header that holds a certificate, in bytes.
pub const MAX_HEADER: usize = 16 * 1024;
/// The most certificates that a client may send besides its own.
pub const MAX_CHAIN: usize = 8;

/// What names the client in its certificate (§2.1.2): exactly one of five members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedSubject<'a> {
    /// The subject, as RFC 4514 writes it.
    Name(&'a str),
    /// A `dNSName` among the alternative names.
    Dns(&'a str),
    /// A `uniformResourceIdentifier`.
    Uri(&'a str),
    /// An `iPAddress`.
    Ip(&'a str),
    /// An `rfc822Name`.
    Email(&'a str),
}

impl ClientMetadata {
    fn expected_subjects(&self) -> [(&'static str, Option<ExpectedSubject<'_>>); 5] {
        [
            (
                "tls_client_auth_subject_dn",
                self.tls_client_auth_subject_dn
                    .as_deref()
                    .map(ExpectedSubject::Name),
            ),
            (
                "tls_client_auth_san_dns",
                self.tls_client_auth_san_dns
                    .as_deref()
                    .map(ExpectedSubject::Dns),
            ),
            (
                "tls_client_auth_san_uri",
                self.tls_client_auth_san_uri
                    .as_deref()
                    .map(ExpectedSubject::Uri),
            ),
            (
                "tls_client_auth_san_ip",
                self.tls_client_auth_san_ip
                    .as_deref()
                    .map(ExpectedSubject::Ip),
            ),
            (
                "tls_client_auth_san_email",
                self.tls_client_auth_san_email
                    .as_deref()
                    .map(ExpectedSubject::Email),
            ),
        ]
    }

    /// What names it in its certificate, where it authenticates by one that an authority issued.
    pub fn expected_subject(&self) -> Option<ExpectedSubject<'_>> {
        self.expected_subjects()
            .into_iter()
            .find_map(|(_, subject)| subject)
    }

    /// §2.1.2: "A client using the `tls_client_auth` authentication method MUST use exactly one of the below metadata parameters".
    pub(super) fn check_subject(&self) -> Result<(), MetadataError> {
        let by_authority =
            self.token_endpoint_auth_method == TokenEndpointAuthMethod::TlsClientAuth;
        let subjects = self.expected_subjects();
        let mut given = subjects
            .into_iter()
            .filter_map(|(field, subject)| subject.map(|subject| (field, subject)));
        match (given.next(), given.next()) {
            (None, _) if by_authority => Err(MetadataError::new(
                "tls_client_auth_subject_dn",
                "tls_client_auth needs one of tls_client_auth_subject_dn, _san_dns, _san_uri, _san_ip and _san_email",
            )),
            (Some((field, _)), _) if !by_authority => {
                Err(MetadataError::new(field, "applies to tls_client_auth only"))
            }
            (Some(_), Some((field, _))) => Err(MetadataError::new(
                field,
                "excludes the other members by which a certificate can name the client",
            )),
            (Some((field, subject)), None) => {
                check(subject).map_err(|reason| MetadataError::new(field, reason))
            }
            (None, _) => Ok(()),
        }
    }
}

fn check(subject: ExpectedSubject<'_>) -> Result<(), String> {
    match subject {
        ExpectedSubject::Name(name) => DistinguishedName::parse(name)
            .map(drop)
            .map_err(|error| error.to_string()),
        ExpectedSubject::Dns(name) => {
            let label = |label: &str| {
                (1..=63).contains(&label.len())
                    && label
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            };
            if name.len() <= 253 && name.split('.').all(label) {
                Ok(())
            } else {
                Err("must be a host name such as orders.example.com, without a wildcard".to_owned())
            }
        }
        ExpectedSubject::Uri(uri) => {
            let sound = uri.len() <= MAX_URI
                && uri.bytes().all(|byte| byte.is_ascii_graphic())
                && url::Url::parse(uri).is_ok();
            sound
                .then_some(())
                .ok_or_else(|| "must be an absolute URI".to_owned())
        }
        ExpectedSubject::Ip(address) => address
            .parse::<IpAddr>()
            .map(drop)
            .map_err(|_| "must be an IP address such as 192.0.2.7 or 2001:db8::7".to_owned()),
        ExpectedSubject::Email(address) => EmailAddress::parse(address)
            .map(drop)
            .map_err(|error| error.to_string()),
    }
}

/// How a proxy writes a certificate into a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CertificateFormat {
    /// PEM with the characters escaped that a URL's query would need escaped: nginx's `$ssl_client_escaped_cert`.
    #[default]
    EscapedPem,
    /// A byte sequence of RFC 8941 with the DER (RFC 9440 §2.1).
    ByteSequence,
}

/// The header holds no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the header in which the proxy hands on the client's certificate can't be read")]
pub struct InvalidHeader;

impl CertificateFormat {
    /// The DER of the certificate in a header's value; none in an empty one, which is what proxies write where the client has shown none.
    pub fn read(self, value: &str) -> Result<Option<Vec<u8>>, InvalidHeader> {
        let value = value.trim_matches(' ');
        if value.is_empty() {
            return Ok(None);
        }
        if value.len() > MAX_HEADER {
            return Err(InvalidHeader);
        }
        let der = match self {
            Self::EscapedPem => read_pem(value),
            Self::ByteSequence => read_sequence(value),
        };
        der.filter(|der| !der.is_empty())
            .map(Some)
            .ok_or(InvalidHeader)
    }
}

/// The certificates of `Client-Cert-Chain` (RFC 9440 §2.3): a list of byte sequences, which may come in several fields, without the client's own.
pub fn read_chain<'v>(
    values: impl Iterator<Item = &'v str>,
) -> Result<Vec<Vec<u8>>, InvalidHeader> {
    let mut chain = Vec::new();
    for value in values {
        let value = value.trim_matches(' ');
        // What proxies write where there is nothing to hand on.
        if value.is_empty() {
            continue;
        }
        // A list's members are parted by commas, which no byte sequence has in it (RFC 8941 §3.1, §3.3.5).
        for member in value.split(',') {
            let member = member.trim_matches([' ', '\t']);
            let der = (member.len() <= MAX_HEADER)
                .then(|| read_sequence(member))
                .flatten()
                .filter(|der| !der.is_empty())
                .ok_or(InvalidHeader)?;
            if chain.len() == MAX_CHAIN {
                return Err(InvalidHeader);
            }
            chain.push(der);
        }
    }
    Ok(chain)
}

fn read_sequence(value: &str) -> Option<Vec<u8>> {
    let encoded = value.strip_prefix(':')?.strip_suffix(':')?;
    STANDARD.decode(encoded).ok()
}

/// The one certificate of an escaped PEM text.
fn read_pem(escaped: &str) -> Option<Vec<u8>> {
    // In a query `+` is a space; here it is base64's.
    let plain = decode_form(escaped.replace('+', "%2B").as_bytes())?;
    let body = plain
        .trim_ascii()
        .strip_prefix("-----BEGIN CERTIFICATE-----")?
        .strip_suffix("-----END CERTIFICATE-----")?;
    let encoded: String = body
        .chars()
        .filter(|c| !matches!(c, '\n' | '\r' | '\t' | ' '))
        .collect();
    STANDARD.decode(encoded).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const PEM: &str =
        "-----BEGIN%20CERTIFICATE-----%0AAQID%2B%2F8%3D%0A-----END%20CERTIFICATE-----%0A";

    fn register(more: Value) -> Result<ClientMetadata, String> {
        let mut document = json!({ "grant_types": ["client_credentials"], "token_endpoint_auth_method": "tls_client_auth" });
        for (name, value) in more.as_object().unwrap() {
            document[name] = value.clone();
        }
        ClientMetadata::from_json(document).map_err(|error| error.field)
    }

    #[test]
    fn exactly_one_member_names_the_client() {
        for (member, value) in [
            ("tls_client_auth_subject_dn", "CN=orders,O=Example"),
            ("tls_client_auth_san_dns", "orders.example.com"),
            ("tls_client_auth_san_uri", "spiffe://example.com/orders"),
            ("tls_client_auth_san_ip", "2001:db8::7"),
            ("tls_client_auth_san_email", "orders@example.com"),
        ] {
            let metadata = register(json!({ member: value })).unwrap();
            assert!(metadata.expected_subject().is_some());
            let other = if member == "tls_client_auth_san_dns" {
                "tls_client_auth_san_ip"
            } else {
                "tls_client_auth_san_dns"
            };
            assert!(register(json!({ member: value, other: "192.0.2.7" })).is_err());
            assert_eq!(register(json!({ member: "\u{7}" })), Err(member.to_owned()));
            let others =
                json!({ member: value, "token_endpoint_auth_method": "client_secret_basic" });
            assert_eq!(register(others), Err(member.to_owned()));
        }
        assert_eq!(
            register(json!({})),
            Err("tls_client_auth_subject_dn".to_owned())
        );
        for wrong in ["*.example.com", "", "a..b", "a/b", "a.b."] {
            assert!(
                register(json!({ "tls_client_auth_san_dns": wrong })).is_err(),
                "{wrong}"
            );
        }
        // Whoever signs their own certificate publishes it.
        let own = json!({ "token_endpoint_auth_method": "self_signed_tls_client_auth" });
        assert_eq!(register(own), Err("jwks".to_owned()));
    }

    #[test]
    fn both_forms_of_the_header_are_read() {
        let der = vec![1, 2, 3, 0xfb, 0xff];
        let read = |format: CertificateFormat, value: &str| format.read(value);
        assert_eq!(
            read(CertificateFormat::EscapedPem, PEM),
            Ok(Some(der.clone()))
        );
        assert_eq!(
            read(CertificateFormat::EscapedPem, &PEM.replace("%2B", "+")),
            Ok(Some(der.clone()))
        );
        assert_eq!(
            read(CertificateFormat::ByteSequence, ":AQID+/8=:"),
            Ok(Some(der))
        );
        for format in [
            CertificateFormat::EscapedPem,
            CertificateFormat::ByteSequence,
        ] {
            assert_eq!(format.read(""), Ok(None));
            assert_eq!(format.read(" "), Ok(None));
            for wrong in [
                "AQID",
                ":AQID",
                "::",
                ":A:",
                "%",
                "-----BEGIN%20CERTIFICATE-----",
                &PEM.repeat(2),
                &format!(":{}:", "A".repeat(MAX_HEADER)),
            ] {
                assert_eq!(format.read(wrong), Err(InvalidHeader), "{wrong}");
            }
        }
    }

    #[test]
    fn a_chain_is_a_list_of_byte_sequences() {
        let read = |values: &[&str]| read_chain(values.iter().copied());
        let (one, other) = (vec![1, 2, 3], vec![4, 5, 6]);
        assert_eq!(read(&[]), Ok(vec![]));
        assert_eq!(read(&["", " "]), Ok(vec![]));
        assert_eq!(read(&[":AQID:"]), Ok(vec![one.clone()]));
        let both = Ok(vec![one, other]);
        assert_eq!(read(&[":AQID:, :BAUG:"]), both);
        assert_eq!(read(&[":AQID: \t,:BAUG:"]), both);
        assert_eq!(read(&[":AQID:", ":BAUG:"]), both);
        for wrong in [
            ":AQID:,",
            ",:AQID:",
            "AQID",
            ":AQID:;a=1",
            "::",
            ":AQID: :BAUG:",
            &[":AQID:"; MAX_CHAIN + 1].join(","),
        ] {
            assert_eq!(read(&[wrong]), Err(InvalidHeader), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(value in any::<String>()) {
            let _ = read_chain(std::iter::once(value.as_str()));
            let _ = CertificateFormat::EscapedPem.read(&value);
            let _ = CertificateFormat::ByteSequence.read(&value);
        }
    }
}
