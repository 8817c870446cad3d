//! What strangers might send: the corpus of every fuzz target, and mutations of it that are the same each time.
//!
//! `fuzz/run` looks for new inputs for as long as it is given; what it found worth keeping stands in `fuzz/corpus`, and is held to the same
//! promises here.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

#[path = "../../../fuzz/src/bodies/mod.rs"]
mod bodies;

use bodies::{Mutations, TARGETS};

/// The most that the corpus of a target may take in the tree.
const MOST_FILES: usize = 80;
const MOST_BYTES: usize = 100_000;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz")
        .join(name)
}

/// The files of a folder, in the order of their names.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let bytes = fs::read(&path).expect("a file");
            (path, bytes)
        })
        .collect()
}

/// The words of a target's dictionary: a quoted text in each line, escaped as libFuzzer reads it.
fn words(name: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(folder("dictionaries").join(format!("{name}.dict")));
    text.unwrap_or_default()
        .lines()
        .filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'))
        .map(|word| {
            unescape(word).unwrap_or_else(|| panic!("{name}.dict: libFuzzer refuses {word}"))
        })
        .collect()
}

/// Takes `\\`, `\"` and `\xAB` for the bytes that they stand for; none where another backslash or no plain ASCII stands.
fn unescape(word: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let length = match (first, rest.get(1..2)) {
            ('\\', Some(escaped @ ("\\" | "\""))) => {
                bytes.extend_from_slice(escaped.as_bytes());
                2
            }
            ('\\', Some("x")) => {
                bytes.push(u8::from_str_radix(rest.get(2..4)?, 16).ok()?);
                4
            }
            (' '..='~', _) if first != '\\' => {
                bytes.extend_from_slice(&rest.as_bytes()[..1]);
                1
            }
            _ => return None,
        };
        rest = &rest[length..];
    }
    Some(bytes)
}

fn replay(name: &str) {
    let target = TARGETS
        .iter()
        .find(|target| target.name == name)
        .expect("a target");
    let held = |input: &[u8], origin: &str| {
        let body = target.body;
        assert!(
            catch_unwind(|| body(input)).is_ok(),
            "{name} breaks a promise; {origin}: {:?}",
            String::from_utf8_lossy(input)
        );
    };
    let corpus = files(&folder("corpus").join(name));
    held(b"", "the empty input");
    for (path, input) in &corpus {
        held(input, &path.display().to_string());
    }
    let seeds: Vec<Vec<u8>> = corpus.into_iter().map(|(_, input)| input).collect();
    let words = words(name);
    let trials = usize::try_from(target.trials).expect("few");
    for input in Mutations::new(&seeds, &words, target.most).take(trials) {
        held(&input, "a mutation");
    }
}

macro_rules! replayed {
    ($($name:ident)+) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )+

        const REPLAYED: &[&str] = &[$(stringify!($name)),+];
    };
}

replayed! {
    authorization token backchannel_request user_code basic bearer authorization_details claims_parameter scope resource redirect_uri client_metadata merge_patch jws client_assertion bearer_assertion login_hint request_object jwe request_uri dpop_proof certificate jwks
    strict_json handle cookies interaction form_token pages languages address forwarded cursor email person password branding http
}

#[test]
fn every_target_is_built_replayed_and_small() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, REPLAYED);
    let manifest = fs::read_to_string(folder("Cargo.toml")).expect("the manifest");
    let table = fs::read_to_string(folder("src/bodies/mod.rs")).expect("the table");
    for name in names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let target = fs::read_to_string(folder("targets").join(format!("{name}.rs")));
        assert!(target.is_ok_and(|text| text.contains(&format!("::{name});"))));
        // As `fuzz/run` reads the table.
        assert!(
            table.contains(&format!("\n    target(\"{name}\", ")),
            "{name}"
        );
        let corpus = files(&folder("corpus").join(name));
        let bytes: usize = corpus.iter().map(|(_, input)| input.len()).sum();
        assert!(
            (1..=MOST_FILES).contains(&corpus.len()) && bytes <= MOST_BYTES,
            "{name}: {} files, {bytes} bytes",
            corpus.len()
        );
    }
}
