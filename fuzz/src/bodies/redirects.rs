//! Redirect URIs: what may be registered, what matches it, and where the answer goes.

use tessera::protocol::client_metadata::ApplicationType;
use tessera::protocol::redirect_uri::{
    PostLogoutRedirectUri, RedirectResponse, RedirectUri, Response, ValidatedRedirect,
};
use tessera::protocol::{OAuthError, ResponseMode};
use url::Url;

use super::text::{choice, lines, text};

const ISSUER: &str = "https://id.example/t/acme";

/// Registers the first line, presents the second, and answers with the third as the `state`.
pub fn redirect_uri(data: &[u8]) {
    let (kind, rest) = choice(data);
    let input = text(rest);
    let [registered, presented, state] = lines(&input);
    let application = if kind & 1 == 0 {
        ApplicationType::Web
    } else {
        ApplicationType::Native
    };
    post_logout(registered, presented, state, application);
    let uri = match RedirectUri::parse(registered, application) {
        Ok(uri) => uri,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    sound(registered, application);
    assert_eq!(uri.as_str(), registered);
    assert!(uri.matches(registered), "{registered} isn't itself");
    let stored = serde_json::to_string(&uri).expect("JSON");
    assert_eq!(
        serde_json::from_str::<RedirectUri>(&stored).expect("its own text"),
        uri
    );

    assert_eq!(
        uri.matches(presented),
        may_match(registered, presented),
        "{presented} for {registered}"
    );
    let port = u16::from_be_bytes([kind, kind.wrapping_mul(31)]);
    if let Some((start, rest)) = loopback(registered) {
        let moved = format!("{start}:{port}{rest}");
        assert!(uri.matches(&moved), "RFC 8252 §7.3: {moved}");
    }
    let redirect = ValidatedRedirect::check(&[uri], Some(presented), ISSUER);
    let redirect = match redirect {
        Ok(redirect) => redirect,
        Err(_) => ValidatedRedirect::check(
            &[RedirectUri::parse(registered, application).expect("it was")],
            None,
            ISSUER,
        )
        .expect("the only one"),
    };
    answer(redirect, state);
}

/// What registration promises of a URI.
fn sound(text: &str, application: ApplicationType) {
    assert!(text.len() <= 2048 && text.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!text.contains(['#', '*', '\\', '<', '>', '"', '{', '|', '`', '^']));
    let url = Url::parse(text).expect("a URI");
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    match url.scheme() {
        "https" => assert!(url.has_host()),
        "http" => assert!(
            matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"))
                || url
                    .host_str()
                    .is_some_and(|host| host.ends_with(".localhost"))
        ),
        scheme => assert!(application == ApplicationType::Native && scheme.contains('.')),
    }
    if url.has_host() {
        // Whoever takes the text between `//` and the path for the host must come to the same host.
        let (_, after) = text.split_once("://").expect("an authority");
        let authority = after.split(['/', '?']).next().unwrap_or_default();
        let host = url.host_str().unwrap_or_default();
        let port = authority.strip_prefix(host);
        let port = port.unwrap_or_else(|| panic!("the host of {text} is {host}"));
        assert!(port.is_empty() || port.starts_with(':'), "{text}");
    }
}

/// A literal loopback address up to its host, and what follows the port. A scheme is the same in any case (RFC 3986 §3.1).
fn loopback(uri: &str) -> Option<(&str, &str)> {
    const SCHEME: &str = "http://";
    let (scheme, after) = uri.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return None;
    }
    ["127.0.0.1", "[::1]"].into_iter().find_map(|host| {
        let rest = after.strip_prefix(host)?;
        let start = &uri[..SCHEME.len() + host.len()];
        let rest = match rest.strip_prefix(':') {
            Some(port) => port.trim_start_matches(|c: char| c.is_ascii_digit()),
            None => rest,
        };
        (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((start, rest))
    })
}

/// The rule, written down a second time: equal, or equal but for the port of a literal loopback address. The scheme, too, is compared as
/// it was registered: RFC 8252 §7.3 lets the port vary and nothing else.
fn may_match(registered: &str, presented: &str) -> bool {
    if registered == presented {
        return true;
    }
    let (Some(own), Some(other)) = (loopback(registered), loopback(presented)) else {
        return false;
    };
    let port = &presented[other.0.len()..presented.len() - other.1.len()];
    let sound = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|digits| digits.parse::<u16>().is_ok());
    own == other && sound
}

