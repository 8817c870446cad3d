//! One direction: `cli → http → flows → {storage, jose, egress} → domain → protocol`; nothing imports upward.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which layers a layer may use besides itself.
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    let ground = ["clock", "files", "secret", "threads"];
    let with = |layers: &[&'static str]| ground.iter().chain(layers).copied().collect::<Vec<_>>();
    BTreeMap::from([
        ("clock", vec![]),
        ("files", vec![]),
        ("secret", vec!["clock"]),
        ("threads", vec![]),
        ("protocol", vec!["secret", "clock"]),
        ("config", with(&["protocol"])),
        ("domain", with(&["protocol"])),
        ("storage", with(&["protocol", "domain"])),
        ("jose", with(&["protocol", "domain"])),
        ("egress", with(&["protocol", "domain", "config"])),
        (
            "flows",
            with(&["protocol", "domain", "config", "storage", "jose", "egress"]),
        ),
        (
            "jobs",
            with(&[
                "protocol", "domain", "config", "storage", "jose", "egress", "flows",
            ]),
        ),
        (
            "http",
            with(&[
                "protocol", "domain", "config", "storage", "jose", "egress", "flows", "jobs",
            ]),
        ),
        (
            "cli",
            with(&[
                "protocol", "domain", "config", "storage", "jose", "egress", "flows", "jobs",
                "http",
            ]),
        ),
    ])
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
    {
        if entry.is_dir() {
            rust_files(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
}

/// The layers that a file names: `crate::x`, and each `x` of `use crate::{x, y::z}`.
fn named_layers(text: &str) -> Vec<String> {
    let mut layers = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let word = |text: &str| {
            text.trim_start()
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect::<String>()
        };
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut part = String::new();
            for character in group.chars() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => layers.push(word(&std::mem::take(&mut part))),
                    _ => {}
                }
                if depth == 0 && character != ',' {
                    part.push(character);
                }
            }
            layers.push(word(&part));
        } else {
            layers.push(word(rest));
        }
    }
    layers
}

#[test]
fn nothing_imports_upward() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed = allowed();
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    assert!(files.len() > 50, "the tree was found");
    let mut wrong = Vec::new();
    for file in files {
        let relative = file
            .strip_prefix(&source)
            .expect("below src")
            .to_string_lossy()
            .into_owned();
        let layer = relative
            .split(['/', '.'])
            .next()
            .unwrap_or_default()
            .to_owned();
        let Some(allowed_here) = allowed.get(layer.as_str()) else {
            continue;
        };
        let text = fs::read_to_string(&file).expect("text");
        for named in named_layers(&text) {
            if named != layer
                && allowed.contains_key(named.as_str())
                && !allowed_here.contains(&named.as_str())
            {
                wrong.push(format!("{relative} uses {named}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_storage_speaks_diesel() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let outside = files
        .iter()
        .filter(|file| !file.starts_with(source.join("storage")));
    for file in outside {
        let text = fs::read_to_string(file).expect("text");
        assert!(
            !text.contains("diesel::"),
            "{} speaks diesel",
            file.display()
        );
    }
}

#[test]
fn a_group_of_imports_is_read() {
    assert_eq!(
        named_layers("use crate::{clock::Timestamp, http::pages::{a, b}};"),
        ["clock", "http"]
    );
    assert_eq!(named_layers("use crate::storage::Db;"), ["storage"]);
}
