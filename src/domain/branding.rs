//! A tenant's look: logo and accent colours, and the arithmetic that keeps text on them legible.
//!
//! Contrast follows WCAG 2.2, §1.4.3 (text, 4.5:1) and §1.4.11 (the edges of controls, 3:1). What a tenant chooses is shown as chosen
//! wherever something legible can be laid over it; where the accent itself is the text (links, focus rings) it is moved towards black
//! or white just as far as the page behind it needs.
//!
//! Left out: fonts, free CSS, SVG logos (tenants may share an origin).

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::protocol::uri::has_plain_host;

/// Contrast that text needs (WCAG 2.2 §1.4.3, level AA).
pub const TEXT_CONTRAST: f64 = 4.5;
/// Contrast that the edge of a control needs (WCAG 2.2 §1.4.11).
pub const EDGE_CONTRAST: f64 = 3.0;
/// The accent of a tenant that chose none.
pub const DEFAULT_ACCENT: Rgb = Rgb::new(0x17, 0x5c, 0x6b);
/// The same on dark pages.
pub const DEFAULT_ACCENT_DARK: Rgb = Rgb::new(0x6f, 0xb9, 0xc9);
/// The longest address of a logo, in bytes.
pub const MAX_LOGO_URI: usize = 2048;

/// An opaque sRGB colour, written `#rrggbb`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rgb {
    red: u8,
    green: u8,
    blue: u8,
}

impl JsonSchema for Rgb {
    fn schema_name() -> Cow<'static, str> {
        "Colour".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^#[0-9A-Fa-f]{6}$", "examples": ["#175c6b"] })
    }
}

impl Rgb {
    /// Black.
    pub const BLACK: Self = Self::new(0, 0, 0);
    /// White.
    pub const WHITE: Self = Self::new(255, 255, 255);

    /// The colour of these three channels.
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// Relative luminance, 0 (black) to 1 (white), as WCAG 2.2 defines it.
    pub fn luminance(self) -> f64 {
        fn linear(channel: u8) -> f64 {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        }
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }

    /// Contrast ratio with another colour, 1 to 21.
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// Black or white, whichever is easier to read on this colour. The better of the two always has more than 4.5:1.
    #[must_use]
    pub fn text_colour(self) -> Self {
        if self.contrast(Self::WHITE) >= self.contrast(Self::BLACK) {
            Self::WHITE
        } else {
            Self::BLACK
        }
    }

    /// This colour with `percent` (0 to 100) of another mixed in.
    #[must_use]
    pub fn mixed_with(self, other: Self, percent: u8) -> Self {
        let part = u16::from(percent.min(100));
        let mix = |own: u8, other: u8| -> u8 {
            let sum = u16::from(own) * (100 - part) + u16::from(other) * part;
            u8::try_from((sum + 50) / 100).unwrap_or(u8::MAX)
        };
        Self::new(
            mix(self.red, other.red),
            mix(self.green, other.green),
            mix(self.blue, other.blue),
        )
    }

    /// This colour, moved away from `background` no further than needed to reach the contrast `ratio` with it.
    #[must_use]
    pub fn legible_on(self, background: Self, ratio: f64) -> Self {
        let towards = background.text_colour();
        (0..=100)
            .step_by(4)
            .map(|percent| self.mixed_with(towards, percent))
            .find(|colour| colour.contrast(background) >= ratio)
            .unwrap_or(towards)
    }
}

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

impl fmt::Debug for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Rgb {
    type Err = BrandingError;

    fn from_str(text: &str) -> Result<Self, BrandingError> {
        let digits = text
            .strip_prefix('#')
            .filter(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let number = digits
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or(BrandingError::Colour)?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self::new(red, green, blue))
    }
}

impl TryFrom<String> for Rgb {
    type Error = BrandingError;

    fn try_from(text: String) -> Result<Self, BrandingError> {
        text.parse()
    }
}

impl From<Rgb> for String {
    fn from(colour: Rgb) -> Self {
        colour.to_string()
    }
}

/// Whether a page is drawn light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Dark text on a light page.
    Light,
    /// Light text on a dark page.
    Dark,
}

impl Scheme {
    /// The page's background; the stylesheet's `--page` holds the same value.
    pub const fn background(self) -> Rgb {
        match self {
            Self::Light => Rgb::new(0xfd, 0xfc, 0xfa),
            Self::Dark => Rgb::new(0x15, 0x17, 0x19),
        }
    }
}

