//! What a hash may cost, and how its costs are written.

use argon2::Params;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// The most memory that a hash may ask for, in KiB. It bounds what an imported hash can cost, times the number of workers.
const MAX_MEMORY: u32 = 256 * 1_024;
/// The most work that a hash may ask for: KiB times passes.
const MAX_WORK: u64 = 1_024 * 1_024;
const MAX_LANES: u32 = 16;
/// The length of what is made here, in bytes.
pub(super) const OUTPUT: usize = 32;

/// A password can't be hashed or compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is longer than [`MAX_PASSWORD`](super::MAX_PASSWORD).
    #[error("the password is longer than 1024 bytes")]
    TooLong,
    /// The parameters are out of bounds.
    #[error(
        "the password hash parameters are out of bounds (argon2: memory to 256 MiB, memory times passes to 1 GiB, 1 to 16 lanes; \
         PBKDF2: 1,000 to 2,000,000 iterations; bcrypt: cost 4 to 14)"
    )]
    Parameters,
    /// The stored hash is malformed, or of a kind that isn't known here.
    #[error(
        "the password hash is malformed or of an unknown kind; known are argon2 (PHC text), PBKDF2 with SHA-256 or SHA-512, and bcrypt"
    )]
    MalformedHash,
}

/// What a hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordParameters {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for PasswordParameters {
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            passes: 2,
            lanes: 1,
        }
    }
}

impl PasswordParameters {
    /// Refuses parameters that nobody should hash by: argon2's own bounds (RFC 9106 §3.1) and ours.
    pub fn check(self) -> Result<(), PasswordError> {
        self.params(OUTPUT).map(|_| ())
    }

    pub(super) fn params(self, output: usize) -> Result<Params, PasswordError> {
        check_cost(self)?;
        Params::new(self.memory_kib, self.passes, self.lanes, Some(output))
            .map_err(|_| PasswordError::Parameters)
    }

    /// KiB times passes: what the time of a hash goes by.
    fn work(self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.passes)
    }

    /// A hash that costs what is left of these costs when `spent` is taken off; `None` where that is nothing, or less than argon2 can do.
    pub(super) fn remainder(self, spent: Self) -> Option<Self> {
        let left = self.work().checked_sub(spent.work())?;
        // RFC 9106 §3.1: at least 8 KiB a lane.
        let least = u64::from(self.lanes) * 8;
        let passes = u64::from(self.passes).min(left / least);
        let memory = left.checked_div(passes)?;
        Some(Self {
            memory_kib: u32::try_from(memory).ok()?,
            passes: u32::try_from(passes).ok()?,
            lanes: self.lanes,
        })
    }

    pub(super) fn phc(self, salt: &[u8], output: &[u8]) -> String {
        format!(
            "$argon2id$v=19$m={},t={},p={}${}${}",
            self.memory_kib,
            self.passes,
            self.lanes,
            STANDARD_NO_PAD.encode(salt),
            STANDARD_NO_PAD.encode(output)
        )
    }
}

fn check_cost(parameters: PasswordParameters) -> Result<(), PasswordError> {
    let bounded = parameters.memory_kib <= MAX_MEMORY
        && parameters.work() <= MAX_WORK
        && parameters.lanes <= MAX_LANES;
    bounded.then_some(()).ok_or(PasswordError::Parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: PasswordParameters = PasswordParameters {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };

    #[test]
    fn parameters_are_bounded_when_they_are_set() {
        assert_eq!(PasswordParameters::default().check(), Ok(()));
        for wrong in [
            PasswordParameters {
                memory_kib: MAX_MEMORY + 1,
                ..CHEAP
            },
            PasswordParameters { passes: 0, ..CHEAP },
            PasswordParameters { lanes: 0, ..CHEAP },
            PasswordParameters {
                memory_kib: 7,
                ..CHEAP
            },
            PasswordParameters {
                memory_kib: MAX_MEMORY,
                passes: 5,
                lanes: 1,
            },
        ] {
            assert_eq!(wrong.check(), Err(PasswordError::Parameters), "{wrong:?}");
        }
    }
}