/// The answer goes where the client said and says what it should, whatever the `state` is.
fn answer(redirect: ValidatedRedirect, state: &str) {
    let uri = redirect.uri().to_owned();
    let target = Url::parse(&uri).expect("a URI");
    for mode in ResponseMode::ALL {
        let redirect = redirect
            .clone()
            .with_state(Some(state.to_owned()))
            .with_response_mode(mode);
        let error = OAuthError::access_denied("no\r\nLocation: https://evil.example");
        for response in [
            redirect.respond(&[("code", state)]),
            redirect.respond_error(&error),
        ] {
            let (response, said) = match response {
                Response::Plain(response) => {
                    assert!(!mode.is_signed());
                    (response, vec![("state", state), ("iss", ISSUER)])
                }
                Response::ToSign(unsigned) => {
                    assert!(mode.is_signed());
                    let claims = unsigned.claims("a client", 0);
                    assert_eq!(claims.parameters["state"], state);
                    assert_eq!(
                        (claims.iss.as_str(), claims.aud.as_str()),
                        (ISSUER, "a client")
                    );
                    (unsigned.send("a.b.c"), vec![("response", "a.b.c")])
                }
            };
            match response {
                RedirectResponse::Form { action, fields } => {
                    let by_form = [ResponseMode::FormPost, ResponseMode::FormPostJwt];
                    assert!(by_form.contains(&mode) && action == uri);
                    for (name, value) in said {
                        assert!(fields.contains(&(name.to_owned(), value.to_owned())));
                    }
                }
                RedirectResponse::Location(location) => {
                    assert!(location.bytes().all(|byte| byte.is_ascii_graphic()));
                    assert!(location.starts_with(&uri), "{location} isn't below {uri}");
                    let reached = Url::parse(&location).expect("a URI");
                    assert_eq!(
                        (
                            reached.scheme(),
                            reached.host(),
                            reached.port(),
                            reached.path()
                        ),
                        (target.scheme(), target.host(), target.port(), target.path())
                    );
                    let answer = match mode {
                        ResponseMode::Fragment | ResponseMode::FragmentJwt => reached.fragment(),
                        _ => reached.query(),
                    };
                    let pairs: Vec<_> =
                        url::form_urlencoded::parse(answer.unwrap_or_default().as_bytes())
                            .collect();
                    for (name, value) in said {
                        let found: Vec<_> = pairs.iter().filter(|(own, _)| own == name).collect();
                        assert_eq!(found.len(), 1, "{name} in {location}");
                        assert_eq!(found[0].1, value, "{location}");
                    }
                }
            }
        }
    }
    assert!(!redirect.csp_source().contains([' ', ';', ',', '\n']));
}

/// After signing out nothing but the very same string counts.
fn post_logout(registered: &str, presented: &str, state: &str, application: ApplicationType) {
    let Ok(uri) = PostLogoutRedirectUri::parse(registered, application) else {
        return;
    };
    sound(registered, application);
    let all = [uri];
    let found = PostLogoutRedirectUri::find(&all, presented);
    assert_eq!(found.is_some(), registered == presented);
    let location = all[0].location(Some(state));
    assert!(
        location.starts_with(registered) && location.bytes().all(|byte| byte.is_ascii_graphic())
    );
    let reached = Url::parse(&location).expect("a URI");
    assert!(
        reached
            .query_pairs()
            .any(|(name, value)| name == "state" && value == state)
    );
    assert_eq!(all[0].location(None), registered);
}
