//! The static files, embedded in the binary. A file's address holds a hash of its content (`/static/tessera.0123456789abcdef.css`), so
//! that browsers may keep it for ever and a new binary is never seen with an old stylesheet.

use std::sync::LazyLock;

use super::brand_sheet::short_hash;

/// `Cache-Control` of every static file.
pub const CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

/// The files that pages may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// The one stylesheet of the pages that everybody sees.
    Stylesheet,
    /// What the console adds to it.
    ConsoleStylesheet,
    /// What the page about the administration API adds to it.
    ApiStylesheet,
    /// Refuses a second press on a button, and shows a password on demand.
    PageScript,
    /// Sends the form of an authorization response (form post) on its way.
    FormPostScript,
    /// Goes on to the application once a sign-out's frames have loaded.
    SignOutScript,
    /// Shows a tenant's look anew while it is typed.
    PreviewScript,
    /// Tells applications whether the state of the browser is still the one that they heard of.
    CheckSessionScript,
    /// The favicon as SVG (ours, not a tenant's).
    Favicon,
    /// The same for browsers that want a bitmap; also what `/favicon.ico` may answer.
    FaviconPng,
}

/// An embedded file.
#[derive(Debug)]
pub struct Asset {
    /// Name with the hash: `tessera.0123456789abcdef.css`.
    pub name: String,
    /// Address less the root's path: `/static/` and the name.
    pub path: String,
    /// Value of `Content-Type`.
    pub content_type: &'static str,
    /// Content.
    pub bytes: &'static [u8],
}

impl Asset {
    fn new(stem: &str, extension: &str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        let name = format!("{stem}.{}.{extension}", short_hash(bytes));
        Self {
            path: format!("/static/{name}"),
            name,
            content_type,
            bytes,
        }
    }
}

impl File {
    /// Every file, in the order of their declaration.
    const ALL: [Self; 10] = [
        Self::Stylesheet,
        Self::ConsoleStylesheet,
        Self::ApiStylesheet,
        Self::PageScript,
        Self::FormPostScript,
        Self::SignOutScript,
        Self::PreviewScript,
        Self::CheckSessionScript,
        Self::Favicon,
        Self::FaviconPng,
    ];

    fn embed(self) -> Asset {
        macro_rules! embedded {
            ($stem:literal, $extension:literal, $content_type:expr) => {
                Asset::new(
                    $stem,
                    $extension,
                    $content_type,
                    include_bytes!(concat!("../../../static/", $stem, ".", $extension)),
                )
            };
        }
        const SCRIPT: &str = "text/javascript; charset=utf-8";
        const STYLE: &str = "text/css; charset=utf-8";
        match self {
            Self::Stylesheet => embedded!("tessera", "css", STYLE),
            Self::ConsoleStylesheet => embedded!("console", "css", STYLE),
            Self::ApiStylesheet => embedded!("api", "css", STYLE),
            Self::PageScript => embedded!("page", "js", SCRIPT),
            Self::FormPostScript => embedded!("form_post", "js", SCRIPT),
            Self::SignOutScript => embedded!("sign_out", "js", SCRIPT),
            Self::PreviewScript => embedded!("preview", "js", SCRIPT),
            Self::CheckSessionScript => embedded!("check_session", "js", SCRIPT),
            Self::Favicon => embedded!("favicon", "svg", "image/svg+xml"),
            Self::FaviconPng => embedded!("favicon", "png", "image/png"),
        }
    }

    /// The embedded file.
    pub fn asset(self) -> &'static Asset {
        &ASSETS[self as usize]
    }
}

static ASSETS: LazyLock<[Asset; File::ALL.len()]> = LazyLock::new(|| File::ALL.map(File::embed));

/// The file of this name, hash included; `None` for any other name.
pub fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

/// Every embedded file.
pub fn all() -> &'static [Asset] {
    ASSETS.as_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_stands_at_its_place() {
        for (place, file) in File::ALL.into_iter().enumerate() {
            assert_eq!(file as usize, place, "{file:?}");
        }
    }

    #[test]
    fn files_are_found_by_hashed_name_only() {
        for asset in all() {
            assert!(std::ptr::eq(find(&asset.name).unwrap(), asset));
            assert_eq!(asset.path, format!("/static/{}", asset.name));
            assert_eq!(
                asset.name.split('.').nth(1).unwrap().len(),
                16,
                "{}",
                asset.name
            );
        }
        assert!(find("tessera.css").is_none());
        assert!(find("../Cargo.toml").is_none());
        assert!(
            File::Stylesheet
                .asset()
                .content_type
                .starts_with("text/css")
        );
        assert!(File::PageScript.asset().name.starts_with("page."));
        assert!(File::FormPostScript.asset().name.starts_with("form_post."));
        assert!(File::PreviewScript.asset().name.starts_with("preview."));
        assert_eq!(File::Favicon.asset().content_type, "image/svg+xml");
        assert!(File::FaviconPng.asset().bytes.starts_with(b"\x89PNG"));
    }

    #[test]
    fn the_stylesheet_loads_nothing() {
        for file in [File::Stylesheet, File::ConsoleStylesheet] {
            let css = std::str::from_utf8(file.asset().bytes).unwrap();
            assert!(!css.contains("@import") && !css.contains("url("));
        }
    }
}
