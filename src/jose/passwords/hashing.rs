//! One password, one hash.

use std::sync::Arc;

use argon2::password_hash::phc::{ParamsString, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::foreign::Foreign;
use super::parameters::{OUTPUT, PasswordError, PasswordParameters};
use super::tally::Tally;
use super::text::prepare;
use crate::clock::Clock;

/// The longest password that is hashed, in bytes as they came.
pub const MAX_PASSWORD: usize = 1_024;
/// The longest stored hash that is read, in bytes.
const MAX_PHC: usize = 512;
const SALT: usize = 16;

/// The memory that hashing works in, kept between hashes: fresh pages for each would cost a third of its time.
#[derive(Default)]
pub struct Workspace {
    blocks: Vec<Block>,
    tally: Arc<Tally>,
}

impl Workspace {
    /// One whose work is counted.
    pub(super) fn counted(tally: Arc<Tally>) -> Self {
        Self {
            blocks: Vec::new(),
            tally,
        }
    }

    fn blocks(&mut self, count: usize) -> &mut [Block] {
        if self.blocks.len() < count {
            self.blocks.resize(count, Block::new());
        }
        &mut self.blocks[..count]
    }

    /// Gives memory back that only an unusually costly hash needed.
    pub(super) fn shrink(&mut self, to_kib: u32) {
        let keep = usize::try_from(to_kib).unwrap_or(usize::MAX);
        if self.blocks.len() > keep {
            self.blocks.truncate(keep);
            self.blocks.shrink_to_fit();
        }
    }
}

/// What comparing gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// It is the password.
    Match {
        /// Whether it should be hashed anew, as the stored hash was made otherwise than hashes are made now.
        rehash: bool,
    },
    /// It is not.
    Mismatch,
}

/// Hashes a password with a fresh salt.
pub fn hash(
    password: &str,
    parameters: PasswordParameters,
    clock: &Clock,
    workspace: &mut Workspace,
) -> Result<String, PasswordError> {
    let salt = clock.random_bytes::<SALT>();
    let argon2 = Argon2::new(
        Algorithm::Argon2id,
        Version::V0x13,
        parameters.params(OUTPUT)?,
    );
    let output = compute(&argon2, password, &salt, OUTPUT, workspace)?;
    Ok(parameters.phc(&salt, &output))
}

/// Compares a password with a stored hash. `wanted` is how hashes are made now: a refusal costs that at least, so that a stored hash
/// from cheaper days doesn't tell by its time that it is there. A costlier one can't be hidden so: it takes what it takes.
pub fn verify(
    password: &str,
    phc: &str,
    wanted: PasswordParameters,
    workspace: &mut Workspace,
) -> Result<Verification, PasswordError> {
    if let Some(foreign) = parse_foreign(phc) {
        return verify_foreign(password, &foreign?, wanted, workspace);
    }
    let stored = Stored::parse(phc)?;
    let argon2 = Argon2::new(stored.algorithm, stored.version, stored.params);
    let output = compute(
        &argon2,
        password,
        &stored.salt,
        stored.output.len(),
        workspace,
    )?;
    if bool::from(output.ct_eq(&stored.output)) {
        Ok(Verification::Match {
            rehash: !stored.current || stored.cost != wanted,
        })
    } else {
        if let Some(rest) = wanted.remainder(stored.cost) {
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, rest.params(OUTPUT)?);
            compute(&argon2, password, &[0; SALT], OUTPUT, workspace)?;
        }
        Ok(Verification::Mismatch)
    }
}

/// Refuses a hash that couldn't be compared with: of another kind, malformed, or costlier than anybody may ask for.
pub fn check_stored_hash(phc: &str) -> Result<(), PasswordError> {
    match parse_foreign(phc) {
        Some(foreign) => foreign.map(|_| ()),
        None => Stored::parse(phc).map(|_| ()),
    }
}

fn parse_foreign(phc: &str) -> Option<Result<Foreign<'_>, PasswordError>> {
    (phc.len() <= MAX_PHC)
        .then(|| Foreign::parse(phc))
        .flatten()
}

