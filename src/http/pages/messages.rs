//! The words on the pages. A language is one Fluent file in `messages/`, and one for the console; a new one needs a line in [`FILES`].
//!
//! Names that people chose are wrapped in Unicode's directional isolates where they hold right-to-left letters, and left alone elsewhere:
//! text that is copied or searched for stays what it seems to be.

use std::{borrow::Cow, fmt, sync::LazyLock};

use chrono::{Datelike, TimeDelta};
use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

use crate::clock::Timestamp;

/// Tag and content of every language; the first one is spoken where nobody asks for another.
const FILES: [(&str, &str); 2] = [
    (
        "en",
        concat!(
            include_str!("messages/en.ftl"),
            "\n",
            include_str!("../console/messages/en.ftl")
        ),
    ),
    (
        "de",
        concat!(
            include_str!("messages/de.ftl"),
            "\n",
            include_str!("../console/messages/de.ftl")
        ),
    ),
];

/// How many tags of a list are looked at: anyone's list is shorter, and an attacker's costs no more.
const MAX_TAGS: usize = 16;

struct Language {
    tag: &'static str,
    bundle: FluentBundle<FluentResource>,
}

static LANGUAGES: LazyLock<Vec<Language>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|&(tag, source)| {
            // A test holds that the files parse whole; what can't be parsed would be left out here.
            let resource =
                FluentResource::try_new(source.to_owned()).unwrap_or_else(|(resource, _)| resource);
            let mut bundle = FluentBundle::new_concurrent(vec![tag.parse().unwrap_or_default()]);
            bundle.set_use_isolating(false);
            bundle.add_resource_overriding(resource);
            Language { tag, bundle }
        })
        .collect()
});

/// The words of one language. Free to copy.
#[derive(Clone, Copy)]
pub struct Messages(&'static Language);

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Messages").field(&self.0.tag).finish()
    }
}

impl Default for Messages {
    fn default() -> Self {
        Self(&LANGUAGES[0])
    }
}

impl Messages {
    /// The best language: `ui_locales` (OpenID Connect Core §3.1.2.1: tags divided by spaces, best first) before `Accept-Language`
    /// (RFC 9110 §12.5.4). What is malformed is passed over, and English is the answer where nothing fits.
    pub fn negotiate(ui_locales: Option<&str>, accept_language: Option<&str>) -> Self {
        let asked = ui_locales
            .unwrap_or_default()
            .split_ascii_whitespace()
            .take(MAX_TAGS);
        asked
            .chain(by_quality(accept_language.unwrap_or_default()))
            .find_map(Self::speaking)
            .unwrap_or_default()
    }

    /// Every language there is.
    pub fn all() -> impl Iterator<Item = Self> {
        LANGUAGES.iter().map(Self)
    }

