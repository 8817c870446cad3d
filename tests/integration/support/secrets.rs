//! Whether a secret that was handed out can be had by whoever reads the database.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::database::{Raw, db_test};
use crate::isolation::digest::Shape;

/// The bytes of a proof.
const PROOF: usize = 32;

/// The secret is in no column of any table, neither as it was handed out nor as the bytes that it stands for; and the table that knows it by its hash
/// has a row.
#[track_caller]
pub fn expect_not_kept(raw: &mut Raw, table: &str, secret: &str) {
    assert!(raw.count(table) > 0, "{table} is empty");
    let found = find_kept(raw, secret);
    assert_eq!(found, None, "{secret} is kept");
}

/// Where the secret can be read, whatever its capitals.
fn find_kept(raw: &mut Raw, secret: &str) -> Option<(String, String)> {
    let forms = forms(secret);
    let dump = Shape::of_raw(raw).dump(raw);
    let mut rows = dump.into_iter();
    rows.find(|(_, row)| {
        let row = row.to_lowercase();
        forms.iter().any(|form| row.contains(form))
    })
}

/// The secret in each way in which a column could have it.
fn forms(secret: &str) -> Vec<String> {
    // What it is for stands before it, and the identifier of its row before the proof.
    let bare = secret.split_once('_').map_or(secret, |(_, bare)| bare);
    assert!(bare.len() >= 8, "{secret} is too short to be looked for");
    let mut texts = vec![bare.to_owned()];
    // A code that people type may be kept without its hyphens.
    if bare.len() < PROOF {
        texts.push(bare.replace('-', ""));
    }
    let mut forms = Vec::new();
    for text in texts {
        let (lower, upper) = (text.to_lowercase(), text.to_uppercase());
        forms.extend([&text, &lower, &upper].map(|text| hex(text.as_bytes())));
        forms.push(lower);
    }
    if let Ok(bytes) = URL_SAFE_NO_PAD.decode(bare)
        && let Some(proof) = bytes.last_chunk::<PROOF>()
    {
        forms.extend([hex(proof), URL_SAFE_NO_PAD.encode(proof).to_lowercase()]);
    }
    forms
}

fn hex(bytes: &[u8]) -> String {
    let bytes = bytes.iter();
    bytes.fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

db_test! {
    /// In each way in which it could be kept.
    async fn a_secret_in_the_clear_is_found(database: TestDatabase) {
        database.tenant("acme").await;
        let (secret, code) = (format!("tsx_{}", URL_SAFE_NO_PAD.encode([[1; 16], [0xa7; 16], [0x5c; 16]].concat())), "WDJB-MJHT");
        let mut raw = database.raw();
        let bytes = |raw: &Raw, hex: &str| match raw {
            Raw::Sqlite(_) => format!("X'{hex}'"),
            Raw::Postgres(_) => format!("'\\x{hex}'"),
        };
        for (secret, kept) in [
            (secret.as_str(), "a7".repeat(16) + &"5c".repeat(16)), (&secret, hex(secret.as_bytes())), (code, hex(b"WDJBMJHT")), (code, hex(b"wdjb-mjht")),
        ] {
            assert_eq!(find_kept(&mut raw, secret), None);
            let value = bytes(&raw, &kept);
            raw.execute(&format!("UPDATE tenants SET sealed_data_key = {value}")).expect("changed");
            assert!(find_kept(&mut raw, secret).is_some(), "{kept}");
            raw.execute("UPDATE tenants SET sealed_data_key = NULL").expect("changed");
        }
        for (secret, kept) in [(secret.as_str(), secret.clone()), (code, code.to_owned()), (code, "wdjbmjht".to_owned())] {
            assert_eq!(find_kept(&mut raw, secret), None);
            raw.execute(&format!("UPDATE tenants SET name = 'x {kept}'")).expect("changed");
            assert!(find_kept(&mut raw, secret).is_some(), "{kept}");
            raw.execute("UPDATE tenants SET name = 'acme'").expect("changed");
        }
        expect_not_kept(&mut raw, "tenants", &secret);
    }
}
