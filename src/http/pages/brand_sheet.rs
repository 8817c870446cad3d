//! A tenant's colours as a stylesheet of its own, as a strict content security policy forbids inline styles.
//!
//! Served at `{issuer}/branding.css`; the version in the query changes with the content, so that the answer may be cached for good.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::domain::branding::{Branding, Palette, Scheme};

/// A rendered stylesheet and where to find it. Made once per tenant and change of look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrandSheet {
    /// The stylesheet, `text/css; charset=utf-8`.
    pub css: String,
    /// Changes with `css`: the value of `v` in the address.
    pub version: String,
}

impl BrandSheet {
    /// The stylesheet of this look; it overrides the accent of `tessera.css` and holds nothing but colours.
    pub fn render(branding: &Branding) -> Self {
        let light = properties(branding.palette(Scheme::Light));
        let dark = properties(branding.palette(Scheme::Dark));
        let css =
            format!(":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n");
        let version = short_hash(css.as_bytes());
        Self { css, version }
    }

    /// Its address under an issuer (`base` as in [`super::views::Page::base`]).
    pub fn href(&self, base: &str) -> String {
        format!("{base}/branding.css?v={}", self.version)
    }
}

/// A palette as custom properties of CSS.
pub fn properties(palette: Palette) -> String {
    let Palette {
        accent,
        on_accent,
        accent_hover,
        accent_edge,
        accent_ink,
    } = palette;
    format!(
        "--accent:{accent};--on-accent:{on_accent};--accent-hover:{accent_hover};--accent-edge:{accent_edge};--accent-ink:{accent_ink}"
    )
}

/// The first 64 bits of the SHA-256, in hexadecimal: tells versions of our own files apart, protects nothing.
pub(super) fn short_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .take(8)
        .fold(String::with_capacity(16), |mut text, byte| {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::assets::File;

    fn declarations(css: &str) -> Vec<String> {
        css.split([';', '{', '}', '\n'])
            .map(|part| part.replace(' ', ""))
            .filter(|part| part.starts_with("--"))
            .collect()
    }

    #[test]
    fn the_stylesheet_is_written_for_the_default_look() {
        let css = std::str::from_utf8(File::Stylesheet.asset().bytes).unwrap();
        let (light, dark) = css.split_once("prefers-color-scheme: dark").unwrap();
        let (light, dark) = (declarations(light), declarations(dark));
        for (scheme, held) in [(Scheme::Light, light), (Scheme::Dark, dark)] {
            let mut wanted = declarations(&properties(Branding::default().palette(scheme)));
            wanted.push(format!("--page:{}", scheme.background()));
            for declaration in wanted {
                assert!(
                    held.contains(&declaration),
                    "{scheme:?} lacks {declaration}"
                );
            }
        }
    }

    #[test]
    fn the_version_follows_the_colours() {
        let one = BrandSheet::render(&Branding::default());
        let two = BrandSheet::render(
            &Branding::new(None, Some("#ffd400".parse().unwrap()), None).unwrap(),
        );
        assert_ne!(one.version, two.version);
        assert_eq!(one, BrandSheet::render(&Branding::default()));
        assert!(two.href("/t/acme").starts_with("/t/acme/branding.css?v="));
        assert!(two.css.contains("--on-accent:#000000"));
    }
}
