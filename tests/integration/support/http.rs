//! Plain HTTP for tests: any address goes to the server under test, which sees the address' own host. Where many requests are to be
//! sent, they can be handed to the application itself instead, without a connection.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{MessageBody, to_bytes};
use actix_web::dev::Service as _;
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, init_service};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tessera::flows::Provider;
use tessera::http::server::Application;

/// The application of a server, called directly.
type InProcess = Rc<dyn Fn(TestRequest) -> Pin<Box<dyn Future<Output = Answer>>>>;

/// Speaks to the server at one port.
#[derive(Clone)]
pub struct Http {
    port: u16,
    headers: Vec<(String, String)>,
    in_process: Option<InProcess>,
}

/// A request on its way.
#[derive(Clone)]
pub struct Request {
    port: u16,
    in_process: Option<InProcess>,
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, in their order.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Http {
    pub fn new(port: u16) -> Self {
        Self {
            port,
            headers: Vec::new(),
            in_process: None,
        }
    }

    /// Hands requests to an application of its own around this provider, as a worker of the server has one.
    pub async fn in_process(provider: Arc<Provider>) -> Self {
        let application = Application::new(provider).expect("an application");
        let service = Rc::new(init_service(application.build()).await);
        let call: InProcess = Rc::new(move |request| {
            let service = Rc::clone(&service);
            Box::pin(async move {
                match service.call(request.to_request()).await {
                    Ok(response) => Answer::of(response.into_parts().1).await,
                    Err(error) => Answer::of(error.error_response()).await,
                }
            })
        });
        Self {
            port: 0,
            headers: Vec::new(),
            in_process: Some(call),
        }
    }

    /// The same, with a header on each request.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn get(&self, url: &str) -> Request {
        self.request(Method::GET, url)
    }

    pub fn post(&self, url: &str) -> Request {
        self.request(Method::POST, url)
    }

    pub fn request(&self, method: Method, url: &str) -> Request {
        Request {
            port: self.port,
            in_process: self.in_process.clone(),
            method,
            url: url.to_owned(),
            headers: self.headers.clone(),
            body: Vec::new(),
        }
    }
}

impl Request {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts another value in the place of a header's.
    pub fn replace_header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.header(name, value)
    }

    /// Sends a form.
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        self.body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish()
            .into_bytes();
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    /// Sends a body as it is.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// Authenticates as RFC 6749 §2.3.1 says.
    pub fn basic(self, id: &str, secret: &str) -> Self {
        let encode =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let credentials = STANDARD.encode(format!("{}:{}", encode(id), encode(secret)));
        self.header(AUTHORIZATION.as_str(), &format!("Basic {credentials}"))
    }

    /// Presents an access token.
    pub fn bearer(self, token: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// All of it in one text: what the sender knows.
    pub fn text(&self) -> String {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\n"));
        let body = String::from_utf8_lossy(&self.body);
        format!(
            "{} {}\n{}\n{body}",
            self.method,
            self.url,
            headers.collect::<String>()
        )
    }

    /// Sends it, without following redirects.
    pub async fn send(self) -> Answer {
        let url =
            url::Url::parse(&self.url).unwrap_or_else(|error| panic!("{}: {error}", self.url));
        let host = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
            None => url.host_str().unwrap_or_default().to_owned(),
        };
        if let Some(call) = self.in_process {
            let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
            let mut request = TestRequest::with_uri(target)
                .method(self.method)
                .peer_addr(([127, 0, 0, 1], 4711).into())
                .insert_header((HOST, host));
            for (name, value) in self.headers {
                request = request.append_header((name, value));
            }
            return call(request.set_payload(self.body)).await;
        }
        let mut target = url.clone();
        target.set_scheme("http").expect("a scheme");
        target.set_ip_host([127, 0, 0, 1].into()).expect("a host");
        target.set_port(Some(self.port)).expect("a port");
        let mut request = client()
            .request(self.method, target.as_str())
            .insert_header((HOST, host))
            .force_close()
            .no_decompress();
        for (name, value) in self.headers {
            request = request.append_header((name, value));
        }
        let mut response = request
            .send_body(self.body)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", self.url));
        let body = response.body().limit(4 << 20).await.expect("a body");
        Answer::new(response.status(), response.headers(), &body)
    }
}

/// A client for all requests of this thread's runtime: each new one reads all certificates of the system, which takes longer than most
/// requests.
fn client() -> awc::Client {
    thread_local! {
        static CLIENT: RefCell<Option<(usize, awc::Client)>> = const { RefCell::new(None) };
    }
    let runtime = actix_web::rt::System::current().id();
    CLIENT.with_borrow_mut(|kept| match kept {
        Some((known, client)) if *known == runtime => client.clone(),
        _ => {
            let client = awc::Client::builder()
                .disable_redirects()
                .timeout(Duration::from_secs(30))
                .finish();
            kept.insert((runtime, client)).1.clone()
        }
    })
}

impl Answer {
    fn new(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let headers = headers.iter().map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        });
        Self {
            status: status.as_u16(),
            headers: headers.collect(),
            body: String::from_utf8_lossy(body).into_owned(),
        }
    }

    async fn of(response: HttpResponse<impl MessageBody>) -> Self {
        let (head, body) = response.into_parts();
        let Ok(body) = to_bytes(body).await else {
            panic!("the body of an answer breaks off")
        };
        Self::new(head.status(), head.headers(), &body)
    }

    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// All values of a header.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.body))
    }

    /// The `error` of an OAuth answer, or of an error page.
    pub fn error(&self) -> String {
        if let Ok(Value::Object(body)) = serde_json::from_str(&self.body) {
            return body
                .get("error")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
        }
        self.body
            .split_once("data-error=\"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .map(|(code, _)| code.to_owned())
            .unwrap_or_default()
    }

    /// Says that it is this error.
    #[track_caller]
    pub fn expect_error(&self, status: u16, code: &str) -> &Self {
        assert_eq!(
            (self.status, self.error().as_str()),
            (status, code),
            "{}",
            self.body
        );
        self
    }

    /// Says that it went well.
    #[track_caller]
    pub fn expect_ok(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.body);
        self
    }

    /// Where a redirect leads.
    #[track_caller]
    pub fn location(&self) -> url::Url {
        let location = self
            .header("location")
            .unwrap_or_else(|| panic!("no redirect: {} {}", self.status, self.body));
        url::Url::parse(location).unwrap_or_else(|error| panic!("{location}: {error}"))
    }

    /// A parameter of the redirect's query.
    pub fn location_param(&self, name: &str) -> Option<String> {
        self.location()
            .query_pairs()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    }
}
