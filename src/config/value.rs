//! The types that settings have: how each is written, read and shown.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use super::public_url::PublicUrl;
use super::suggest::nearest;
use super::trusted_proxies::{ForwardedHeader, Network, TrustedProxies};
use crate::protocol::mutual_tls::CertificateFormat;
use crate::secret::PlainSecret;

/// How a value may be written in the TOML file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toml {
    /// `"text"`
    String,
    /// `4`
    Integer,
    /// `["one", "two"]`
    Array,
}

/// A type that a setting can have. Every source hands over text (a TOML array as its elements joined by commas).
pub trait Value: Sized {
    /// What to write, in few words, for the reference page.
    fn kind() -> String;

    /// How TOML writes it.
    fn toml() -> Toml {
        Toml::String
    }

    /// Reads it; the error says what to write instead.
    fn parse(text: &str) -> Result<Self, String>;

    /// As it may be shown to an operator: never a password or key.
    fn show(&self) -> String;
}

/// Text in which the absence of an optional value is written.
const OFF: &str = "off";

impl<T: Value> Value for Option<T> {
    fn kind() -> String {
        format!("{}, or `off`", T::kind())
    }

    fn toml() -> Toml {
        T::toml()
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text == OFF {
            Ok(None)
        } else {
            T::parse(text).map(Some)
        }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| OFF.to_owned(), Value::show)
    }
}

impl<T: Value> Value for Vec<T> {
    fn kind() -> String {
        format!("list of {}", T::kind())
    }

    fn toml() -> Toml {
        Toml::Array
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(T::parse)
            .collect()
    }

    fn show(&self) -> String {
        self.iter().map(Value::show).collect::<Vec<_>>().join(", ")
    }
}

impl Value for SocketAddr {
    fn kind() -> String {
        "address and port".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("`{text}` isn't an address with a port; write 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080"))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for PublicUrl {
    fn kind() -> String {
        "URL template".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| format!("`{text}` {error}"))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for PathBuf {
    fn kind() -> String {
        "path".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.contains('\0') {
            Err("a path can't hold a NUL character".to_owned())
        } else {
            Ok(Self::from(text))
        }
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Value for NonZeroUsize {
    fn kind() -> String {
        "number".to_owned()
    }

    fn toml() -> Toml {
        Toml::Integer
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| format!("`{text}` isn't a whole number of at least 1"))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for NonZeroU32 {
    fn kind() -> String {
        NonZeroUsize::kind()
    }

    fn toml() -> Toml {
        Toml::Integer
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| format!("`{text}` isn't a whole number between 1 and {}", u32::MAX))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// Splits `30s` into 30 and `s`.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    Some((text[..at].parse().ok()?, text[at..].trim()))
}

impl Value for Duration {
    fn kind() -> String {
        "duration (`500ms`, `30s`, `5m`, `24h`, `90d`)".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` isn't a duration; write a number with ms, s, m, h or d, like 30s or 90d"
            )
        };
        let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60 * 1000,
            "h" => 60 * 60 * 1000,
            "d" => 24 * 60 * 60 * 1000,
            _ => return Err(wrong()),
        };
        let duration = number
            .checked_mul(milliseconds)
            .map(Self::from_millis)
            .ok_or_else(wrong)?;
        if duration.is_zero() {
            return Err(format!("`{text}` must be longer than nothing"));
        }
        // A century is more than anything here can mean, and keeps every sum with a timestamp in range.
        if duration > Self::from_hours(100 * 366 * 24) {
            return Err(format!("`{text}` is longer than a century"));
        }
        Ok(duration)
    }

    fn show(&self) -> String {
        const UNITS: [(u128, &str); 4] = [
            (24 * 60 * 60 * 1000, "d"),
            (60 * 60 * 1000, "h"),
            (60 * 1000, "m"),
            (1000, "s"),
        ];
        let milliseconds = self.as_millis();
        let unit = UNITS
            .iter()
            .find(|(length, _)| milliseconds.is_multiple_of(*length));
        unit.map_or_else(
            || format!("{milliseconds}ms"),
            |(length, name)| format!("{}{name}", milliseconds / length),
        )
    }
}

/// A number of bytes, written with KiB, MiB or GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// In bytes, for comparing with lengths in memory.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// In KiB, rounded down.
    pub fn kibibytes(self) -> u64 {
        self.0 / 1024
    }
}

impl Value for ByteSize {
    fn kind() -> String {
        "size (`64 KiB`, `19 MiB`)".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` isn't a size; write a number with B, KiB, MiB or GiB, like 64 KiB")
        };
        let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
        let factor = match unit.to_ascii_lowercase().as_str() {
            "b" => 1,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            _ => return Err(wrong()),
        };
        number
            .checked_mul(factor)
            .filter(|bytes| *bytes > 0)
            .map(Self)
            .ok_or_else(wrong)
    }

    fn show(&self) -> String {
        const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        let unit = UNITS.iter().find(|(size, _)| self.0.is_multiple_of(*size));
        unit.map_or_else(
            || format!("{} B", self.0),
            |(size, name)| format!("{} {name}", self.0 / size),
        )
    }
}

impl Value for PlainSecret {
    fn kind() -> String {
        "key, as `tessera master-key create --print` prints it".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::new(text.trim().to_owned()))
    }

    fn show(&self) -> String {
        "(set)".to_owned()
    }
}

impl Value for Network {
    fn kind() -> String {
        "address range (`10.0.0.0/8`)".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for TrustedProxies {
    fn kind() -> String {
        Vec::<Network>::kind()
    }

    fn toml() -> Toml {
        Toml::Array
    }

    fn parse(text: &str) -> Result<Self, String> {
        Vec::parse(text).map(Self::new)
    }

    fn show(&self) -> String {
        self.networks()
            .iter()
            .map(Value::show)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// Gives a fieldless enum its words.
macro_rules! words {
    ($type:ty { $($word:literal => $variant:ident),+ $(,)? }) => {
        impl Value for $type {
            fn kind() -> String {
                [$(concat!("`", $word, "`")),+].join(" or ")
            }

            fn parse(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("`{text}` isn't known here; write {}", Self::kind())),
                }
            }

            fn show(&self) -> String {
                match self { $(Self::$variant => $word,)+ }.to_owned()
            }
        }
    };
}

words!(ForwardedHeader { "x-forwarded-for" => XForwardedFor, "forwarded" => Forwarded });

words!(CertificateFormat { "escaped-pem" => EscapedPem, "rfc9440" => ByteSequence });

/// The name of a header field, in small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderName(String);

impl HeaderName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for HeaderName {
    fn kind() -> String {
        "name of a header".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        // RFC 9110 §5.6.2, as far as anybody names a header so.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if (1..=100).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(format!(
                "`{text}` isn't the name of a header; write X-SSL-Client-Cert or Client-Cert"
            ))
        }
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For eyes.
    Human,
    /// One JSON object a line.
    Json,
}

words!(LogFormat { "human" => Human, "json" => Json });

/// Which log lines are written, in `tracing`'s directive syntax. Known to be well-formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// The directives.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

fn is_level(word: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))
        || matches!(word.as_bytes(), [b'0'..=b'5'])
}

impl Value for LogFilter {
    fn kind() -> String {
        "level (`error` to `trace`), or directives (`info,tessera=debug`)".to_owned()
    }