    /// The tags of every language, for `ui_locales_supported`.
    pub fn tags() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|&(tag, _)| tag)
    }

    fn speaking(tag: &str) -> Option<Self> {
        // Region and script don't matter as long as no language has two files.
        let wanted: LanguageIdentifier = tag.parse().ok()?;
        LANGUAGES
            .iter()
            .find(|language| language.tag == wanted.language.as_str())
            .map(Self)
    }

    /// The language's tag, for `lang`.
    pub fn lang(self) -> &'static str {
        self.0.tag
    }

    /// Whether this language itself has the message: a missing one is shown in English, or by its id.
    #[cfg(test)]
    pub fn knows(self, id: &str) -> bool {
        self.0.bundle.has_message(id)
    }

    /// The message of this id.
    pub fn get(self, id: &str) -> Cow<'static, str> {
        self.lookup(id, None)
    }

    /// The message of this id with arguments; strings and integers are what messages know.
    pub fn format<'v, V: Into<FluentValue<'v>>, const N: usize>(
        self,
        id: &str,
        args: [(&'static str, V); N],
    ) -> String {
        let mut list = FluentArgs::with_capacity(N);
        for (name, value) in args {
            list.set(name, isolated(value.into()));
        }
        self.lookup(id, Some(&list)).into_owned()
    }

    /// A day in words: `23 November 2026`.
    pub fn date(self, at: Timestamp) -> String {
        let mut args = FluentArgs::with_capacity(3);
        args.set("day", at.day());
        args.set("month", self.get(&format!("month-{}", at.month())));
        args.set("year", at.year());
        self.lookup("date", Some(&args)).into_owned()
    }

    /// A moment: its day as [`Self::date`] has it, and the time, of the one zone that a server knows.
    pub fn moment(self, at: Timestamp) -> String {
        let mut args = FluentArgs::with_capacity(2);
        args.set("date", self.date(at));
        args.set("time", at.format("%H:%M").to_string());
        self.lookup("date-time", Some(&args)).into_owned()
    }

    /// A past moment as seen from `now`: `5 minutes ago`, and its day once a week has passed. Needs no time zone, which a server can't know.
    pub fn ago(self, at: Timestamp, now: Timestamp) -> String {
        let past = now - at;
        match (past.num_minutes(), past.num_hours(), past.num_days()) {
            (..=0, _, _) => self.get("ago-now").into_owned(),
            (minutes, 0, _) => self.format("ago-minutes", [("count", minutes)]),
            (_, hours, 0) => self.format("ago-hours", [("count", hours)]),
            (_, _, days) if past < TimeDelta::days(7) => self.format("ago-days", [("count", days)]),
            _ => self.format("ago-date", [("date", self.date(at))]),
        }
    }

    fn lookup(self, id: &str, args: Option<&FluentArgs<'_>>) -> Cow<'static, str> {
        // Tests hold that each language has each id; a missing one still shows what is meant.
        self.0
            .lookup(id, args)
            .or_else(|| LANGUAGES[0].lookup(id, args))
            .unwrap_or_else(|| Cow::Owned(id.to_owned()))
    }
}

impl Language {
    fn lookup(&'static self, id: &str, args: Option<&FluentArgs<'_>>) -> Option<Cow<'static, str>> {
        let pattern = self.bundle.get_message(id)?.value()?;
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, args, &mut errors);
        debug_assert!(errors.is_empty(), "{id}: {errors:?}");
        Some(Cow::Owned(text.into_owned()))
    }
}

