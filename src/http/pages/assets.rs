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

static ASSETS: LazyLock<[Asset; 10]> = LazyLock::new(|| {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    [
        Asset::new(
            "tessera",
            "css",
            "text/css; charset=utf-8",
            include_bytes!("../../../static/tessera.css"),
        ),
        Asset::new(
            "console",
            "css",
            "text/css; charset=utf-8",
            include_bytes!("../../../static/console.css"),
        ),
        Asset::new(
            "api",
            "css",
            "text/css; charset=utf-8",
            include_bytes!("../../../static/api.css"),
        ),
        Asset::new(
            "page",
            "js",
            SCRIPT,
            include_bytes!("../../../static/page.js"),
        ),
        Asset::new(
            "form_post",
            "js",
            SCRIPT,
            include_bytes!("../../../static/form_post.js"),
        ),
        Asset::new(
            "favicon",
            "svg",
            "image/svg+xml",
            include_bytes!("../../../static/favicon.svg"),
        ),
        Asset::new(
            "favicon",
            "png",
            "image/png",
            include_bytes!("../../../static/favicon.png"),
        ),
        Asset::new(
            "sign_out",
            "js",
            SCRIPT,
            include_bytes!("../../../static/sign_out.js"),
        ),
        Asset::new(
            "check_session",
            "js",
            SCRIPT,
            include_bytes!("../../../static/check_session.js"),
        ),
        Asset::new(
            "preview",
            "js",
            SCRIPT,
            include_bytes!("../../../static/preview.js"),
        ),
    ]
});

impl File {
    /// The embedded file.
    pub fn asset(self) -> &'static Asset {
        match self {
            Self::Stylesheet => &ASSETS[0],
            Self::ConsoleStylesheet => &ASSETS[1],
            Self::ApiStylesheet => &ASSETS[2],
            Self::PageScript => &ASSETS[3],
            Self::FormPostScript => &ASSETS[4],
            Self::Favicon => &ASSETS[5],
            Self::FaviconPng => &ASSETS[6],
            Self::SignOutScript => &ASSETS[7],
            Self::CheckSessionScript => &ASSETS[8],
            Self::PreviewScript => &ASSETS[9],
        }
    }
}

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
