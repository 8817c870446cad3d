//! What a template has to be. What is written is what is served: whatever the URL parser would mend is refused, with what to write instead.

use url::{Host, Url};

use super::{Mode, PLACEHOLDER, PublicUrl, ROOT_SEGMENTS};
use crate::protocol::uri::has_plain_host;

/// Stands for `{tenant}` while the URL parser looks at the template; a valid slug and DNS label.
const STAND_IN: &str = "tenant0placeholder";

/// Why a template is refused, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicUrlError {
    /// `{tenant}` is missing or stands there several times.
    #[error(
        "must hold {{tenant}} exactly once, as in http://localhost:8080/t/{{tenant}} or https://{{tenant}}.id.example.com"
    )]
    Placeholder,
    /// Not a URL.
    #[error("isn't a valid URL: {0}")]
    Malformed(url::ParseError),
    /// A host with characters that no host name has; it would stand in every issuer.
    #[error("has a host with other characters than letters, digits, hyphens, dots and underscores")]
    Host,
    /// Neither http nor https.
    #[error("must begin with https:// (or http:// for development)")]
    Scheme,
    /// Carries a user name or password.
    #[error("must not hold a user name or password")]
    UserInfo,
    /// Carries `?…` or `#…`.
    #[error("must not hold a query (?) or a fragment (#)")]
    QueryOrFragment,
    /// Ends with a slash.
    #[error("must not end with a slash")]
    TrailingSlash,
    /// `{tenant}` is in neither of the two allowed positions.
    #[error(
        "must hold {{tenant}} as its last path segment (https://id.example.com/t/{{tenant}}) or as its first host label (https://{{tenant}}.id.example.com)"
    )]
    Position,
    /// A path beside a subdomain placeholder.
    #[error("must have no path when {{tenant}} is in the host")]
    PathBesideSubdomain,
    /// The path isn't in the one form that needs no escaping.
    #[error(
        "must have a path of plain segments (letters, digits, `-`, `.`, `_`, `~`), without empty ones, `.` or `..`"
    )]
    Path,
    /// Tenants would live under a path that the root serves itself.
    #[error("must not put tenants under /{0}, which the installation serves itself")]
    Reserved(&'static str),
}

impl PublicUrl {
    /// Parses and validates a template.
    pub fn parse(template: &str) -> Result<Self, PublicUrlError> {
        if template.matches(PLACEHOLDER).count() != 1 {
            return Err(PublicUrlError::Placeholder);
        }
        // The URL parser mends what it can; what it would mend is refused here, so that what is written is what is served.
        if template.contains(['\\', '\t', '\n', '\r', ' ']) {
            return Err(PublicUrlError::Path);
        }
        if template.contains(['?', '#']) {
            return Err(PublicUrlError::QueryOrFragment);
        }
        let url = Url::parse(&template.replace(PLACEHOLDER, STAND_IN))
            .map_err(PublicUrlError::Malformed)?;
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(PublicUrlError::Scheme),
        };
        let (_, after_scheme) = template.split_once("://").ok_or(PublicUrlError::Scheme)?;
        let (authority, path) = match after_scheme.find('/') {
            Some(at) => after_scheme.split_at(at),
            None => (after_scheme, ""),
        };
        if authority.contains('@') {
            return Err(PublicUrlError::UserInfo);
        }
        if path.ends_with('/') {
            return Err(PublicUrlError::TrailingSlash);
        }
        let host = url
            .host()
            .ok_or(PublicUrlError::Malformed(url::ParseError::EmptyHost))?;
        if !has_plain_host(&url) {
            return Err(PublicUrlError::Host);
        }
        let (mode, host, base, separator) = if path.contains(PLACEHOLDER) {
            let (base, separator) = split_path(path)?;
            (Mode::Path, host.to_string(), base, separator)
        } else {
            if !path.is_empty() {
                return Err(PublicUrlError::PathBesideSubdomain);
            }
            let Host::Domain(domain) = host else {
                return Err(PublicUrlError::Position);
            };
            let parent = domain
                .strip_prefix(STAND_IN)
                .and_then(|rest| rest.strip_prefix('.'))
                .ok_or(PublicUrlError::Position)?;
            if parent.is_empty() || parent.ends_with('.') {
                return Err(PublicUrlError::Position);
            }
            (
                Mode::Subdomain,
                parent.to_owned(),
                String::new(),
                String::new(),
            )
        };
        Ok(Self::assemble(
            mode,
            https,
            host,
            url.port(),
            base,
            separator,
        ))
    }
}

