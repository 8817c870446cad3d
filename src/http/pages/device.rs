//! A device in two words, from the `User-Agent` that its browser sent. Good enough for a person to tell their own devices apart, and
//! nothing is decided by it.

use super::views::Page;

/// What a person would call their browser and its system; empty where unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// `Firefox`, for example.
    pub browser: &'static str,
    /// `Windows`, for example.
    pub system: &'static str,
}

// Order matters: nearly every browser also claims to be those below it.
const BROWSERS: [(&str, &str); 9] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];

const SYSTEMS: [(&str, &str); 8] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
];

/// Reads a `User-Agent` value.
pub fn describe(user_agent: &str) -> Device {
    let named = |table: &[(&str, &'static str)]| {
        table
            .iter()
            .find(|(mark, _)| user_agent.contains(mark))
            .map(|&(_, name)| name)
            .unwrap_or_default()
    };
    Device {
        browser: named(&BROWSERS),
        system: named(&SYSTEMS),
    }
}

/// `Firefox on Linux`, as far as it is known.
pub fn title(page: &Page<'_>, browser: &str, system: &str) -> String {
    match (browser, system) {
        ("", "") => page.t("device-unknown").into_owned(),
        (one, "") | ("", one) => one.to_owned(),
        (browser, system) => page
            .messages
            .format("device", [("browser", browser), ("system", system)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_devices_are_told_apart() {
        for (user_agent, browser, system) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox",
                "Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0",
                "Edge",
                "Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 (KHTML, like Gecko) Version/18.0 Mobile Safari/604.1",
                "Safari",
                "iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36",
                "Chrome",
                "Android",
            ),
            ("", "", ""),
        ] {
            assert_eq!(
                describe(user_agent),
                Device { browser, system },
                "{user_agent}"
            );
        }
    }
}
