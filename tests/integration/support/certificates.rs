//! Certificates of clients, and the authorities that issue them.

use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
};
use openssl::x509::{
    X509, X509CrlBuilder, X509Extension, X509Name, X509NameBuilder, X509RevokedBuilder,
};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A certificate with its key.
#[derive(Clone)]
pub struct Identity {
    pub certificate: X509,
    pub key: PKey<Private>,
}

/// What is to stand in a certificate.
#[derive(Clone)]
pub struct Wanted<'a> {
    /// The subject's parts, the most general first.
    pub subject: &'a [(Nid, &'a str)],
    /// A host name, a URI, an address and an e-mail address among the alternative names.
    pub san: [Option<&'a str>; 4],
    /// From when to when, in seconds since 1970.
    pub times: (i64, i64),
    pub is_authority: bool,
    /// Whether it is for servers only.
    pub for_servers: bool,
}

/// The subject that tests register.
pub const SUBJECT: &[(Nid, &str)] = &[
    (Nid::COUNTRYNAME, "DK"),
    (Nid::ORGANIZATIONNAME, "Example, Inc."),
    (Nid::COMMONNAME, "orders"),
];
/// The same as RFC 4514 writes it.
pub const SUBJECT_TEXT: &str = "CN=orders,O=Example\\, Inc.,C=DK";

impl Wanted<'static> {
    /// A client's, an hour to either side of now.
    pub fn client(now: i64) -> Self {
        Self {
            subject: SUBJECT,
            san: [
                Some("orders.example"),
                Some("spiffe://example/orders"),
                Some("192.0.2.7"),
                Some("orders@example.com"),
            ],
            times: (now - 3600, now + 3600),
            is_authority: false,
            for_servers: false,
        }
    }
}

fn name(parts: &[(Nid, &str)]) -> X509Name {
    let mut name = X509NameBuilder::new().expect("a name");
    for (kind, value) in parts {
        name.append_entry_by_nid(*kind, value).expect("a part");
    }
    name.build()
}

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a curve");
    PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key")
}

impl Identity {
    /// An authority that nobody stands above.
    pub fn authority(common_name: &str, now: i64) -> Self {
        let wanted = Wanted {
            subject: &[(Nid::COMMONNAME, common_name)],
            san: [None; 4],
            is_authority: true,
            ..Wanted::client(now)
        };
        Self::make(&wanted, None)
    }

    /// One that nobody issued.
    pub fn self_signed(wanted: &Wanted<'_>) -> Self {
        Self::make(wanted, None)
    }

    /// Has a certificate issued.
    pub fn issue(&self, wanted: &Wanted<'_>) -> Self {
        Self::make(wanted, Some(self))
    }

    fn make(wanted: &Wanted<'_>, issuer: Option<&Self>) -> Self {
        Self::of(key(), wanted, issuer)
    }

    /// Another certificate of the same key.
    pub fn renewed(&self, wanted: &Wanted<'_>) -> Self {
        Self::of(self.key.clone(), wanted, None)
    }

    fn of(key: PKey<Private>, wanted: &Wanted<'_>, issuer: Option<&Self>) -> Self {
        let mut builder = X509::builder().expect("a certificate");
        builder.set_version(2).expect("a version");
        let mut serial = BigNum::new().expect("a number");
        serial.rand(120, MsbOption::ONE, false).expect("a number");
        builder
            .set_serial_number(&serial.to_asn1_integer().expect("a number"))
            .expect("a number");
        let subject = name(wanted.subject);
        builder.set_subject_name(&subject).expect("a subject");
        builder
            .set_issuer_name(issuer.map_or(&*subject, |issuer| issuer.certificate.subject_name()))
            .expect("an issuer");
        let time = |unix| Asn1Time::from_unix(unix).expect("a time");
        builder
            .set_not_before(&time(wanted.times.0))
            .expect("a time");
        builder
            .set_not_after(&time(wanted.times.1))
            .expect("a time");
        builder.set_pubkey(&key).expect("a key");
        let mut constraints = BasicConstraints::new();
        if wanted.is_authority {
            constraints.critical().ca();
            let usage = KeyUsage::new().critical().key_cert_sign().build();
            builder
                .append_extension(usage.expect("a usage"))
                .expect("a usage");
        } else if wanted.for_servers {
            let usage = ExtendedKeyUsage::new().server_auth().build();
            builder
                .append_extension(usage.expect("a usage"))
                .expect("a usage");
        }
        builder
            .append_extension(constraints.build().expect("constraints"))
            .expect("constraints");
        if wanted.san.iter().any(Option::is_some) {
            let mut names = SubjectAlternativeName::new();
            let [dns, uri, ip, email] = wanted.san;
            if let Some(value) = dns {
                names.dns(value);
            }
            if let Some(value) = uri {
                names.uri(value);
            }
            if let Some(value) = ip {
                names.ip(value);
            }
            if let Some(value) = email {
                names.email(value);
            }
            let context = builder.x509v3_context(None, None);
            let names = names.build(&context).expect("names");
            builder.append_extension(names).expect("names");
        }
        let signer = issuer.map_or(&key, |issuer| &issuer.key);
        builder
            .sign(signer, MessageDigest::sha256())
            .expect("signed");
        Self {
            certificate: builder.build(),
            key,
        }
    }