/// A refusal costs what an acceptance does, which hashes anew: both tell by their time that the hash is another system's, not whether
/// it fits.
fn verify_foreign(
    password: &str,
    foreign: &Foreign<'_>,
    wanted: PasswordParameters,
    workspace: &mut Workspace,
) -> Result<Verification, PasswordError> {
    if password.len() > MAX_PASSWORD {
        return Err(PasswordError::TooLong);
    }
    if foreign.matches(password)? {
        return Ok(Verification::Match { rehash: true });
    }
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, wanted.params(OUTPUT)?);
    compute(&argon2, password, &[0; SALT], OUTPUT, workspace)?;
    Ok(Verification::Mismatch)
}

/// A hash that no password has, for people who don't exist: comparing with it costs what comparing with a real one costs.
pub fn dummy_phc(parameters: PasswordParameters, clock: &Clock) -> String {
    parameters.phc(
        &clock.random_bytes::<SALT>(),
        &clock.random_bytes::<OUTPUT>(),
    )
}

fn compute(
    argon2: &Argon2<'_>,
    password: &str,
    salt: &[u8],
    length: usize,
    workspace: &mut Workspace,
) -> Result<Zeroizing<Vec<u8>>, PasswordError> {
    if password.len() > MAX_PASSWORD {
        return Err(PasswordError::TooLong);
    }
    let prepared = prepare(password);
    let mut output = Zeroizing::new(vec![0; length]);
    let params = argon2.params();
    workspace.tally.add(params.m_cost(), params.t_cost());
    let blocks = workspace.blocks(params.block_count());
    argon2
        .hash_password_into_with_memory(prepared.as_bytes(), salt, &mut output, blocks)
        .map_err(|_| PasswordError::Parameters)?;
    Ok(output)
}

struct Stored {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    output: Vec<u8>,
    cost: PasswordParameters,
    /// Whether it is made as hashes are made now, but for its cost.
    current: bool,
}

impl Stored {
    fn parse(phc: &str) -> Result<Self, PasswordError> {
        if phc.len() > MAX_PHC {
            return Err(PasswordError::MalformedHash);
        }
        // Django names the kind before it.
        let bare = phc.strip_prefix("argon2");
        let phc = bare.filter(|bare| bare.starts_with('$')).unwrap_or(phc);
        let hash = PasswordHash::new(phc).map_err(|_| PasswordError::MalformedHash)?;
        let (Some(salt), Some(output)) = (&hash.salt, &hash.hash) else {
            return Err(PasswordError::MalformedHash);
        };
        let algorithm = Algorithm::try_from(hash.algorithm.as_str())
            .map_err(|_| PasswordError::MalformedHash)?;
        // The reference implementation leaves the version out for the first one, and only then.
        let version = hash.version.unwrap_or(0x10);
        let version = Version::try_from(version).map_err(|_| PasswordError::MalformedHash)?;
        let cost = cost(&hash.params)?;
        let current = algorithm == Algorithm::Argon2id
            && version == Version::V0x13
            && salt.len() >= SALT
            && output.len() >= OUTPUT;
        Ok(Self {
            algorithm,
            version,
            params: cost.params(output.len())?,
            salt: salt.to_vec(),
            output: output.as_bytes().to_vec(),
            cost,
            current,
        })
    }
}

