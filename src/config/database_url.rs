//! Which database, by URL, without ever showing its password.

use std::fmt;
use std::path::PathBuf;

use url::Url;
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

    /// Whether it is the embedded database.
    pub fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => match Url::parse(url) {
                // Parameters may hold a password or a key's path; host and database say enough.
                Ok(mut shown) => {
                    shown.set_query(None);
                    let user = if shown.username().is_empty() {
                        String::new()
                    } else {
                        format!("{}@", shown.username())
                    };
                    let host = shown.host_str().unwrap_or_default();
                    let port = shown
                        .port()
                        .map(|port| format!(":{port}"))
                        .unwrap_or_default();
                    write!(f, "postgres://{user}{host}{port}{}", shown.path())
                }
                Err(_) => f.write_str("postgres://…"),
            },
        }
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
            return match Url::parse(text) {
                Ok(_) => Ok(Self::Postgres(Zeroizing::new(text.to_owned()))),
                Err(error) => Err(format!(
                    "isn't a valid PostgreSQL URL ({error}); write postgres://USER:PASSWORD@HOST:5432/DATABASE, with special characters of the password percent-encoded"
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
