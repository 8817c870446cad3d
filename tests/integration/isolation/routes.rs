//! What routes there are, as the product itself says: actix's own map of the table that is served, and the methods that each of them
//! answers.

use std::cell::RefCell;
use std::rc::Rc;

use actix_web::App;
use actix_web::dev::Service as _;
use actix_web::http::Method;
use actix_web::test::{TestRequest, init_service};
use tessera::http::routes;

/// A route, as the router knows it: `/tenant…` below an issuer, `/root…` below the root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route(pub String);

impl Route {
    /// Below the issuer; `None` for the root's.
    pub fn below_issuer(&self) -> Option<&str> {
        self.0.strip_prefix("/tenant")
    }

    /// Below the root; `None` for the issuers'.
    pub fn below_root(&self) -> Option<&str> {
        self.0.strip_prefix("/root")
    }

    /// Whether a path, as the router sees it, is this route's. Plain parts win over names, so ask the whole table by [`find`].
    fn fits(&self, path: &str) -> bool {
        let (mine, theirs): (Vec<_>, Vec<_>) =
            (self.0.split('/').collect(), path.split('/').collect());
        mine.len() == theirs.len()
            && mine
                .iter()
                .zip(&theirs)
                .all(|(mine, theirs)| mine.starts_with('{') || mine == theirs)
    }
}

/// Whose path this is; the route with the fewest names where several fit.
pub fn find<'r>(all: &'r [Route], path: &str) -> Option<&'r Route> {
    all.iter()
        .filter(|route| route.fits(path))
        .min_by_key(|route| route.0.matches('{').count())
}

/// Methods that a route may answer.
pub const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

/// Every route of the table.
pub async fn all() -> Vec<Route> {
    let map = Rc::new(RefCell::new(String::new()));
    let seen = Rc::clone(&map);
    let app = App::new()
        .configure(routes::table)
        .wrap_fn(move |request, service| {
            *seen.borrow_mut() = format!("{:?}", request.request().resource_map());
            service.call(request)
        });
    let service = init_service(app).await;
    // Whatever becomes of it: a handler misses its application's data.
    let _ = service
        .call(TestRequest::with_uri("/nowhere").to_request())
        .await;
    let mut routes = leaves(&map.borrow());
    routes.sort();
    routes.dedup();
    assert!(
        routes.len() > 100,
        "the map isn't read any more: {routes:?}"
    );
    routes
}

/// A part of the map on the way from its root to its leaves.
struct Node {
    depth: usize,
    pattern: Option<String>,
    is_leaf: bool,
}

/// Reads the map as `Debug` writes it, which is the only form in which it shows itself whole.
fn leaves(map: &str) -> Vec<Route> {
    let (mut nodes, mut depth, mut found) = (Vec::<Node>::new(), 0, Vec::new());
    let mut rest = map;
    while let Some(next) = rest.chars().next() {
        if rest.starts_with("ResourceMap {") {
            nodes.push(Node {
                depth,
                pattern: None,
                is_leaf: false,
            });
        } else if rest.starts_with("nodes: None") {
            nodes.last_mut().expect("a node").is_leaf = true;
        } else if let Some(behind) = rest.strip_prefix("patterns: Single(\"") {
            let (pattern, behind) = behind.split_once('"').expect("its end");
            let node = nodes.last_mut().expect("a node");
            node.pattern.get_or_insert_with(|| pattern.to_owned());
            rest = behind;
            continue;
        } else if next == '"' {
            rest = behind_text(&rest[1..]);
            continue;
        } else if next == '{' {
            depth += 1;
        } else if next == '}' {
            depth -= 1;
            if nodes.last().is_some_and(|node| node.depth == depth) {
                if nodes.last().is_some_and(|node| node.is_leaf) {
                    let whole = nodes.iter().filter_map(|node| node.pattern.as_deref());
                    found.push(Route(whole.collect()));
                }
                nodes.pop();
            }
        }
        rest = &rest[next.len_utf8()..];
    }
    found
}

/// What follows a text whose opening mark was read.
fn behind_text(text: &str) -> &str {
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return &text[at + 1..],
            _ => {}
        }
    }
    panic!("a text without an end")
}
