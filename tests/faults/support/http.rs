//! HTTP/1.1 as a client has it that must know what was answered and what was not: blocking, without a retry of its own.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// The host that every server believes to be at, whichever port it has.
pub const HOST: &str = "localhost:8099";

/// A server that takes longer has hung.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to one server, made anew when it is gone.
pub struct Http {
    port: u16,
    stream: Option<BufReader<TcpStream>>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// What a request carries.
#[derive(Clone, Copy)]
pub enum Body<'a> {
    Nothing,
    Form(&'a [(&'a str, &'a str)]),
    Json(&'a Value),
}

impl Http {
    pub fn new(port: u16) -> Self {
        Self { port, stream: None }
    }

    /// Sends a request. An error says that nobody knows what became of it.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Body<'_>,
    ) -> io::Result<Answer> {
        let (content_type, content) = match body {
            Body::Nothing => ("", String::new()),
            Body::Form(fields) => ("application/x-www-form-urlencoded", form(fields)),
            Body::Json(value) => ("application/json", value.to_string()),
        };
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n");
        for (name, value) in headers {
            let _ = write!(request, "{name}: {value}\r\n");
        }
        if !content_type.is_empty() {
            let _ = write!(request, "Content-Type: {content_type}\r\n");
        }
        if method != "GET" {
            let _ = write!(request, "Content-Length: {}\r\n", content.len());
        }
        request.push_str("\r\n");
        request.push_str(&content);
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        stream.get_mut().write_all(request.as_bytes())?;
        let answer = read(&mut stream)?;
        let closes = answer
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if !closes {
            self.stream = Some(stream);
        }
        Ok(answer)
    }

    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send("GET", path, &[], Body::Nothing)
    }

    fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(BufReader::new(stream))
    }
}

/// Fields as a form sends them.
pub fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut text = String::new();
    if stream.read_line(&mut text)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(text.trim_end().to_owned())
}

fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Answer> {
    let first = line(stream)?;
    let status = first
        .get(9..12)
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| broken(&first))?;
    let mut headers = Vec::new();
    loop {
        let text = line(stream)?;
        if text.is_empty() {
            break;
        }
        let (name, value) = text.split_once(':').ok_or_else(|| broken(&text))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer {
        status,
        headers,
        body: String::new(),
    };
    let mut body = Vec::new();
    if answer.header("transfer-encoding") == Some("chunked") {
        loop {
            let size = line(stream)?;
            let size = usize::from_str_radix(&size, 16).map_err(|_| broken(&size))?;
            let start = body.len();
            body.resize(start + size, 0);
            stream.read_exact(&mut body[start..])?;
            line(stream)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = answer.header("content-length") {
        let length = length.parse().map_err(|_| broken(length))?;
        body.resize(length, 0);
        stream.read_exact(&mut body)?;
    }
    answer.body = String::from_utf8_lossy(&body).into_owned();
    Ok(answer)
}

impl Answer {
    /// A header's first value; the name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// A text of the body.
    pub fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_default().to_owned()
    }

    /// The `error` of an OAuth answer.
    pub fn error(&self) -> String {
        self.text("error")
    }

    /// A parameter of the redirect's query.
    pub fn location_param(&self, name: &str) -> Option<String> {
        let location = url::Url::parse(self.header("location")?).ok()?;
        let found = location.query_pairs().find(|(known, _)| known == name);
        found.map(|(_, value)| value.into_owned())
    }

    /// Whether it says that the grant is spent, gone or unknown.
    pub fn is_invalid_grant(&self) -> bool {
        self.status == 400 && self.error() == "invalid_grant"
    }

    /// Whether it says that the server can't just now.
    pub fn is_unavailable(&self) -> bool {
        self.status == 503 && self.header("retry-after").is_some()
    }
}
