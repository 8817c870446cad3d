use super::*;

const TENANT: Uuid = Uuid::from_u128(1);
const CONTEXT: SealContext = SealContext {
    tenant: TENANT,
    table: "signing_keys",
    row: Uuid::from_u128(2),
};

#[test]
fn a_sealed_value_opens_in_its_place_only() {
    let clock = Clock::system();
    let key = DataKey::generate(&clock);
    let sealed = key.seal(CONTEXT, b"private", &clock).unwrap();
    assert_eq!(key.open(CONTEXT, &sealed).unwrap().as_slice(), b"private");
    let other = Uuid::from_u128(3);
    for context in [
        SealContext {
            tenant: other,
            ..CONTEXT
        },
        SealContext {
            table: "signing_key",
            ..CONTEXT
        },
        SealContext {
            table: "clients",
            ..CONTEXT
        },
        SealContext {
            row: other,
            ..CONTEXT
        },
        SealContext {
            tenant: CONTEXT.row,
            row: CONTEXT.tenant,
            ..CONTEXT
        },
    ] {
        assert_eq!(
            key.open(context, &sealed).err(),
            Some(SealError::Refused),
            "{context:?}"
        );
    }
    assert_eq!(
        DataKey::generate(&clock).open(CONTEXT, &sealed).err(),
        Some(SealError::Refused)
    );
}

#[test]
fn a_sealed_value_that_was_changed_is_refused() {
    let clock = Clock::system();
    let key = DataKey::generate(&clock);
    let sealed = key.seal(CONTEXT, b"private", &clock).unwrap();
    for position in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[position] ^= 1;
        assert_eq!(
            key.open(CONTEXT, &changed).err(),
            Some(SealError::Refused),
            "byte {position}"
        );
        assert_eq!(
            key.open(CONTEXT, &sealed[..position]).err(),
            Some(SealError::Refused),
            "{position} bytes"
        );
    }
    assert!(
        key.open(CONTEXT, &[sealed.as_slice(), &[0]].concat())
            .is_err()
    );
}

#[test]
fn the_same_value_is_never_sealed_alike() {
    let clock = Clock::system();
    let key = DataKey::generate(&clock);
    assert_ne!(
        key.seal(CONTEXT, b"", &clock).unwrap(),
        key.seal(CONTEXT, b"", &clock).unwrap()
    );
    assert!(
        key.open(CONTEXT, &key.seal(CONTEXT, b"", &clock).unwrap())
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_data_key_opens_under_its_master_key_for_its_tenant() {
    let clock = Clock::system();
    let (master, key) = (MasterKey::generate(&clock), DataKey::generate(&clock));
    let kept = key.seal_under(&master, TENANT, &clock).unwrap();
    let opened = DataKey::open_under(&master, TENANT, &kept).unwrap();
    let sealed = key.seal(CONTEXT, b"private", &clock).unwrap();
    assert_eq!(
        opened.open(CONTEXT, &sealed).unwrap().as_slice(),
        b"private"
    );
    assert!(
        opened
            .derive("codes")
            .mac("", &[])
            .matches(&key.derive("codes").mac("", &[]))
    );
    assert!(
        !opened
            .derive("codes")
            .mac("", &[])
            .matches(&key.derive("tokens").mac("", &[]))
    );
    assert!(DataKey::open_under(&master, Uuid::from_u128(3), &kept).is_err());
    assert!(DataKey::open_under(&MasterKey::generate(&clock), TENANT, &kept).is_err());
    for position in 0..kept.len() {
        let mut changed = kept.clone();
        changed[position] ^= 0x80;
        assert!(
            DataKey::open_under(&master, TENANT, &changed).is_err(),
            "byte {position}"
        );
    }
}

#[test]
fn a_master_key_is_read_in_its_spellings() {
    let key = MasterKey(Zeroizing::new(std::array::from_fn(|index| {
        u8::try_from(index * 7 + 3).unwrap()
    })));
    let hex = encode_hex(key.0.as_slice());
    for text in [
        hex.clone(),
        hex.to_uppercase(),
        format!("  {hex}\r\n"),
        key.to_text().to_string(),
        STANDARD.encode(key.0.as_slice()),
        URL_SAFE_NO_PAD.encode(key.0.as_slice()),
    ] {
        assert_eq!(
            MasterKey::from_text(&text).unwrap().fingerprint(),
            key.fingerprint(),
            "{text}"
        );
    }
    for text in [
        String::new(),
        "secret".to_owned(),
        hex[1..].to_owned(),
        hex.replacen('0', "g", 1),
        format!("{hex}00"),
        format!("{} {}", &hex[..32], &hex[33..]),
        "é".repeat(32),
        STANDARD.encode([1; 31]),
        STANDARD.encode([1; 33]),
        // The last character holds bits that belong to no byte.
        STANDARD.encode(key.0.as_slice()).replace("w=", "x="),
    ] {
        assert!(
            matches!(MasterKey::from_text(&text), Err(MasterKeyError::Malformed)),
            "{text}"
        );
    }
    assert!(matches!(
        MasterKey::from_text(&"0".repeat(64)),
        Err(MasterKeyError::NotRandom)
    ));
}

#[test]
fn a_master_key_file_is_private_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    let clock = Clock::system();
    let key = MasterKey::generate(&clock);
    key.write_new_file(&path).unwrap();
    assert!(is_private(&path).unwrap());
    assert_eq!(
        MasterKey::from_file(&path).unwrap().fingerprint(),
        key.fingerprint()
    );
    let again = MasterKey::generate(&clock).write_new_file(&path);
    assert!(
        matches!(again, Err(MasterKeyError::File(error)) if error.kind() == io::ErrorKind::AlreadyExists)
    );
    assert_eq!(
        MasterKey::from_file(&path).unwrap().fingerprint(),
        key.fingerprint()
    );
    fs::write(&path, [0xff; 32]).unwrap();
    assert!(matches!(
        MasterKey::from_file(&path),
        Err(MasterKeyError::Malformed)
    ));
}

#[test]
fn fingerprints_tell_keys_apart_and_nothing_is_printed() {
    let clock = Clock::system();
    let (one, other) = (MasterKey::generate(&clock), MasterKey::generate(&clock));
    assert_eq!(one.fingerprint().len(), 32);
    assert_ne!(one.fingerprint(), other.fingerprint());
    assert_eq!(
        format!("{one:?} {:?}", DataKey::generate(&clock)),
        "MasterKey(…) DataKey(…)"
    );
}
