//! HTTP/1.1 as far as the load needs it: requests made of bytes, answers read from them.

use std::fmt::Write as _;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::Result;

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        if self.status >= 400 {
            return Err(format!("{} {}", self.status, String::from_utf8_lossy(&self.body)).into());
        }
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// The values of a header.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.head.lines().skip(1).filter_map(move |line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// A text member of a JSON body.
    pub fn text(&self, member: &str) -> Result<String> {
        let json = self.json()?;
        match json.get(member).and_then(serde_json::Value::as_str) {
            Some(text) => Ok(text.to_owned()),
            None => Err(format!("no {member} in {json}").into()),
        }
    }
}

/// A request's bytes.
pub fn get(host: &str, path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n").into_bytes()
}

/// The bytes of a form that is posted.
pub fn post(host: &str, path: &str, headers: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let mut text = String::with_capacity(256 + body.len());
    let _ = write!(
        text,
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    text.into_bytes()
}

/// `Authorization: Basic` of a client.
pub fn basic(id: &str, secret: &str) -> String {
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
    format!("Authorization: Basic {pair}\r\n")
}

/// `Authorization: Bearer`.
pub fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// Reads one answer; `buffer` is the connection's own.
pub async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<Answer> {
    buffer.clear();
    let (mut head, mut length) = (0, 0);
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if head == 0 {
            let from = 0;
            if let Some(end) = find(&buffer[from..], b"\r\n\r\n") {
                head = end + 4;
                length = content_length(&buffer[..head])?;
            }
        }
        if head > 0 && buffer.len() >= head + length {
            let status = std::str::from_utf8(&buffer[9..12])
                .ok()
                .and_then(|text| text.parse().ok());
            return Ok(Answer {
                status: status.ok_or(std::io::ErrorKind::InvalidData)?,
                head: String::from_utf8_lossy(&buffer[..head]).into_owned(),
                body: buffer[head..head + length].to_vec(),
            });
        }
    }
}

/// Reads one answer and gives nothing but its status: what most of the load needs.
pub async fn read_status(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<u16> {
    buffer.clear();
    let (mut head, mut length) = (0, 0);
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if head == 0
            && let Some(end) = find(buffer, b"\r\n\r\n")
        {
            head = end + 4;
            length = content_length(&buffer[..head])?;
        }
        if head > 0 && buffer.len() >= head + length {
            let digits = &buffer[9..12];
            return Ok(digits
                .iter()
                .fold(0, |all, digit| all * 10 + u16::from(digit - b'0')));
        }
    }
}

/// The status of an answer, once all of it is there.
pub fn status(buffer: &[u8]) -> std::io::Result<Option<u16>> {
    let Some(end) = find(buffer, b"\r\n\r\n") else {
        return Ok(None);
    };
    if buffer.len() < end + 4 + content_length(&buffer[..end + 4])? {
        return Ok(None);
    }
    let digits = &buffer[9..12];
    let digit = |all, digit: &u8| all * 10 + u16::from(digit - b'0');
    Ok(Some(digits.iter().fold(0, digit)))
}

fn content_length(head: &[u8]) -> std::io::Result<usize> {
    if head.starts_with(b"HTTP/1.1 304") || head.starts_with(b"HTTP/1.1 204") {
        return Ok(0);
    }
    for line in head.split(|byte| *byte == b'\n') {
        if line.len() > 15 && line[..15].eq_ignore_ascii_case(b"content-length:") {
            let digits = line[15..].iter().filter(|byte| byte.is_ascii_digit());
            return Ok(digits.fold(0, |all, digit| all * 10 + usize::from(digit - b'0')));
        }
    }
    Err(std::io::Error::other("an answer without Content-Length"))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