/// The colours that follow from an accent in one scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    /// What a main button is filled with.
    pub accent: Rgb,
    /// Text on `accent`, at least 4.5:1.
    pub on_accent: Rgb,
    /// The same fill under a pointer; `on_accent` stays legible on it.
    pub accent_hover: Rgb,
    /// The button's edge, at least 3:1 against the page.
    pub accent_edge: Rgb,
    /// Links and focus rings, at least 4.5:1 against the page.
    pub accent_ink: Rgb,
}

/// Why a look is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrandingError {
    /// Not `#rrggbb`.
    #[error("a colour is written as # and six hexadecimal digits, for example #175c6b")]
    Colour,
    /// Neither https nor a loopback address.
    #[error(
        "logo_uri must be an https address without user name or fragment (http only for localhost)"
    )]
    LogoScheme,
    /// A host that could end a directive where the logo's origin stands in a Content-Security-Policy.
    #[error(
        "logo_uri has a host with other characters than letters, digits, hyphens, dots and underscores"
    )]
    LogoHost,
    /// SVG can carry scripts, and tenants may share an origin.
    #[error("logo_uri must point to a PNG, JPEG, WebP or AVIF picture; SVG is not accepted")]
    LogoSvg,
    /// Longer than [`MAX_LOGO_URI`].
    #[error("logo_uri must not be longer than 2048 bytes")]
    LogoLength,
}

/// A tenant's look, validated. The default is Tessera's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Unchecked")]
pub struct Branding {
    #[serde(skip_serializing_if = "Option::is_none")]
    logo_uri: Option<Url>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accent: Option<Rgb>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accent_dark: Option<Rgb>,
}

/// The same before the logo's address was checked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Branding")]
struct Unchecked {
    /// The logo's address: https, PNG, JPEG or WebP.
    #[serde(default)]
    logo_uri: Option<Url>,
    /// The colour of buttons and links on light pages.
    #[serde(default)]
    accent: Option<Rgb>,
    /// The same on dark pages.
    #[serde(default)]
    accent_dark: Option<Rgb>,
}

impl TryFrom<Unchecked> for Branding {
    type Error = BrandingError;

    fn try_from(unchecked: Unchecked) -> Result<Self, BrandingError> {
        Self::new(unchecked.logo_uri, unchecked.accent, unchecked.accent_dark)
    }
}

impl Branding {
    /// A look of these parts; only a logo's address can be refused, as every colour can be made legible.
    pub fn new(
        logo_uri: Option<Url>,
        accent: Option<Rgb>,
        accent_dark: Option<Rgb>,
    ) -> Result<Self, BrandingError> {
        logo_uri.as_ref().map_or(Ok(()), check_logo)?;
        Ok(Self {
            logo_uri,
            accent,
            accent_dark,
        })
    }

    /// Where the logo is.
    pub fn logo_uri(&self) -> Option<&Url> {
        self.logo_uri.as_ref()
    }

    /// The accent chosen for light pages.
    pub fn accent(&self) -> Option<Rgb> {
        self.accent
    }

    /// The accent chosen for dark pages; without one it is derived from [`Self::accent`].
    pub fn accent_dark(&self) -> Option<Rgb> {
        self.accent_dark
    }

    /// The logo's origin, for a page's `img-src`.
    pub fn logo_origin(&self) -> Option<String> {
        self.logo_uri
            .as_ref()
            .map(|uri| uri.origin().ascii_serialization())
    }

    /// The colours of a page in this scheme.
    pub fn palette(&self, scheme: Scheme) -> Palette {
        let background = scheme.background();
        let accent = match (scheme, self.accent, self.accent_dark) {
            (Scheme::Light, Some(own), _) | (Scheme::Dark, _, Some(own)) => own,
            // An accent made for white paper is often too dark for a dark page.
            (Scheme::Dark, Some(own), None) => own.legible_on(background, TEXT_CONTRAST),
            (Scheme::Light, None, _) => DEFAULT_ACCENT,
            (Scheme::Dark, None, None) => DEFAULT_ACCENT_DARK,
        };
        let on_accent = accent.text_colour();
        // Away from the text's colour, so that hovering never costs legibility.
        let away = if on_accent == Rgb::WHITE {
            Rgb::BLACK
        } else {
            Rgb::WHITE
        };
        Palette {
            accent,
            on_accent,
            accent_hover: accent.mixed_with(away, 14),
            accent_edge: accent.legible_on(background, EDGE_CONTRAST),
            accent_ink: accent.legible_on(background, TEXT_CONTRAST),
        }
    }
}

