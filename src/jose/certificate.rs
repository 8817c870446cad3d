//! Clients' certificates (RFC 8705 §2, §3.1): what one is called, who issued it, and which key it has.
//!
//! A certificate that an authority issued is good where its chain leads to one of the authorities that the tenant trusts, every certificate of
//! the chain is in its time and not revoked by the lists that the tenant was given, and the client's name stands in it as registered. One that a client
//! made itself is good where it, or its key, is among the client's published keys; nothing else of it counts.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::EcGroupRef;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{
    X509, X509NameRef, X509PurposeId, X509Ref, X509StoreContext, X509VerifyResult,
};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::keys::digest;
use super::revocation_lists::RevocationLists;
use crate::protocol::distinguished_name::DistinguishedName;
use crate::protocol::dpop::Thumbprint;
use crate::protocol::mutual_tls::{ExpectedSubject, MAX_CHAIN};

/// The largest certificate that is looked at, in bytes of its DER.
pub const MAX_CERTIFICATE: usize = 16 * 1024;
/// The most authorities that a tenant may trust.
pub const MAX_AUTHORITIES: usize = 20;
/// The longest text that holds them, in bytes.
pub const MAX_AUTHORITIES_TEXT: usize = 64 * 1024;
/// How many authorities may stand between the client's certificate and one that is trusted.
const MAX_DEPTH: i32 = 5;
/// OpenSSL's level of 112 bits: RSA of 2048 bits at least, and nothing signed by SHA-1.
const SECURITY_LEVEL: i32 = 2;

/// Why a certificate isn't the client's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It is none.
    #[error("what was presented is no X.509 certificate")]
    Malformed,
    /// The tenant trusts no authority.
    #[error(
        "the tenant trusts no certificate authority; its setting client_certificate_authorities names them"
    )]
    NoAuthorities,
    /// Its chain doesn't hold.
    #[error("the certificate isn't one of a trusted authority's, or not in its time: {0}")]
    Chain(&'static str),
    /// Its authority has revoked it, or the one above has revoked the authority.
    #[error("the certificate, or that of an authority above it, was revoked")]
    Revoked,
    /// What its authority has revoked isn't known.
    #[error(
        "the list of what the certificate's authority has revoked is too old, or not good yet; the tenant's administrators set another in client_certificate_revocation_lists"
    )]
    RevocationList,
    /// It is somebody else's.
    #[error("the certificate names another subject than the client registered")]
    Subject,
    /// None of the client's keys is in it.
    #[error("the certificate is none of those that the client published")]
    Unpublished,
    /// OpenSSL fails.
    #[error("the certificate can't be checked")]
    Failed,
}

impl From<ErrorStack> for CertificateError {
    fn from(_: ErrorStack) -> Self {
        Self::Failed
    }
}

/// A certificate that somebody has shown. That they hold its key was proved at the TLS layer.
pub struct ClientCertificate {
    certificate: X509,
    /// What they sent with it.
    chain: Vec<X509>,
    thumbprint: Thumbprint,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientCertificate")
            .field(&self.thumbprint)
            .finish()
    }
}

impl ClientCertificate {
    /// That of a TLS connection, with what came with it.
    pub fn new(
        certificate: X509,
        chain: impl IntoIterator<Item = X509>,
    ) -> Result<Self, CertificateError> {
        let der = certificate.to_der()?;
        if der.len() > MAX_CERTIFICATE {
            return Err(CertificateError::Malformed);
        }
        Ok(Self {
            certificate,
            chain: chain.into_iter().take(MAX_CHAIN).collect(),
            thumbprint: Thumbprint::new(Sha256::digest(&der).into()),
        })
    }

    /// One that a proxy hands on, with what came with it.
    pub fn from_der(der: &[u8], chain: &[Vec<u8>]) -> Result<Self, CertificateError> {
        let chain = chain.iter().map(|der| read_der(der));
        let chain = chain.collect::<Result<Vec<_>, _>>()?;
        Self::new(read_der(der)?, chain)
    }

