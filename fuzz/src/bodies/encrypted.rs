//! What is encrypted to us, and the addresses of what may be fetched.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tessera::jose::jwe::{Encrypted, MAX_TOKEN, is_encrypted};
use tessera::jose::keys::{DecryptionKey, EncryptionKey};
use tessera::protocol::encryption::{ContentEncryption, KeyManagementAlgorithm};
use tessera::protocol::request_uri::{MAX_REQUEST_URI, Meant, RequestUri};

use super::text::{choice, lines, text};

/// Bob's key of RFC 7518 Appendix C.
const KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
    "y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck","d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"}"#;

static OWN: LazyLock<DecryptionKey> = LazyLock::new(|| {
    DecryptionKey::from_private_jwk(KeyManagementAlgorithm::EcdhEs, "bob", KEY.as_bytes())
        .expect("a key")
});
static THEIRS: LazyLock<EncryptionKey> = LazyLock::new(|| {
    let public = OWN.public_jwk().as_object().expect("an object");
    EncryptionKey::from_jwk(public, KeyManagementAlgorithm::EcdhEs).expect("a key")
});

/// Encrypted tokens: what was encrypted opens to what it was, and nothing that was changed on its way opens at all.
pub fn jwe(data: &[u8]) {
    let (kind, rest) = choice(data);
    let input = text(rest);
    if kind & 1 == 0 {
        // Whatever somebody sends, with nothing that they could have encrypted to us.
        let [header, parts] = lines(&input);
        let token = format!("{}.{parts}", URL_SAFE_NO_PAD.encode(header));
        for token in [input.as_ref(), token.as_str()] {
            if let Ok(read) = Encrypted::parse(token) {
                assert!(is_encrypted(token) && token.len() <= MAX_TOKEN);
                assert!(read.decrypt(&OWN).is_err(), "forged: {token}");
            }
        }
        return;
    }
    let enc = ContentEncryption::ALL[usize::from(kind >> 1) % ContentEncryption::ALL.len()];
    let sealed = THEIRS
        .encrypt(enc, Some("JWT"), input.as_bytes())
        .expect("encrypted");
    let opened = Encrypted::parse(&sealed).map(|read| read.decrypt(&OWN));
    match opened {
        Ok(opened) => assert_eq!(&*opened.expect("it opens"), input.as_bytes()),
        Err(_) => assert!(sealed.len() > MAX_TOKEN),
    }
    // One character, somewhere, is another.
    let place = rest.iter().map(|byte| usize::from(*byte)).sum::<usize>() % sealed.len();
    let mut changed = sealed.clone().into_bytes();
    changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).expect("ASCII");
    let opened = Encrypted::parse(&changed).and_then(|read| read.decrypt(&OWN));
    assert!(opened.is_err(), "changed at {place}: {changed}");
}

/// Addresses of request objects: what is fetched is what was registered, and its fragment a hash and nothing else.
pub fn request_uri(data: &[u8]) {
    let input = text(data);
    let [given, registered] = lines(&input);
    let Ok(uri) = RequestUri::parse(given) else {
        return;
    };
    assert!(given.len() <= MAX_REQUEST_URI);
    let address = uri.address();
    assert!(!address.contains('#') && given.starts_with(address));
    let scheme = address.split("://").next().unwrap_or_default();
    assert!(
        ["http", "https"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(scheme))
    );
    assert_eq!(uri.meant() != Meant::Current, given.contains('#'));
    assert!(uri.is_among(&[given.to_owned()]) && uri.is_among(&[address.to_owned()]));
    let same = given == registered || address == registered;
    assert_eq!(uri.is_among(&[registered.to_owned()]), same);
}
