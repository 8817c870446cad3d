//! Where settings come from: defaults, under a TOML file, under the environment, under flags.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, ConfigErrors, Origin};
use super::settings::{Config, Given, Reach, SETTINGS, Setting};
use super::suggest::nearest;
use super::value::Toml;

const PREFIX: &str = "TESSERA_";
/// Names the file, like `--config`.
const FILE_VARIABLE: &str = "TESSERA_CONFIG";
/// Variables that belong to the tests, not to the server.
const FOREIGN: &[&str] = &["TESSERA_BIN", "TESSERA_QUICKSTART", "TESSERA_ARGS"];
const FOREIGN_PREFIX: &str = "TESSERA_TEST_";

/// The settings that every command takes as flags. Text, so that all sources are read and refused alike.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// Settings in a TOML file [environment: `TESSERA_CONFIG`]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
    /// Address and port to listen on
    #[arg(
        long,
        global = true,
        value_name = "ADDRESS:PORT",
        help_heading = "Settings"
    )]
    pub listen: Option<String>,
    /// Where tenants live; holds {tenant} once
    #[arg(
        long,
        global = true,
        value_name = "TEMPLATE",
        help_heading = "Settings"
    )]
    pub public_url: Option<String>,
    /// sqlite:PATH or postgres://…
    #[arg(long, global = true, value_name = "URL", help_heading = "Settings")]
    pub database_url: Option<String>,
    /// Directory for the embedded database and the master key
    #[arg(
        long,
        global = true,
        value_name = "DIRECTORY",
        help_heading = "Settings"
    )]
    pub data_dir: Option<String>,
}

impl Flags {
    fn given(self) -> [(&'static str, Option<String>); 4] {
        [
            ("listen", self.listen),
            ("public_url", self.public_url),
            ("database_url", self.database_url),
            ("data_dir", self.data_dir),
        ]
    }
}

/// Everything that settings are read from, already in memory.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file's path (for messages) and text.
    pub file: Option<(PathBuf, String)>,
    /// The environment; variables that don't begin with `TESSERA_` are ignored.
    pub environment: Vec<(OsString, OsString)>,
    /// The command line.
    pub flags: Flags,
}

impl Config {
    /// Reads the settings of this process: its environment, and the file that `--config` or `TESSERA_CONFIG` names.
    pub fn load(flags: Flags) -> Result<Self, ConfigErrors> {
        let environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        let from_environment = || {
            environment
                .iter()
                .find(|(name, value)| name == FILE_VARIABLE && !value.is_empty())
                .map(|(_, value)| PathBuf::from(value))
        };
        let file = flags
            .config
            .clone()
            .or_else(from_environment)
            .map(read_file)
            .transpose()
            .map_err(|error| ConfigErrors(vec![error]))?;
        Self::read(Sources {
            file,
            environment,
            flags,
        })
    }

    /// Reads settings from what is in memory; touches neither process nor disk.
    pub fn read(sources: Sources) -> Result<Self, ConfigErrors> {
        let (mut given, mut errors) = (Given::new(), Vec::new());
        if let Some((path, text)) = &sources.file {
            read_toml(path, text, &mut given, &mut errors);
        }
        read_environment(&sources.environment, &mut given, &mut errors);
        for (key, value) in sources.flags.given() {
            if let (Some(value), Some(setting)) = (value, find(key)) {
                let origin = Origin::Flag(setting.flag().unwrap_or_default());
                given.insert(setting.key, (value, origin));
            }
        }
        Self::from_given(&given, errors)
    }

    /// The settings of a TOML text alone, for tests and for `quickstart`.
    pub fn from_toml(text: &str) -> Result<Self, ConfigErrors> {
        Self::read(Sources {
            file: Some((PathBuf::from("config.toml"), text.to_owned())),
            ..Sources::default()
        })
    }
}

fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

fn read_file(path: PathBuf) -> Result<(PathBuf, String), ConfigError> {
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path, text)),
        Err(error) => Err(ConfigError {
            setting: None,
            problem: format!("can't read the configuration file: {error}"),
            origin: Origin::File { path, line: None },
        }),
    }
}