fn isolated(value: FluentValue<'_>) -> FluentValue<'_> {
    match value {
        FluentValue::String(text) if text.chars().any(is_right_to_left) => {
            format!("\u{2068}{text}\u{2069}").into()
        }
        other => other,
    }
}

/// Letters of right-to-left scripts and the controls that could turn the text around them.
fn is_right_to_left(letter: char) -> bool {
    matches!(letter,
        '\u{0590}'..='\u{08ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}'
        | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The tags of an `Accept-Language` value, best first; those with a quality of 0 are left out.
fn by_quality(header: &str) -> impl Iterator<Item = &str> {
    let mut tags: Vec<(u16, &str)> = header
        .split(',')
        .take(MAX_TAGS)
        .filter_map(|part| {
            let (tag, parameter) = part.split_once(';').unwrap_or((part, "q=1"));
            let quality = parameter
                .trim()
                .strip_prefix("q=")
                .map_or(Some(1000), thousandths)?;
            (quality > 0).then(|| (quality, tag.trim()))
        })
        .collect();
    tags.sort_by_key(|&(quality, _)| std::cmp::Reverse(quality));
    tags.into_iter().map(|(_, tag)| tag)
}

/// RFC 9110 §12.4.2: `0` to `1` with three decimals at most.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match whole {
        "1" => Some(1000),
        "0" => format!("{decimals:0<3}").parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fluent_bundle::FluentResource;

    use super::*;

    fn lang(ui_locales: Option<&str>, accept_language: Option<&str>) -> &'static str {
        Messages::negotiate(ui_locales, accept_language).lang()
    }

    fn ids(source: &str) -> BTreeSet<String> {
        let (resource, errors) = match FluentResource::try_new(source.to_owned()) {
            Ok(resource) => (resource, vec![]),
            Err((resource, errors)) => (resource, errors),
        };
        assert!(errors.is_empty(), "{errors:?}");
        let lines: Vec<&str> = source
            .lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
            .collect();
        assert_eq!(
            resource
                .entries()
                .filter(|entry| format!("{entry:?}").starts_with("Message"))
                .count(),
            lines.len()
        );
        let ids: BTreeSet<String> = lines
            .iter()
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect();
        assert_eq!(ids.len(), lines.len(), "an id stands twice");
        ids
    }

    fn sources(folder: &std::path::Path, found: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension != "ftl") {
                found.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn every_language_says_everything() {
        let wanted = ids(FILES[0].1);
        for (tag, source) in FILES {
            let held = ids(source);
            let differing: Vec<_> = wanted.symmetric_difference(&held).collect();
            assert!(differing.is_empty(), "{tag}: {differing:?}");
        }
    }

    #[test]
    fn every_id_that_is_used_exists_and_every_id_is_used() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut text = String::new();
        sources(&root.join("templates"), &mut text);
        let known = ids(FILES[0].1);
        for part in text
            .split("page.t(\"")
            .skip(1)
            .chain(text.split("page.f(\"").skip(1))
        {
            let id = part.split('"').next().unwrap();
            assert!(
                known.contains(id),
                "a template uses {id}, which no language has"
            );
        }
        sources(&root.join("src/http"), &mut text);
        for id in known {
            // Ids that are put together: `month-{}`.
            let family = id
                .match_indices('-')
                .any(|(at, _)| text.contains(&format!("\"{}-{{", &id[..at])));
            let used = family || text.contains(&format!("\"{id}\""));
            assert!(used, "nothing uses {id}");
        }
    }

    #[test]
    fn the_best_language_is_spoken() {
        assert_eq!(lang(None, None), "en");
        assert_eq!(lang(Some("de"), Some("en")), "de");
        assert_eq!(lang(Some("fr de-CH en"), None), "de");
        assert_eq!(lang(Some("fr"), Some("de-AT,de;q=0.9")), "de");
        assert_eq!(lang(None, Some("en;q=0.4, de;q=0.8")), "de");
        assert_eq!(lang(None, Some("de;q=0, fr")), "en");
        assert_eq!(lang(None, Some("de;q=nonsense")), "en");
        assert_eq!(lang(Some("\u{0}*;;<script>"), Some(",,;q=,=")), "en");
        assert_eq!(lang(Some(&"xx ".repeat(1_000_000)), Some("de")), "de");
    }

    #[test]
    fn arguments_plurals_and_times() {
        let (en, de) = (Messages::default(), Messages::negotiate(Some("de"), None));
        let now = Timestamp::from_timestamp(1_795_442_400, 0).unwrap();
        assert_eq!(en.ago(now, now), "just now");
        assert_eq!(en.ago(now + TimeDelta::hours(1), now), "just now");
        assert_eq!(en.ago(now - TimeDelta::seconds(61), now), "1 minute ago");
        assert_eq!(en.ago(now - TimeDelta::minutes(119), now), "1 hour ago");
        assert_eq!(en.ago(now - TimeDelta::days(2), now), "2 days ago");
        assert_eq!(de.ago(now - TimeDelta::days(1), now), "vor 1 Tag");
        assert_eq!(en.ago(now - TimeDelta::days(30), now), "on 24 October 2026");
        assert_eq!(de.date(now), "23. November 2026");
        assert_eq!(en.get("no-such-message"), "no-such-message");
    }

    #[test]
    fn only_names_that_could_turn_the_text_are_isolated() {
        let en = Messages::default();
        assert!(
            en.format("sign-in-heading", [("tenant", "Acme")])
                .ends_with("Acme")
        );
        assert!(
            en.format("sign-in-heading", [("tenant", "שלום")])
                .ends_with("\u{2068}שלום\u{2069}")
        );
    }
}
