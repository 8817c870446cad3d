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

/// Which part of a limit that many share one site may take up within a window: one eighth. As windows follow one another, that is a quarter of what
/// there is at any moment.
pub const SITE_SHARE: u32 = 8;

/// The site that an IPv6 address lies in, its /48: whoever has one has 65,536 networks. None for any other address, which is one of its own.
pub fn site_of(address: &str) -> Option<String> {
    match address.parse() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_none() => {
            let bits = address.to_bits() >> 80 << 80;
            Some(format!("{}/48", Ipv6Addr::from_bits(bits)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{network_of, site_of};

    #[test]
    fn a_site_has_many_networks() {
        for one in ["2001:db8:1:2:3:4:5:6", "2001:db8:1:ffff::1"] {
            assert_eq!(site_of(one).as_deref(), Some("2001:db8:1::/48"));
        }
        assert_ne!(site_of("2001:db8:2::1"), site_of("2001:db8:1::1"));
        for one in ["203.0.113.7", "::ffff:203.0.113.7", "", "unknown"] {
            assert_eq!(site_of(one), None);
        }
    }

    #[test]
    fn neighbours_of_one_household_count_as_one() {
        assert_eq!(network_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network_of("2001:db8:1:2::9"), "2001:db8:1:2::");
        for one in ["203.0.113.7", "::ffff:203.0.113.7", "", "unknown"] {
            assert_eq!(network_of(one), one);
        }
    }
}
