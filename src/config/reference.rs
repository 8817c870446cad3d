//! The reference page of the documentation, made from the table of settings.

use std::fmt::Write as _;

use super::settings::{Reach, SETTINGS, Setting};
use super::value::Toml;

const INTRODUCTION: &str = "\
<!-- Made from src/config/settings.rs; a test holds this page equal to it. -->
# Configuration

Every setting of the server, with its default. A setting is taken from the first of these places that holds it:

1. a flag, for the few that have one (`--listen`, `--public-url`, `--database-url`, `--data-dir`);
2. the environment variable `TESSERA_…` (an empty one counts as not set; lists are written with commas);
3. the TOML file that `--config` or `TESSERA_CONFIG` names;
4. the default.

A setting that doesn't exist is an error, in the file and in the environment, and so is a value that makes no sense: the server
says which, where it is written, and what to write instead. What a tenant decides for itself (token lifetimes, password policy, session
lengths, consent) is set with `tessera tenant update`.
";

/// The reference page, in Markdown.
pub fn reference_page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut group = "";
    for setting in SETTINGS {
        if setting.group != group {
            group = setting.group;
            let _ = write!(page, "\n## {group}\n");
        }
        write_setting(&mut page, setting);
    }
    page
}

fn write_setting(page: &mut String, setting: &Setting) {
    let places = match (setting.reach, setting.flag()) {
        (Reach::EnvironmentOnly, _) => format!("`{}` (environment only)", setting.variable()),
        (_, Some(flag)) => format!("`{}`, `{flag}`", setting.variable()),
        (_, None) => format!("`{}`", setting.variable()),
    };
    let _ = write!(page, "\n### `{}`\n\n", setting.key);
    for line in setting.doc {
        let _ = writeln!(page, "{}", line.trim());
    }
    let _ = write!(
        page,
        "\n- Also: {places}\n- Value: {}\n- Default: {}\n",
        (setting.kind)(),
        default_text(setting)
    );
    if setting.reach != Reach::EnvironmentOnly
        && !setting.default.contains("{processors}")
        && !matches!(setting.default, "" | "off")
    {
        let _ = write!(
            page,
            "\n```toml\n{} = {}\n```\n",
            setting.key,
            toml_text(setting)
        );
    }
}

fn default_text(setting: &Setting) -> String {
    match setting.default {
        "" => "none".to_owned(),
        "off" => "off".to_owned(),
        "{processors}" => "the number of processors".to_owned(),
        default => {
            let shown = format!("`{}`", shown_default(setting));
            match default.split_once("{data_dir}/") {
                Some((_, file)) => format!("`{file}` in `data_dir` ({shown})"),
                None if default.contains("{listen_port}") => {
                    format!("{shown}, with the port of `listen`")
                }
                None => shown,
            }
        }
    }
}

fn shown_default(setting: &Setting) -> String {
    setting
        .default
        .replace("{data_dir}", "tessera-data")
        .replace("{listen_port}", "8080")
}

fn toml_text(setting: &Setting) -> String {
    match (setting.toml)() {
        Toml::Integer => setting.default.to_owned(),
        Toml::String | Toml::Array => format!("\"{}\"", shown_default(setting)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// With `TESSERA_TEST_WRITE_REFERENCE` set, writes the page instead of comparing.
    #[test]
    fn the_page_in_the_documentation_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/src/configuration.md");
        if std::env::var_os("TESSERA_TEST_WRITE_REFERENCE").is_some() {
            std::fs::write(path, reference_page()).unwrap();
        }
        let current = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            current == reference_page(),
            "docs/src/configuration.md is stale: TESSERA_TEST_WRITE_REFERENCE=1 cargo test --lib config::reference"
        );
    }

    #[test]
    fn the_page_s_examples_are_valid_settings() {
        let page = reference_page();
        let examples: String = page
            .split("```toml\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next())
            .collect();
        Config::from_toml(&examples).unwrap();
        assert!(examples.lines().count() > 20);
    }
}
