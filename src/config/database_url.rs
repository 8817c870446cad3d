//! Which database, by URL, without ever showing its password.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::value::Value;

/// Which database, and where.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// The embedded one: a file that is made when it is missing.
    Sqlite(PathBuf),
    /// PostgreSQL, as libpq takes the URL. Holds a password perhaps, so it never shows itself whole.
    Postgres(Zeroizing<String>),
}

impl DatabaseUrl {
    /// The URL as the driver wants it: SQLite's path, PostgreSQL's whole URL with its password.
    pub fn connect_string(&self) -> Zeroizing<String> {
        match self {
            Self::Sqlite(path) => Zeroizing::new(path.display().to_string()),
            Self::Postgres(url) => url.clone(),
        }
    }

    /// Whether a password stands in it.
    pub fn holds_password(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(url) => Parts::of(url).is_ok_and(|parts| {
                parts.password.is_some_and(|password| !password.is_empty())
                    || ["password", "sslpassword"]
                        .iter()
                        .any(|name| parts.parameter(name).is_some())
            }),
        }
    }

    /// Whether it is the embedded database.
    pub fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => match Parts::of(url) {
                // Parameters may hold a password or a key's path; host and database say enough.
                Ok(parts) => {
                    f.write_str("postgres://")?;
                    if !parts.user.is_empty() {
                        write!(f, "{}@", parts.user)?;
                    }
                    let hosts = match parts.hosts {
                        "" => parts.parameter("host").unwrap_or_default(),
                        hosts => hosts,
                    };
                    write!(f, "{hosts}{}", parts.path)
                }
                Err(_) => f.write_str("postgres://…"),
            },
        }
    }
}

/// A PostgreSQL URL, taken apart where libpq does it, which isn't everywhere where browsers do: it ends the password at the first `@`, and
/// takes several hosts. What it can't take apart it repeats in its errors, and with it a part of the password; so all of that is refused here,
/// by messages that repeat nothing.
struct Parts<'a> {
    user: &'a str,
    password: Option<&'a str>,
    /// `HOST:PORT,HOST:PORT`
    hosts: &'a str,
    /// With its slash.
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Result<Self, &'static str> {
        let rest = url
            .strip_prefix("postgres://")
            .or_else(|| url.strip_prefix("postgresql://"))
            .ok_or("doesn't begin with postgres://")?;
        if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err("holds white space: write a space as %20");
        }
        check_escapes(rest)?;
        let head = rest.find('/').map_or(rest, |at| &rest[..at]);
        let (credentials, rest) = match head.find('@') {
            Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
            None => (None, rest),
        };
        // Whoever adds a parameter looks for the first one.
        if credentials.is_some_and(|text| text.contains('?')) {
            return Err(
                "has a ? before the @ that ends the password: write ? as %3F within it, and @ as %40 behind it",
            );
        }
        let (user, password) = match credentials.map(|text| text.split_once(':')) {
            Some(Some((user, password))) => (user, Some(password)),
            Some(None) => (credentials.unwrap_or_default(), None),
            None => ("", None),
        };
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        if address.contains('@') {
            return Err(
                "has an @ that doesn't end the password: write @ as %40 within it, and / as %2F",
            );
        }
        let at = address.find('/').unwrap_or(address.len());
        let (hosts, path) = address.split_at(at);
        for host in hosts.split(',') {
            check_host(host)?;
        }
        let parts = Self {
            user,
            password,
            hosts,
            path,
            query,
        };
        parts.check_query()?;
        Ok(parts)
    }

    fn check_query(&self) -> Result<(), &'static str> {
        let sound = |pair: &str| {
            pair.split_once('=').is_some_and(|(name, value)| {
                let known = |c: char| c.is_ascii_alphanumeric() || c == '_';
                !name.is_empty() && name.chars().all(known) && !value.contains('=')
            })
        };
        if self.query.is_empty() || self.query.split('&').all(sound) {
            Ok(())
        } else {
            Err(
                "has parameters that can't be read: write ?NAME=VALUE&NAME=VALUE, and what isn't a letter or a digit with %",
            )
        }
    }

    fn parameter(&self, wanted: &str) -> Option<&'a str> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(name, value)| *name == wanted && !value.is_empty())?;
        Some(value)
    }
}

/// `%` begins two hexadecimal digits, and no NUL.
fn check_escapes(text: &str) -> Result<(), &'static str> {
    for (at, _) in text.match_indices('%') {
        let digits = text.as_bytes().get(at + 1..at + 3);
        let sound = digits.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit) && two != b"00");
        if !sound {
            return Err("has a % that begins no escape: write % itself as %25");
        }
    }
    Ok(())
}