    /// What tokens are bound to it by (§3.1, `x5t#S256`).
    pub const fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// §2.1: whether an authority that is trusted has issued it, for this subject.
    pub fn check_issued(
        &self,
        authorities: &Authorities,
        subject: ExpectedSubject<'_>,
        unix: i64,
    ) -> Result<(), CertificateError> {
        // The chain first: whoever has no certificate of a trusted authority must not find out by trying how a client is called.
        authorities.check(self, unix)?;
        if names(&self.certificate, subject) {
            Ok(())
        } else {
            Err(CertificateError::Subject)
        }
    }

    /// §2.2: whether it is among the keys that its client published. One that stands there whole, in `x5c`, has to be the same; otherwise its key.
    pub fn check_published(&self, keys: &[&Map<String, Value>]) -> Result<(), CertificateError> {
        let der = self.certificate.to_der()?;
        let own = self
            .certificate
            .public_key()
            .ok()
            .and_then(|key| jwk_of(&key).ok().flatten())
            .and_then(|jwk| digest(&jwk));
        let is_it = |key: &&&Map<String, Value>| match key.get("x5c") {
            Some(Value::Array(chain)) => {
                let first = chain.first().and_then(Value::as_str);
                first.and_then(|text| STANDARD.decode(text).ok()).as_ref() == Some(&der)
            }
            Some(_) => false,
            None => own.is_some() && digest(key) == own,
        };
        if keys.iter().any(|key| is_it(&key)) {
            Ok(())
        } else {
            Err(CertificateError::Unpublished)
        }
    }
}

fn read_der(der: &[u8]) -> Result<X509, CertificateError> {
    if der.len() > MAX_CERTIFICATE {
        return Err(CertificateError::Malformed);
    }
    let certificate = X509::from_der(der).map_err(|_| CertificateError::Malformed)?;
    // OpenSSL doesn't mind what stands behind a certificate; the hash that tokens are bound to would.
    if certificate.to_der()? == der {
        Ok(certificate)
    } else {
        Err(CertificateError::Malformed)
    }
}

/// A name's parts, for people to read.
pub(super) fn in_words(name: &X509NameRef) -> String {
    let parts = name
        .entries()
        .filter_map(|part| part.data().to_string().ok());
    parts.collect::<Vec<_>>().join(", ")
}

/// Whether the certificate is called so. Nothing is a pattern, on either side.
fn names(certificate: &X509Ref, subject: ExpectedSubject<'_>) -> bool {
    let alternatives = certificate.subject_alt_names();
    let mut alternatives = alternatives.iter().flatten();
    match subject {
        ExpectedSubject::Name(text) => {
            let der = certificate.subject_name().to_der().ok();
            let own = der.and_then(|der| DistinguishedName::from_der(&der).ok());
            own.is_some() && own == DistinguishedName::parse(text).ok()
        }
        ExpectedSubject::Dns(name) => alternatives.any(|own| {
            own.dnsname()
                .is_some_and(|own| own.eq_ignore_ascii_case(name))
        }),
        ExpectedSubject::Uri(uri) => alternatives.any(|own| own.uri() == Some(uri)),
        ExpectedSubject::Email(address) => alternatives.any(|own| own.email() == Some(address)),
        ExpectedSubject::Ip(address) => {
            let wanted = match address.parse() {
                Ok(IpAddr::V4(address)) => address.octets().to_vec(),
                Ok(IpAddr::V6(address)) => address.octets().to_vec(),
                Err(_) => return false,
            };
            alternatives.any(|own| own.ipaddress() == Some(&wanted[..]))
        }
    }
}

/// A public key as a JWK; none of a kind that no JWK of ours has.
fn jwk_of(key: &PKey<Public>) -> Result<Option<Map<String, Value>>, ErrorStack> {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = match key.id() {
        Id::RSA => {
            let key = key.rsa()?;
            json!({ "kty": "RSA", "n": encode(&key.n().to_vec()), "e": encode(&key.e().to_vec()) })
        }
        Id::EC => {
            let key = key.ec_key()?;
            let Some((curve, length)) = curve_of(key.group()) else {
                return Ok(None);
            };
            let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
            let mut context = BigNumContext::new()?;
            key.public_key()
                .affine_coordinates(key.group(), &mut x, &mut y, &mut context)?;
            let (x, y) = (x.to_vec_padded(length)?, y.to_vec_padded(length)?);
            json!({ "kty": "EC", "crv": curve, "x": encode(&x), "y": encode(&y) })
        }
        Id::ED25519 => {
            json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(&key.raw_public_key()?) })
        }
        _ => return Ok(None),
    };
    Ok(jwk.as_object().cloned())
}