fn read_toml(path: &Path, text: &str, given: &mut Given, errors: &mut Vec<ConfigError>) {
    let at = |offset: usize| Origin::File {
        path: path.to_owned(),
        line: Some(
            1 + text
                .bytes()
                .take(offset)
                .filter(|byte| *byte == b'\n')
                .count(),
        ),
    };
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(error) => {
            let origin = error.span().map_or_else(
                || Origin::File {
                    path: path.to_owned(),
                    line: None,
                },
                |span| at(span.start),
            );
            errors.push(ConfigError {
                setting: None,
                origin,
                problem: format!("isn't valid TOML: {}", error.message()),
            });
            return;
        }
    };
    for (key, value) in table {
        let origin = at(key.span().start);
        let name: &str = key.get_ref();
        let Some(setting) = find(name) else {
            let known = SETTINGS
                .iter()
                .filter(|setting| setting.reach != Reach::EnvironmentOnly)
                .map(|setting| setting.key);
            errors.push(unknown(name, nearest(name, known), origin));
            continue;
        };
        if setting.reach == Reach::EnvironmentOnly {
            let problem = format!(
                "is a secret and has no place in a file of settings: use the variable {}, or `master_key_file`",
                setting.variable()
            );
            errors.push(ConfigError {
                setting: Some(name.to_owned()),
                origin,
                problem,
            });
            continue;
        }
        match plain_text(setting, value.get_ref()) {
            Ok(text) => {
                given.insert(setting.key, (text, origin));
            }
            Err(problem) => errors.push(ConfigError {
                setting: Some(name.to_owned()),
                origin,
                problem,
            }),
        }
    }
}

/// The text of a TOML value, provided that it is written as the setting wants it.
fn plain_text(setting: &Setting, value: &DeValue<'_>) -> Result<String, String> {
    let wanted = |form: &str| format!("must be {form}, not {}", article(value.type_str()));
    match ((setting.toml)(), value) {
        (Toml::String, DeValue::String(text)) => not_empty(text),
        (Toml::String, _) => Err(wanted("a text in quotes")),
        (Toml::Integer, DeValue::Integer(number)) => {
            i64::from_str_radix(number.as_str(), number.radix())
                .map(|number| number.to_string())
                .map_err(|_| "is too large a number".to_owned())
        }
        (Toml::Integer, _) => Err(wanted("a number without quotes")),
        (Toml::Array, DeValue::Array(items)) => {
            let texts = items.iter().map(|item| match item.get_ref() {
                DeValue::String(text) if text.contains(',') => {
                    Err(format!("`{text}` must not hold a comma"))
                }
                DeValue::String(text) => not_empty(text),
                other => Err(format!(
                    "must be a list of texts in quotes, but holds {}",
                    article(other.type_str())
                )),
            });
            texts
                .collect::<Result<Vec<_>, _>>()
                .map(|texts| texts.join(","))
        }
        (Toml::Array, _) => Err(wanted("a list of texts, like [\"one\", \"two\"]")),
    }
}