/// `HOST`, `HOST:PORT`, `[::1]:PORT`; nothing where a parameter or the socket's default says it.
fn check_host(host: &str) -> Result<(), &'static str> {
    const WRONG: &str = "has a host or a port that can't be read: write HOST:PORT, several with commas, and :, / and @ of a password as %3A, %2F and %40";
    let port = if let Some(rest) = host.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or(WRONG)?;
        if address.parse::<std::net::Ipv6Addr>().is_err() && !address.contains('%') {
            return Err(WRONG);
        }
        match rest.strip_prefix(':') {
            Some(port) => Some(port),
            None if rest.is_empty() => None,
            None => return Err(WRONG),
        }
    } else {
        host.split_once(':').map(|(_, port)| port)
    };
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    match port {
        None | Some("") => Ok(()),
        Some(port) if digits(port) && port.parse::<u16>().is_ok_and(|port| port > 0) => Ok(()),
        Some(_) => Err(WRONG),
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

impl Value for DatabaseUrl {
    fn kind() -> String {
        "`sqlite:PATH` or `postgres://…`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        // The text is never part of the message: it may hold a password.
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.starts_with(":memory:") || path.contains(['?', '\0']) {
                return Err("must name a file, without parameters: write sqlite:PATH, like sqlite:/var/lib/tessera/tessera.db".to_owned());
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return match Parts::of(text) {
                Ok(_) => Ok(Self::Postgres(Zeroizing::new(text.to_owned()))),
                Err(problem) => Err(format!(
                    "{problem}. The whole is postgres://USER:PASSWORD@HOST:5432/DATABASE"
                )),
            };
        }
        Err("must begin with sqlite: or postgres://, like sqlite:/var/lib/tessera/tessera.db or postgres://USER:PASSWORD@HOST/DATABASE".to_owned())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_urls_never_show_a_password() {
        let url = <DatabaseUrl as Value>::parse(
            "postgres://tessera:hunter2@db.example:5433/tessera?sslpassword=hunter3",
        )
        .unwrap();
        assert_eq!(url.show(), "postgres://tessera@db.example:5433/tessera");
        assert!(!format!("{url:?}").contains("hunter"));
        let error = <DatabaseUrl as Value>::parse("mysql://tessera:hunter2@db").unwrap_err();
        assert!(!error.contains("hunter2"));
        let error =
            <DatabaseUrl as Value>::parse("postgres://tessera:hunter2@db:99999/x").unwrap_err();
        assert!(!error.contains("hunter2"));
    }

    #[test]
    fn what_libpq_would_take_apart_otherwise_is_refused_without_a_word_of_it() {
        for wrong in [
            "postgres://tessera:se@hunter2@127.0.0.1:1/x",
            "postgres://tessera:hunter2/x@127.0.0.1/x",
            "postgres://tessera:12/hunter2@127.0.0.1/x",
            "postgres://tessera:hunter2@h?hunter3@127.0.0.1/x",
            "postgres://tessera:hunter2?x@hunter3@127.0.0.1/x",
            "postgres://tessera:hunter2?x@127.0.0.1/x",
            "postgres://hunter2?x:hunter3@127.0.0.1/x",
            "postgres://127.0.0.1?user=tessera@hunter2",
            "postgres://tessera:50%hunter2@127.0.0.1/x",
            "postgres://tessera:hunter2%@127.0.0.1/x",
            "postgres://tessera:hunter2%00@127.0.0.1/x",
            "postgres://tessera:hunter 2@127.0.0.1/x",
            "postgres://tessera:hunter2@[::1/x",
            "postgres://tessera:hunter2@[hunter3]/x",
            "postgres://tessera:hunter2@h:0/x",
            "postgres://tessera:hunter2@h:+1/x",
            "postgres://tessera:hunter2@h1:5432,h2:hunter3/x",
            "postgres://tessera:hunter2@h/x?hunter3",
            "postgres://tessera:hunter2@h/x?a=hunter3=b",
        ] {
            let error = <DatabaseUrl as Value>::parse(wrong).unwrap_err();
            assert!(!error.contains("hunter"), "{wrong}: {error}");
            assert!(error.contains("write "), "{wrong}: {error}");
        }
    }

    #[test]
    fn several_hosts_sockets_and_parameters_are_libpqs_to_read() {
        for (text, shown) in [
            (
                "postgres://u:p@h1:5432,h2:5433/db?target_session_attrs=read-write",
                "postgres://u@h1:5432,h2:5433/db",
            ),
            (
                "postgres://u:p@h1,[::1]:5432/db",
                "postgres://u@h1,[::1]:5432/db",
            ),
            (
                "postgres://u:p@/db?host=h1,h2&port=1",
                "postgres://u@h1,h2/db",
            ),
            (
                "postgresql:///db?host=/run/postgresql",
                "postgres:///run/postgresql/db",
            ),
            (
                "postgres://u@%2Frun%2Fpostgresql/db",
                "postgres://u@%2Frun%2Fpostgresql/db",
            ),
            (
                "postgres://u:p%40%2F%25@h/db?sslmode=verify-full",
                "postgres://u@h/db",
            ),
            ("postgres://u:p%3F#!$&*=+;~@h/db", "postgres://u@h/db"),
            ("postgres://h", "postgres://h"),
            ("postgres://", "postgres://"),
        ] {
            let url = <DatabaseUrl as Value>::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(url.show(), shown);
            assert_eq!(*url.connect_string(), text, "libpq gets what was written");
        }
        let holds = |text| {
            <DatabaseUrl as Value>::parse(text)
                .unwrap()
                .holds_password()
        };
        assert!(holds("postgres://u:p@h/db") && holds("postgres://u@h/db?password=p"));
        assert!(!holds("postgres://u@h/db?passfile=p") && !holds("sqlite:x"));
    }

    #[test]
    fn sqlite_names_a_file() {
        assert_eq!(
            <DatabaseUrl as Value>::parse("sqlite:a/b.db"),
            Ok(DatabaseUrl::Sqlite("a/b.db".into()))
        );
        assert_eq!(
            <DatabaseUrl as Value>::parse("sqlite:///a/b.db"),
            Ok(DatabaseUrl::Sqlite("/a/b.db".into()))
        );
        for wrong in [
            "sqlite:",
            "sqlite::memory:",
            "sqlite:a.db?mode=ro",
            "a.db",
            "",
        ] {
            assert!(<DatabaseUrl as Value>::parse(wrong).is_err(), "{wrong}");
        }
    }
}
