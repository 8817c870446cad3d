//! The book shows each page of the console: what pages there are is read off the routes, what is shown off the book. That each picture is
//! there in four looks, `tests/docs/check` holds; that it is of that page, `tests/interop/browser/console_tour.mjs`, which took it.

use actix_web::App;
use actix_web::dev::Service as _;
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, init_service};
use tessera::flows::console::PATH;
use tessera::http::console::clients_kind::Kind;
use tessera::http::routes;

use crate::isolation::routes::{Route, all};

const BOOK: &str = include_str!("../../../docs/src/console.md");

/// What answers GET and is no page: two ways to somewhere else, and a stylesheet.
const NO_PAGES: [&str; 3] = ["/open", "/sign-in-again", "/branding/preview.css"];

/// Below the console's address; none for what isn't a page of its own. An operator sees another tenant's pages as its administrators do.
fn page(route: &Route) -> Option<&str> {
    let path = route.below_issuer()?.strip_prefix(PATH)?;
    let own = path.is_empty() || path.starts_with('/');
    (own && !path.starts_with("/tenants/{tenant}/") && !NO_PAGES.contains(&path)).then_some(path)
}

/// What the pictures of a page are called.
fn name(path: &str) -> String {
    let words: Vec<_> = path
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        "overview".to_owned()
    } else {
        words.join("-")
    }
}

#[test]
fn the_book_shows_each_page_of_the_console() {
    actix_web::rt::System::new().block_on(async {
        let service = init_service(App::new().configure(routes::table)).await;
        let (mut seen, mut missing) = (0, Vec::new());
        for route in all().await {
            let Some(path) = page(&route) else { continue };
            // Nobody is at home: a handler misses its application's data. What isn't there for this method says so all the same.
            let address = route.0.replace(['{', '}'], "");
            let answer = service
                .call(TestRequest::with_uri(&address).to_request())
                .await;
            let status = match answer {
                Ok(answer) => answer.status(),
                Err(error) => error.as_response_error().status_code(),
            };
            if status == StatusCode::METHOD_NOT_ALLOWED {
                continue;
            }
            seen += 1;
            let names: Vec<_> = if path.ends_with("/{kind}") {
                let kinds = Kind::ALL.iter();
                kinds
                    .map(|kind| name(&path.replace("{kind}", kind.as_str())))
                    .collect()
            } else {
                vec![name(path)]
            };
            missing.extend(names.into_iter().filter(|name| {
                !BOOK.contains(&format!("\"images/console/{name}-1280-light.webp\""))
            }));
        }
        assert!(seen > 50, "{seen}");
        assert!(
            missing.is_empty(),
            "docs/src/console.md doesn't show {missing:?}"
        );
    });
}