fn check_logo(uri: &Url) -> Result<(), BrandingError> {
    if uri.as_str().len() > MAX_LOGO_URI {
        return Err(BrandingError::LogoLength);
    }
    let loopback = match uri.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let scheme_fits = uri.scheme() == "https" || (uri.scheme() == "http" && loopback);
    if !scheme_fits
        || !uri.username().is_empty()
        || uri.password().is_some()
        || uri.fragment().is_some()
    {
        return Err(BrandingError::LogoScheme);
    }
    if !has_plain_host(uri) {
        return Err(BrandingError::LogoHost);
    }
    let path = uri.path().to_ascii_lowercase();
    let extension = path
        .rsplit('/')
        .next()
        .and_then(|file| file.rsplit_once('.'))
        .map(|(_, extension)| extension);
    if matches!(extension, Some("svg" | "svgz")) {
        return Err(BrandingError::LogoSvg);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn branding(json: &str) -> Result<Branding, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((Rgb::BLACK.contrast(Rgb::WHITE) - 21.0).abs() < 1e-9);
        assert!((Rgb::WHITE.contrast(Rgb::WHITE) - 1.0).abs() < 1e-9);
        // The well-known edge of AA on white: #767676 passes, #777777 does not.
        assert!(Rgb::new(0x76, 0x76, 0x76).contrast(Rgb::WHITE) >= TEXT_CONTRAST);
        assert!(Rgb::new(0x77, 0x77, 0x77).contrast(Rgb::WHITE) < TEXT_CONTRAST);
    }

    #[test]
    fn text_is_black_on_yellow_and_white_on_navy() {
        assert_eq!("#ffd400".parse::<Rgb>().unwrap().text_colour(), Rgb::BLACK);
        assert_eq!("#0b1f4b".parse::<Rgb>().unwrap().text_colour(), Rgb::WHITE);
    }

    #[test]
    fn a_look_survives_the_round_trip() {
        let text = r##"{"logo_uri":"https://cdn.example/a.png","accent":"#ff0080"}"##;
        let look = branding(text).unwrap();
        assert_eq!(serde_json::to_string(&look).unwrap(), text);
        assert_eq!(look.logo_origin().as_deref(), Some("https://cdn.example"));
        assert_eq!(branding("{}").unwrap(), Branding::default());
    }

    #[test]
    fn what_could_harm_is_refused() {
        for (json, word) in [
            (r#"{"accent":"red"}"#, "hexadecimal"),
            (r##"{"accent":"#ff008"}"##, "hexadecimal"),
            (r##"{"accent":"#ff00é"}"##, "hexadecimal"),
            (r##"{"accent":"#+f0080"}"##, "hexadecimal"),
            (r##"{"accent":"#ffffff;}body{x:y"}"##, "hexadecimal"),
            (r#"{"logo_uri":"http://cdn.example/a.png"}"#, "https"),
            (r#"{"logo_uri":"javascript:alert(1)"}"#, "https"),
            (r#"{"logo_uri":"data:image/png;base64,AA"}"#, "https"),
            (r#"{"logo_uri":"https://u:p@cdn.example/a.png"}"#, "https"),
            (
                r#"{"logo_uri":"https://cdn.example;sandbox/a.png"}"#,
                "host",
            ),
            (
                r#"{"logo_uri":"https://cdn.example,sandbox/a.png"}"#,
                "host",
            ),
            (r#"{"logo_uri":"https://cdn.example/a.SVG?x=1"}"#, "SVG"),
            (r#"{"font":"Papyrus"}"#, "unknown field"),
        ] {
            let error = branding(json).expect_err(json);
            assert!(error.contains(word), "{json}: {error}");
        }
        assert!(branding(r#"{"logo_uri":"http://localhost:8080/a.png"}"#).is_ok());
    }

    proptest! {
        #[test]
        fn every_accent_becomes_legible(red: u8, green: u8, blue: u8, dark: Option<(u8, u8, u8)>) {
            let dark = dark.map(|(red, green, blue)| Rgb::new(red, green, blue));
            let look = Branding::new(None, Some(Rgb::new(red, green, blue)), dark).unwrap();
            for scheme in [Scheme::Light, Scheme::Dark] {
                let palette = look.palette(scheme);
                prop_assert!(palette.accent.contrast(palette.on_accent) >= TEXT_CONTRAST);
                prop_assert!(palette.accent_hover.contrast(palette.on_accent) >= TEXT_CONTRAST);
                prop_assert!(palette.accent_ink.contrast(scheme.background()) >= TEXT_CONTRAST);
                prop_assert!(palette.accent_edge.contrast(scheme.background()) >= EDGE_CONTRAST);
            }
        }

        #[test]
        fn colours_survive_the_round_trip(red: u8, green: u8, blue: u8) {
            let colour = Rgb::new(red, green, blue);
            prop_assert_eq!(colour.to_string().parse::<Rgb>(), Ok(colour));
        }
    }
}