fn curve_of(group: &EcGroupRef) -> Option<(&'static str, i32)> {
    match group.curve_name()? {
        Nid::X9_62_PRIME256V1 => Some(("P-256", 32)),
        Nid::SECP384R1 => Some(("P-384", 48)),
        Nid::SECP521R1 => Some(("P-521", 66)),
        _ => None,
    }
}

/// The authorities whose certificates a tenant believes. One of them may stand anywhere in a chain: whoever names an authority below another
/// means that one.
#[derive(Clone, Default)]
pub struct Authorities {
    trusted: Vec<X509>,
    revoked: RevocationLists,
}

/// Why a text names no authorities.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthoritiesError {
    /// It isn't PEM.
    #[error(
        "must be certificates in PEM, one after the other, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----"
    )]
    Malformed,
    /// There are too many.
    #[error("must be {MAX_AUTHORITIES} certificates at most")]
    TooMany,
    /// It is too long.
    #[error("must have {MAX_AUTHORITIES_TEXT} bytes at most")]
    TooLong,
}

impl Authorities {
    /// Reads certificates in PEM; an empty text names nobody.
    pub fn parse(text: &str) -> Result<Self, AuthoritiesError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        if text.len() > MAX_AUTHORITIES_TEXT {
            return Err(AuthoritiesError::TooLong);
        }
        // What isn't read would be believed to be trusted.
        if text.matches("-----BEGIN").count() != text.matches("-----BEGIN CERTIFICATE-----").count()
        {
            return Err(AuthoritiesError::Malformed);
        }
        let found =
            X509::stack_from_pem(text.as_bytes()).map_err(|_| AuthoritiesError::Malformed)?;
        if found.is_empty() || found.len() != text.matches("-----BEGIN CERTIFICATE-----").count() {
            return Err(AuthoritiesError::Malformed);
        }
        if found.len() > MAX_AUTHORITIES {
            return Err(AuthoritiesError::TooMany);
        }
        Ok(Self {
            trusted: found,
            revoked: RevocationLists::default(),
        })
    }

    /// The same, but for what these lists say is revoked.
    #[must_use]
    pub fn without(self, revoked: RevocationLists) -> Self {
        Self { revoked, ..self }
    }

    /// What they are called, for people to read.
    pub fn names(&self) -> Vec<String> {
        let name = |authority: &X509| in_words(authority.subject_name());
        self.trusted.iter().map(name).collect()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.trusted.is_empty()
    }

    fn check(&self, shown: &ClientCertificate, unix: i64) -> Result<(), CertificateError> {
        if self.is_empty() {
            return Err(CertificateError::NoAuthorities);
        }
        let mut rules = X509VerifyParam::new()?;
        rules.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
        rules.set_purpose(X509PurposeId::SSL_CLIENT)?;
        rules.set_depth(MAX_DEPTH);
        rules.set_auth_level(SECURITY_LEVEL);
        rules.set_time(unix);
        let mut store = X509StoreBuilder::new()?;
        for authority in &self.trusted {
            store.add_cert(authority.clone())?;
        }
        store.set_param(&rules)?;
        let store = store.build();
        let mut chain = Stack::new()?;
        for certificate in &shown.chain {
            chain.push(certificate.clone())?;
        }
        let mut context = X509StoreContext::new()?;
        let verified = context.init(&store, &shown.certificate, &chain, |context| {
            let holds = context.verify_cert()?;
            let verified = context.chain().into_iter().flatten();
            let verified = verified.map(ToOwned::to_owned).collect::<Vec<X509>>();
            Ok((holds, context.error(), verified))
        });
        match verified? {
            (true, X509VerifyResult::OK, verified) => self.revoked.check(&verified, unix),
            (_, reason, _) => Err(CertificateError::Chain(reason.error_string())),
        }
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({}, {:?})", self.trusted.len(), self.revoked)
    }
}