/// Splits `/base/t/{tenant}` into `/base` and `/t/`: the separator is the segment before the slug, with its slashes.
fn split_path(path: &str) -> Result<(String, String), PublicUrlError> {
    let prefix = path
        .strip_suffix("/{tenant}")
        .ok_or(PublicUrlError::Position)?;
    let mut segments: Vec<&str> = Vec::new();
    if let Some(segments_text) = prefix.strip_prefix('/') {
        segments.extend(segments_text.split('/'));
    }
    let plain = |segment: &&str| {
        !matches!(*segment, "" | "." | "..")
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    if !segments.iter().all(plain) {
        return Err(PublicUrlError::Path);
    }
    let last = segments.pop();
    if let Some(reserved) = ROOT_SEGMENTS
        .iter()
        .find(|reserved| last == Some(**reserved))
    {
        return Err(PublicUrlError::Reserved(reserved));
    }
    let base = segments
        .iter()
        .fold(String::new(), |base, segment| base + "/" + segment);
    let separator = last.map_or_else(|| "/".to_owned(), |last| format!("/{last}/"));
    Ok((base, separator))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wrong_templates_say_why() {
        use PublicUrlError as E;
        type Expected = fn(&E) -> bool;
        let cases: &[(&str, Expected)] = &[
            ("http://localhost:8080", |e| *e == E::Placeholder),
            ("http://{tenant}.x.com/{tenant}", |e| *e == E::Placeholder),
            ("localhost/t/{tenant}", |e| matches!(e, E::Malformed(_))),
            ("localhost:80/t/{tenant}", |e| *e == E::Scheme),
            ("ftp://x.com/{tenant}", |e| *e == E::Scheme),
            ("https:x.com/{tenant}", |e| *e == E::Scheme),
            ("https://u@x.com/{tenant}", |e| *e == E::UserInfo),
            ("https://@x.com/{tenant}", |e| *e == E::UserInfo),
            ("https://x.com/{tenant}?a=b", |e| *e == E::QueryOrFragment),
            ("https://x.com/?t={tenant}", |e| *e == E::QueryOrFragment),
            ("https://x.com/{tenant}#", |e| *e == E::QueryOrFragment),
            ("https://x.com/t/{tenant}/", |e| *e == E::TrailingSlash),
            ("https://{tenant}.x.com/", |e| *e == E::TrailingSlash),
            ("https://{tenant}.x.com/auth", |e| {
                *e == E::PathBesideSubdomain
            }),
            ("https://x.com/t-{tenant}", |e| *e == E::Position),
            ("https://x.com/{tenant}/oidc", |e| *e == E::Position),
            ("https://id-{tenant}.x.com", |e| *e == E::Position),
            ("https://id.{tenant}.x.com", |e| *e == E::Position),
            ("https://{tenant}", |e| *e == E::Position),
            ("https://{tenant}.x.com.", |e| *e == E::Position),
            ("https://x.com/a//{tenant}", |e| *e == E::Path),
            ("https://x.com/../{tenant}", |e| *e == E::Path),
            ("https://x.com/a%20b/{tenant}", |e| *e == E::Path),
            ("https://x.com\\{tenant}", |e| *e == E::Path),
            ("https://{tenant}.a;b.example", |e| *e == E::Host),
            ("https://{tenant}.a.{tEnant}.example", |e| *e == E::Host),
            ("https://a,b.example/t/{tenant}", |e| *e == E::Host),
            ("https://x.com/api/{tenant}", |e| *e == E::Reserved("api")),
            ("https://x.com/.well-known/{tenant}", |e| {
                *e == E::Reserved(".well-known")
            }),
            ("https://{tenant}.x.com:99999", |e| {
                matches!(e, E::Malformed(_))
            }),
        ];
        for (template, expected) in cases {
            let error = PublicUrl::parse(template).expect_err(template);
            assert!(expected(&error), "{template}: {error:?}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(template in ".{0,40}\\{tenant\\}.{0,20}") {
            if let Ok(parsed) = PublicUrl::parse(&template) {
                prop_assert_eq!(PublicUrl::parse(&parsed.to_string()), Ok(parsed));
            }
        }
    }
}