/// The three costs and nothing else: a key id or associated data would ask for what we don't have.
fn cost(params: &ParamsString) -> Result<PasswordParameters, PasswordError> {
    let named = |name: &str| params.get_decimal(name).ok_or(PasswordError::MalformedHash);
    if params.iter().count() != 3 {
        return Err(PasswordError::MalformedHash);
    }
    Ok(PasswordParameters {
        memory_kib: named("m")?,
        passes: named("t")?,
        lanes: named("p")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: PasswordParameters = PasswordParameters {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };
    const OK: Result<Verification, PasswordError> = Ok(Verification::Match { rehash: false });
    const OUTDATED: Result<Verification, PasswordError> = Ok(Verification::Match { rehash: true });

    fn hashed(password: &str, parameters: PasswordParameters) -> String {
        hash(
            password,
            parameters,
            &Clock::system(),
            &mut Workspace::default(),
        )
        .unwrap()
    }

    fn compare(
        password: &str,
        phc: &str,
        wanted: PasswordParameters,
    ) -> Result<Verification, PasswordError> {
        verify(password, phc, wanted, &mut Workspace::default())
    }

    #[test]
    fn a_password_matches_its_hash_only() {
        let phc = hashed("correct horse", CHEAP);
        assert!(phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{phc}");
        assert_eq!(compare("correct horse", &phc, CHEAP), OK);
        for wrong in [
            "",
            "correct hors",
            "correct horse ",
            "Correct horse",
            "correct horse\0",
        ] {
            assert_eq!(
                compare(wrong, &phc, CHEAP),
                Ok(Verification::Mismatch),
                "{wrong:?}"
            );
        }
        assert_ne!(phc, hashed("correct horse", CHEAP));
    }

    #[test]
    fn the_default_is_what_the_library_makes_of_it_too() {
        use argon2::PasswordHasher as _;
        let wanted = PasswordParameters::default();
        let theirs = Argon2::default()
            .hash_password_with_salt(b"password", &[7; 16])
            .unwrap()
            .to_string();
        assert_eq!(compare("password", &theirs, wanted), OK);
        assert!(hashed("password", wanted).starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }

    #[test]
    fn hashes_of_other_tools_are_taken_and_made_anew() {
        // By the reference implementation's command line: `echo -n password | argon2 somesalt`, as its documentation shows it.
        let argon2i = "$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG";
        assert_eq!(
            compare("password", argon2i, PasswordParameters::default()),
            OUTDATED
        );
        assert_eq!(
            compare("passwore", argon2i, PasswordParameters::default()),
            Ok(Verification::Mismatch)
        );
    }

    #[test]
    fn other_systems_hashes_are_made_anew_and_cost_one_of_ours_either_way() {
        let phc = "pbkdf2_sha256$1000$seasalt$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A=";
        let mut workspace = Workspace::default();
        assert_eq!(verify("lètmein", phc, CHEAP, &mut workspace), OUTDATED);
        assert_eq!(workspace.tally.hashes(), 0, "the new one comes after it");
        let wrong = verify("letmein", phc, CHEAP, &mut workspace);
        assert_eq!(wrong, Ok(Verification::Mismatch));
        assert_eq!(workspace.tally.hashes(), 1);
        let over = "a".repeat(MAX_PASSWORD + 1);
        assert_eq!(compare(&over, phc, CHEAP), Err(PasswordError::TooLong));
        let django = format!("argon2{}", hashed("password", CHEAP));
        assert_eq!(compare("password", &django, CHEAP), OK);
        assert_eq!(check_stored_hash(&django), Ok(()));
        assert_eq!(
            check_stored_hash("argon2$"),
            Err(PasswordError::MalformedHash)
        );
    }

    #[test]
    fn changed_parameters_ask_for_a_new_hash() {
        let phc = hashed("password", CHEAP);
        for wanted in [
            PasswordParameters {
                memory_kib: 128,
                ..CHEAP
            },
            PasswordParameters { passes: 2, ..CHEAP },
            PasswordParameters { lanes: 2, ..CHEAP },
        ] {
            assert_eq!(compare("password", &phc, wanted), OUTDATED, "{wanted:?}");
        }
    }

    #[test]
    fn a_stored_hash_cannot_ask_for_the_moon() {
        let tail = "c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for costs in [
            "m=4194304,t=1,p=1",
            "m=262145,t=1,p=1",
            "m=262144,t=5,p=1",
            "m=64,t=4294967295,p=1",
            "m=1024,t=1,p=17",
            "m=4,t=1,p=1",
            "m=64,t=0,p=1",
            "m=64,t=1,p=0",
        ] {
            let phc = format!("$argon2id$v=19${costs}${tail}");
            let mut workspace = Workspace::default();
            assert_eq!(
                verify("password", &phc, CHEAP, &mut workspace),
                Err(PasswordError::Parameters),
                "{costs}"
            );
            assert_eq!(workspace.blocks.capacity(), 0, "{costs}");
        }
    }

    #[test]
    fn malformed_hashes_are_errors_and_no_mismatch() {
        let sound = hashed("password", CHEAP);
        for wrong in [
            String::new(),
            "password".into(),
            "$2b$12$abcdefghijklmnopqrstuv".into(),
            "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99".into(),
            "$argon2id$v=19$m=64,t=1,p=1".into(),
            "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ".into(),
            sound.replace("argon2id", "argon2x"),
            sound.replace("v=19", "v=20"),
            sound.replace("m=64", "m=-64"),
            sound.replace("m=64", "m=99999999999"),
            sound.replace("m=64,", ""),
            sound.replace("p=1", "p=1,data=AAAA"),
            format!("{sound}$"),
            format!("{sound}{}", "A".repeat(MAX_PHC)),
        ] {
            assert_eq!(
                compare("password", &wrong, CHEAP),
                Err(PasswordError::MalformedHash),
                "{wrong}"
            );
        }
    }

    #[test]
    fn long_passwords_count_whole_up_to_the_bound() {
        let longest = "a".repeat(MAX_PASSWORD);
        let phc = hashed(&longest, CHEAP);
        assert_eq!(compare(&longest, &phc, CHEAP), OK);
        assert_eq!(
            compare(&longest[1..], &phc, CHEAP),
            Ok(Verification::Mismatch)
        );
        let over = "a".repeat(MAX_PASSWORD + 1);
        let mut workspace = Workspace::default();
        assert_eq!(
            hash(&over, CHEAP, &Clock::system(), &mut workspace),
            Err(PasswordError::TooLong)
        );
        assert_eq!(
            verify(&over, &phc, CHEAP, &mut workspace),
            Err(PasswordError::TooLong)
        );
        assert_eq!(workspace.blocks.capacity(), 0);
    }

    #[test]
    fn nobodys_hash_costs_the_same_and_fits_nothing() {
        let phc = dummy_phc(CHEAP, &Clock::system());
        assert_eq!(phc.len(), hashed("password", CHEAP).len());
        assert_eq!(compare("password", &phc, CHEAP), Ok(Verification::Mismatch));
        assert_eq!(compare("", &phc, CHEAP), Ok(Verification::Mismatch));
    }

    /// What one comparison costs, in hashes and KiB times passes.
    fn spent(password: &str, phc: &str, wanted: PasswordParameters) -> (u64, u64) {
        let tally = Arc::new(Tally::default());
        verify(
            password,
            phc,
            wanted,
            &mut Workspace::counted(Arc::clone(&tally)),
        )
        .unwrap();
        (tally.hashes(), tally.work())
    }

    #[test]
    fn a_refusal_by_a_cheap_hash_costs_as_much_as_by_a_hash_of_today() {
        let wanted = PasswordParameters {
            memory_kib: 256,
            passes: 3,
            lanes: 1,
        };
        let nobodys = dummy_phc(wanted, &Clock::system());
        assert_eq!(spent("wrong", &nobodys, wanted), (1, 768));
        for (memory_kib, passes) in [(64, 1), (256, 1), (256, 2), (128, 3), (200, 3), (300, 2)] {
            let old = PasswordParameters {
                memory_kib,
                passes,
                lanes: 1,
            };
            let (hashes, work) = spent("wrong", &hashed("right", old), wanted);
            assert_eq!(hashes, 2, "{old:?}");
            assert!((766..=768).contains(&work), "{old:?}: {work}");
            // Who is let in sees it anyway.
            assert_eq!(spent("right", &hashed("right", old), wanted).0, 1);
        }
        // Nothing is left, or too little to hash by.
        for (memory_kib, passes) in [(256, 3), (254, 3), (512, 3)] {
            let other = PasswordParameters {
                memory_kib,
                passes,
                lanes: 1,
            };
            assert_eq!(spent("wrong", &hashed("right", other), wanted).0, 1);
        }
    }

    #[test]
    fn a_password_is_the_same_however_its_letters_are_composed() {
        let phc = hashed("A\u{30a}ngstro\u{308}m\u{3000}x", CHEAP);
        assert_eq!(compare("\u{c5}ngstr\u{f6}m x", &phc, CHEAP), OK);
        assert_eq!(
            compare("Angstrom x", &phc, CHEAP),
            Ok(Verification::Mismatch)
        );
    }

    #[test]
    fn a_workspace_is_used_again_and_shrinks() {
        let mut workspace = Workspace::default();
        let clock = Clock::system();
        let small = hash("one", CHEAP, &clock, &mut workspace).unwrap();
        let large = hash(
            "two",
            PasswordParameters {
                memory_kib: 256,
                ..CHEAP
            },
            &clock,
            &mut workspace,
        )
        .unwrap();
        // What an earlier hash left behind changes nothing.
        assert_eq!(verify("one", &small, CHEAP, &mut workspace), OK);
        assert_eq!(verify("two", &large, CHEAP, &mut workspace), OUTDATED);
        assert_eq!(workspace.blocks.len(), 256);
        workspace.shrink(64);
        assert_eq!(workspace.blocks.len(), 64);
        assert_eq!(verify("one", &small, CHEAP, &mut workspace), OK);
    }
}