fn not_empty(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("must not be empty; leave the line out for the default".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

fn article(type_name: &str) -> String {
    if type_name.starts_with(['a', 'i', 'o']) {
        format!("an {type_name}")
    } else {
        format!("a {type_name}")
    }
}

fn read_environment(
    environment: &[(OsString, OsString)],
    given: &mut Given,
    errors: &mut Vec<ConfigError>,
) {
    for (name, value) in environment {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        if name == FILE_VARIABLE || FOREIGN.contains(&name) || name.starts_with(FOREIGN_PREFIX) {
            continue;
        }
        let origin = Origin::Environment(name.to_owned());
        let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == name) else {
            let key = name[PREFIX.len()..].to_ascii_lowercase();
            let suggestion = nearest(&key, SETTINGS.iter().map(|setting| setting.key))
                .and_then(find)
                .map(Setting::variable);
            errors.push(unknown(name, suggestion.as_deref(), origin));
            continue;
        };
        match value.to_str() {
            // An empty variable is how composition files and unit files write "not set".
            Some("") => {}
            Some(text) => {
                given.insert(setting.key, (text.to_owned(), origin));
            }
            None => errors.push(ConfigError {
                setting: Some(setting.key.to_owned()),
                origin,
                problem: "isn't valid UTF-8".to_owned(),
            }),
        }
    }
}

fn unknown(name: &str, suggestion: Option<&str>, origin: Origin) -> ConfigError {
    let hint = suggestion.map_or_else(
        || "the configuration reference lists them all".to_owned(),
        |known| format!("did you mean `{known}`?"),
    );
    ConfigError {
        setting: Some(name.to_owned()),
        origin,
        problem: format!("there is no such setting; {hint}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DatabaseUrl, LogFormat, Mode};
    use std::time::Duration;

    fn sources(file: &str, environment: &[(&str, &str)]) -> Sources {
        Sources {
            file: Some((PathBuf::from("t.toml"), file.to_owned())),
            environment: environment
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            flags: Flags::default(),
        }
    }

    #[track_caller]
    fn refused(file: &str, environment: &[(&str, &str)]) -> String {
        Config::read(sources(file, environment))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn nothing_written_gives_the_documented_defaults() {
        let config = Config::read(Sources::default()).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(
            config.public_url.to_string(),
            "http://localhost:8080/t/{tenant}"
        );
        assert_eq!(
            config.database_url,
            DatabaseUrl::Sqlite("tessera-data/tessera.db".into())
        );
        assert_eq!(
            config.master_key_file,
            PathBuf::from("tessera-data/master.key")
        );
        assert_eq!(config.argon2_memory.kibibytes(), 19 * 1024);
        assert!(
            config.metrics_listen.is_none()
                && config.master_key.is_none()
                && config.egress_allow.is_empty()
        );
        assert!(config.warnings().is_empty());
    }

    #[test]
    fn each_source_goes_over_the_one_before() {
        let mut sources = sources(
            "listen = '127.0.0.1:1'\ndata_dir = '/file'\nlog_format = 'json'\ntrusted_proxies = ['10.0.0.0/8', '192.0.2.1']\nworkers = 1_0\n",
            &[
                ("TESSERA_LISTEN", "127.0.0.1:2"),
                ("TESSERA_DATA_DIR", "/environment"),
                ("TESSERA_EGRESS_ALLOW", "localhost, [::1]:9000"),
                ("HOME", "/root"),
            ],
        );
        sources.flags.listen = Some("127.0.0.1:3".to_owned());
        let config = Config::read(sources).unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!(config.public_url.root(), "http://localhost:3");
        assert_eq!(
            config.database_url.to_string(),
            "sqlite:/environment/tessera.db"
        );
        assert_eq!(config.log_format, LogFormat::Json);
        assert_eq!(config.trusted_proxies.networks().len(), 2);
        assert_eq!(config.workers.get(), 10);
        assert_eq!(config.egress_allow.len(), 2);
        assert_eq!(config.origin("listen"), Origin::Flag("--listen".to_owned()));
        assert_eq!(
            config.origin("log_format"),
            Origin::File {
                path: "t.toml".into(),
                line: Some(3)
            }
        );
        assert_eq!(
            config.origin("data_dir"),
            Origin::Environment("TESSERA_DATA_DIR".to_owned())
        );
        assert_eq!(
            config.origin("workers"),
            Origin::File {
                path: "t.toml".into(),
                line: Some(5)
            }
        );
        assert_eq!(config.origin("keep_alive"), Origin::Default);
    }

    #[test]
    fn unknown_keys_are_refused_with_the_nearest_known_one() {
        assert_eq!(
            refused("\nlisen = '127.0.0.1:1'", &[]),
            "`lisen`: there is no such setting; did you mean `listen`? (t.toml:2)"
        );
        assert_eq!(
            refused("", &[("TESSERA_DATABASE_URI", "x")]),
            "`TESSERA_DATABASE_URI`: there is no such setting; did you mean `TESSERA_DATABASE_URL`? (environment variable TESSERA_DATABASE_URI)"
        );
        assert_eq!(
            refused("[server]\nport = 1", &[]),
            "`server`: there is no such setting; the configuration reference lists them all (t.toml:1)"
        );
    }

    #[test]
    fn variables_of_the_tests_are_nobody_s_business() {
        let environment = [
            ("TESSERA_TEST_ANYTHING", "x"),
            ("TESSERA_BIN", "x"),
            ("TESSERA_QUICKSTART", "x"),
            ("TESSERA_ARGS", "x"),
            ("TESSERA_LISTEN", ""),
        ];
        assert!(Config::read(sources("", &environment)).is_ok());
    }

    #[test]
    fn wrong_values_say_where_they_stand_and_what_to_write() {
        assert_eq!(
            refused("workers = 0", &[]),
            "`workers`: `0` isn't a whole number of at least 1 (t.toml:1)"
        );
        assert_eq!(
            refused("workers = '4'", &[]),
            "`workers`: must be a number without quotes, not a string (t.toml:1)"
        );
        assert_eq!(
            refused("trusted_proxies = '10.0.0.0/8'", &[]),
            "`trusted_proxies`: must be a list of texts, like [\"one\", \"two\"], not a string (t.toml:1)"
        );
        assert_eq!(
            refused("listen = ''", &[]),
            "`listen`: must not be empty; leave the line out for the default (t.toml:1)"
        );
        assert!(refused("listen = 'x'\nlisten = 'y'", &[]).contains("isn't valid TOML"));
        assert!(refused("master_key = 'x'", &[]).contains("TESSERA_MASTER_KEY"));
        assert!(refused("log_filter = 'info,tessera=loud'", &[]).contains("isn't a log filter"));
        let everything = refused(
            "workers = -1\nlog_format = 'xml'",
            &[("TESSERA_PUBLIC_URL", "http://x/{tenant}/")],
        );
        assert_eq!(everything.lines().count(), 3, "{everything}");
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        assert!(
            refused("jwks_max_age = '24h'", &[])
                .contains("isn't shorter than `key_publish_ahead` (1d)")
        );
        assert!(refused("key_rotation_age = '1d'", &[]).contains("`key_publish_ahead`"));
        for pause in ["999ms", "61m"] {
            let given = format!("client_jwks_refetch_after = '{pause}'");
            assert!(
                refused(&given, &[]).contains("isn't between 1s and 1h"),
                "{pause}"
            );
        }
        assert_eq!(
            refused("tls_listen = '127.0.0.1:8443'", &[])
                .lines()
                .count(),
            2
        );
        assert!(refused("metrics_listen = '127.0.0.1:8080'", &[]).contains("metrics_listen"));
    }

    #[test]
    fn costs_that_no_password_is_hashed_by_are_refused() {
        for (given, setting) in [
            ("argon2_memory = '257 MiB'", "argon2_memory"),
            ("argon2_memory = '4 GiB'", "argon2_memory"),
            (
                "argon2_memory = '256 MiB'\nargon2_passes = 5",
                "argon2_passes",
            ),
            ("argon2_passes = 4294967295", "argon2_passes"),
            ("argon2_lanes = 17", "argon2_lanes"),
            ("argon2_memory = '8 KiB'\nargon2_lanes = 2", "argon2_lanes"),
        ] {
            let problem = refused(given, &[]);
            assert!(problem.starts_with(&format!("`{setting}`: ")), "{problem}");
            assert_eq!(problem.lines().count(), 1, "{problem}");
        }
        for most in [
            "argon2_memory = '256 MiB'\nargon2_passes = 4\nargon2_lanes = 16",
            "argon2_memory = '8 KiB'\nargon2_passes = 131072",
        ] {
            assert!(Config::from_toml(most).is_ok(), "{most}");
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        let config = Config::read(sources(
            "database_url = 'postgres://u:hunter2@h/d'",
            &[("TESSERA_MASTER_KEY", "hunter2")],
        ))
        .unwrap();
        assert_eq!(
            config
                .master_key
                .as_ref()
                .map(|key| key.expose().to_owned())
                .as_deref(),
            Some("hunter2")
        );
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(
            config
                .explain()
                .iter()
                .all(|(_, shown, _)| !shown.contains("hunter2"))
        );
    }

    #[test]
    fn a_subdomain_template_is_taken_from_a_file() {
        let config = Config::from_toml(
            "public_url = 'https://{tenant}.id.example.com'\ndatabase_timeout = '750ms'",
        )
        .unwrap();
        assert_eq!(config.public_url.mode(), Mode::Subdomain);
        assert_eq!(config.database_timeout, Duration::from_millis(750));
    }

    #[test]
    fn what_is_allowed_but_unwise_is_warned_of() {
        let config = Config::from_toml("public_url = 'http://{tenant}.id.example.com'\nargon2_memory = '1 MiB'\negress_allow = ['localhost']").unwrap();
        assert_eq!(config.warnings().len(), 3);
    }
}
