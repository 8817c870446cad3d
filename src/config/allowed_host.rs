//! Exceptions to what outward requests may reach.

use super::value::Value;

/// A host that outward requests may reach although it is private or speaks plain http.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    /// In lower case; IPv6 without brackets.
    host: String,
    /// Any, if absent.
    port: Option<u16>,
}

impl AllowedHost {
    /// Whether this is that host (IPv6 with or without brackets) and port.
    pub fn matches(&self, host: &str, port: u16) -> bool {
        self.host.eq_ignore_ascii_case(unbracketed(host)) && self.port.is_none_or(|own| own == port)
    }
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host)
}

impl Value for AllowedHost {
    fn kind() -> String {
        "host, or host:port".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` isn't a host; write localhost, localhost:9000 or [::1]:9000, without http://"
            )
        };
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, Some(port.parse::<u16>().map_err(|_| wrong())?))
            }
            _ => (text, None),
        };
        // The URL library's idea of a host, so that what is written here compares equal to what a URL holds.
        let parsed = url::Host::parse(host).map_err(|_| wrong())?;
        Ok(Self {
            host: unbracketed(&parsed.to_string()).to_ascii_lowercase(),
            port,
        })
    }

    fn show(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        self.port
            .map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_hosts_match_by_host_and_port() {
        let any = AllowedHost::parse("LocalHost").unwrap();
        assert!(
            any.matches("localhost", 1)
                && any.matches("LOCALHOST", 2)
                && !any.matches("localhost.evil", 1)
        );
        let one = AllowedHost::parse("[::1]:9000").unwrap();
        assert!(
            one.matches("[::1]", 9000) && one.matches("::1", 9000) && !one.matches("::1", 9001)
        );
        assert_eq!(one.show(), "[::1]:9000");
        for wrong in ["http://localhost", "localhost:x", "a b", "", "localhost/x"] {
            assert!(AllowedHost::parse(wrong).is_err(), "{wrong}");
        }
    }
}