    fn parse(text: &str) -> Result<Self, String> {
        // A word alone that isn't a level would be the name of a target, and everything else be silenced.
        let bare = |part: &&str| !part.is_empty() && !part.contains('=') && !is_level(part);
        if let Some(word) = text.split(',').map(str::trim).find(bare) {
            let known = LEVELS.iter().copied();
            let hint = match nearest(&word.to_ascii_lowercase(), known) {
                Some(level) => format!("did you mean `{level}`?"),
                None => format!(
                    "write one of {}, or with a target before it, `info,{word}=debug`",
                    LEVELS.join(", ")
                ),
            };
            return Err(format!("`{word}` isn't a level; {hint}"));
        }
        match text.parse::<tracing_subscriber::filter::Targets>() {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(format!(
                "`{text}` isn't a log filter ({error}); write a level, or `info,tessera::http=debug`"
            )),
        }
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_silences_nothing() {
        for good in [
            "info",
            "WARN",
            "off",
            "3",
            "info,tessera=debug",
            "warn, tessera::access=info",
            "tessera=debug",
        ] {
            assert!(LogFilter::parse(good).is_ok(), "{good}");
        }
        let hint = LogFilter::parse("wran").unwrap_err();
        assert!(hint.contains("did you mean `warn`?"), "{hint}");
        let hint = LogFilter::parse("info,tessera::http").unwrap_err();
        assert!(hint.contains("`info,tessera::http=debug`"), "{hint}");
        for wrong in ["tessera", "6", "info,warning", "info;warn", "tessera=wran"] {
            assert!(LogFilter::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_and_sizes_are_read_and_shown() {
        assert_eq!(Duration::parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(Duration::parse("90 d").unwrap().show(), "90d");
        assert_eq!(Duration::from_secs(90).show(), "90s");
        for wrong in [
            "",
            "30",
            "s",
            "-1s",
            "1y",
            "0s",
            "99999999999999999999s",
            "99999999999d",
            "40000d",
        ] {
            assert!(Duration::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(ByteSize::parse("19 MiB").unwrap().kibibytes(), 19 * 1024);
        assert_eq!(ByteSize::parse("64kib").unwrap().show(), "64 KiB");
        for wrong in ["", "64", "64 KB", "0 B", "99999999999999 GiB"] {
            assert!(ByteSize::parse(wrong).is_err(), "{wrong}");
        }
    }
}
