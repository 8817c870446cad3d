//! Guesses at a password, counted.
//!
//! The counter's key is made of the e-mail address as it was typed (so unknown people are counted like known ones) and of the
//! browser: one counter for all strangers, one for each device that the person signed in from before.

use std::net::{IpAddr, Ipv6Addr};

use crate::clock::Timestamp;

/// Failed attempts within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: u32,
    /// When the first of them was.
    pub window_start: Timestamp,
}

/// May another guess be looked at?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Yes, and it has been counted.
    Admitted,
    /// No: too many within the window.
    Refused,
}

/// What an address is counted by: whoever has an IPv6 address has all of its /64.
pub fn network_of(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_none() => {
            let bits = address.to_bits() >> 64 << 64;
            Ipv6Addr::from_bits(bits).to_string()
        }
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::network_of;

    #[test]
    fn neighbours_of_one_household_count_as_one() {
        assert_eq!(network_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network_of("2001:db8:1:2::9"), "2001:db8:1:2::");
        for one in ["203.0.113.7", "::ffff:203.0.113.7", "", "unknown"] {
            assert_eq!(network_of(one), one);
        }
    }
}