    /// What it has revoked, as PEM; a partial list says that there are others.
    pub fn revokes(&self, revoked: &[&Self], times: (i64, i64), partial: bool) -> String {
        let time = |unix| Asn1Time::from_unix(unix).expect("a time");
        let mut list = X509CrlBuilder::new().expect("a list");
        list.set_issuer_name(self.certificate.subject_name())
            .expect("an issuer");
        list.set_last_update(&time(times.0)).expect("a time");
        list.set_next_update(&time(times.1)).expect("a time");
        // The key's name, the list's number, and which part it is.
        let mut extensions = vec![
            ("2.5.29.35", &[0x30, 3, 0x80, 1, 1][..]),
            ("2.5.29.20", &[2, 1, 1]),
        ];
        if partial {
            extensions.push(("2.5.29.28", &[0x30, 3, 0x81, 1, 0xff]));
        }
        for (oid, der) in extensions {
            let oid = Asn1Object::from_str(oid).expect("an OID");
            let der = Asn1OctetString::new_from_bytes(der).expect("bytes");
            let extension = X509Extension::new_from_der(&oid, false, &der);
            list.append_extension(extension.expect("an extension"))
                .expect("an extension");
        }
        for one in revoked {
            let mut entry = X509RevokedBuilder::new().expect("an entry");
            entry
                .set_serial_number(one.certificate.serial_number())
                .expect("a number");
            entry.set_revocation_date(&time(times.0)).expect("a time");
            list.add_revoked(entry.build()).expect("an entry");
        }
        list.sign(&self.key, MessageDigest::sha256())
            .expect("signed");
        let pem = list.build().expect("a list").to_pem().expect("PEM");
        String::from_utf8(pem).expect("ASCII")
    }

    pub fn pem(&self) -> String {
        String::from_utf8(self.certificate.to_pem().expect("PEM")).expect("ASCII")
    }

    pub fn der(&self) -> Vec<u8> {
        self.certificate.to_der().expect("DER")
    }

    /// As nginx's `$ssl_client_escaped_cert` has it.
    pub fn escaped(&self) -> String {
        url::form_urlencoded::byte_serialize(self.pem().as_bytes())
            .collect::<String>()
            .replace('+', "%20")
    }

    /// As RFC 9440 has it.
    pub fn sequence(&self) -> String {
        format!(":{}:", STANDARD.encode(self.der()))
    }

    /// `x5t#S256`.
    pub fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.der()))
    }

    /// Its public key as a JWK; with the certificate itself or without.
    pub fn jwk(&self, with_certificate: bool) -> Value {
        let key = self.key.ec_key().expect("a key");
        let (mut x, mut y) = (BigNum::new().expect("x"), BigNum::new().expect("y"));
        let mut context = openssl::bn::BigNumContext::new().expect("a context");
        key.public_key()
            .affine_coordinates(key.group(), &mut x, &mut y, &mut context)
            .expect("a point");
        let part =
            |number: &BigNum| URL_SAFE_NO_PAD.encode(number.to_vec_padded(32).expect("32 bytes"));
        let mut jwk = json!({ "kty": "EC", "crv": "P-256", "x": part(&x), "y": part(&y) });
        if with_certificate {
            jwk["x5c"] = json!([STANDARD.encode(self.der())]);
        }
        jwk
    }
}
