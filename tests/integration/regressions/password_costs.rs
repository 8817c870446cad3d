//! The settings lie below what hashes passwords and can't ask it for its bounds, so they have these a second time. Where the two differed, a server
//! started by settings by which it could hash no password.

use tessera::config::Config;
use tessera::jose::passwords::PasswordParameters;

#[test]
fn settings_are_taken_if_passwords_can_be_hashed_by_them() {
    for memory_kib in [7, 8, 15, 16, 127, 128, 19_456, 262_144, 262_145, 4 << 20] {
        for passes in [1, 2, 4, 5, 53, 54, 131_072, 131_073, u32::MAX] {
            for lanes in [1, 2, 16, 17, 255] {
                let settings = format!(
                    "argon2_memory = '{memory_kib} KiB'\nargon2_passes = {passes}\nargon2_lanes = {lanes}"
                );
                let parameters = PasswordParameters {
                    memory_kib,
                    passes,
                    lanes,
                };
                assert_eq!(
                    Config::from_toml(&settings).is_ok(),
                    parameters.check().is_ok(),
                    "{settings}"
                );
            }
        }
    }
}
