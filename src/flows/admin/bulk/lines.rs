//! A stream, line by line: bounded in length and depth, and wrong in one place at a time.

use std::io::{self, BufRead, Read as _};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use super::super::error::AdminError;
use super::format::{
    ClientLine, ConsentLine, DomainLine, EndLine, ExportLine, ExternalSubjectLine, KeyLine,
    ResourceLine, TenantLine, UserLine,
};
use crate::protocol::client_metadata::ClientMetadata;
use crate::protocol::strict_json::parse_object;

/// The longest line, in bytes: far more than any client's metadata.
pub const LINE_MAX: usize = 1 << 20;

/// What a line says.
#[derive(Debug)]
pub enum Record {
    Export(ExportLine),
    Tenant(Box<TenantLine>),
    Key(Box<KeyLine>),
    Domain(DomainLine),
    Resource(ResourceLine),
    User(Box<UserLine>),
    Client(Box<ClientLine>, Box<ClientMetadata>),
    Consent(ConsentLine),
    ExternalSubject(ExternalSubjectLine),
    End(EndLine),
}

/// A line that was read.
pub struct Line {
    /// Its number, from one.
    pub number: u64,
    /// Its length in bytes.
    pub length: usize,
    /// What it says, or what is wrong with it.
    pub record: Result<Record, AdminError>,
}

/// Reads lines.
pub struct Lines<R> {
    source: R,
    number: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub fn new(source: R) -> Self {
        Self {
            source,
            number: 0,
            buffer: Vec::new(),
        }
    }

    /// The next line that isn't blank; `None` at the end. The rest of a line that is too long is passed over unread.
    pub fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            self.buffer.clear();
            let most = LINE_MAX as u64 + 1;
            let read = (&mut self.source)
                .take(most)
                .read_until(b'\n', &mut self.buffer)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            let whole = self.buffer.ends_with(b"\n") || read <= LINE_MAX;
            if !whole {
                self.skip_line()?;
            }
            let text = self.buffer.trim_ascii();
            if text.is_empty() {
                continue;
            }
            return Ok(Some(Line {
                number: self.number,
                length: read,
                record: if whole {
                    parse(text)
                } else {
                    Err(AdminError::invalid(
                        "line",
                        format!(
                            "is longer than {LINE_MAX} bytes; each record stands in a line of its own"
                        ),
                    ))
                },
            }));
        }
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let available = self.source.fill_buf()?;
            if available.is_empty() {
                return Ok(());
            }
            let (length, done) = match available.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (available.len(), false),
            };
            self.source.consume(length);
            if done {
                return Ok(());
            }
        }
    }
}

const KINDS: &str =
    "export, tenant, key, domain, resource, user, client, consent, external_subject, end";

fn parse(text: &[u8]) -> Result<Record, AdminError> {
    let members = parse_object(text).map_err(|_| malformed(text))?;
    let mut members = members.into_iter();
    let (Some((kind, value)), None) = (members.next(), members.next()) else {
        return Err(AdminError::invalid(
            "line",
            format!("must be an object with one member, whose name is one of {KINDS}"),
        ));
    };
    Ok(match kind.as_str() {
        "export" => Record::Export(read(&kind, value)?),
        "tenant" => Record::Tenant(read(&kind, value)?),
        "key" => Record::Key(read(&kind, value)?),
        "domain" => Record::Domain(read(&kind, value)?),
        "resource" => Record::Resource(read(&kind, value)?),
        "user" => Record::User(read(&kind, value)?),
        "client" => client(value)?,
        "consent" => Record::Consent(read(&kind, value)?),
        "external_subject" => Record::ExternalSubject(read(&kind, value)?),
        "end" => Record::End(read(&kind, value)?),
        _ => {
            let kind = kind.chars().take(64).collect::<String>();
            return Err(AdminError::invalid(
                "line",
                format!("`{kind}` is none of {KINDS}"),
            ));
        }
    })
}

/// Why the text can't be read, in the words of the parser where it has some.
fn malformed(text: &[u8]) -> AdminError {
    let reason = match serde_json::from_slice::<Value>(text) {
        Err(error) => format!("is no JSON document: {}", without_line(&error)),
        Ok(Value::Object(_)) => "has a member twice in one object".to_owned(),
        Ok(_) => "must be a JSON object".to_owned(),
    };
    AdminError::invalid("line", reason)
}

/// The parser's line is always the first: its column remains.
fn without_line(error: &serde_json::Error) -> String {
    error
        .to_string()
        .replace(" at line 1 column ", " at column ")
}

fn client(value: Value) -> Result<Record, AdminError> {
    let Value::Object(mut members) = value else {
        return Err(AdminError::invalid("client", "must be an object"));
    };
    let own = read("client", ClientLine::split(&mut members))?;
    let metadata = metadata(members)?;
    Ok(Record::Client(own, Box::new(metadata)))
}

fn metadata(members: Map<String, Value>) -> Result<ClientMetadata, AdminError> {
    ClientMetadata::from_json(Value::Object(members)).map_err(|error| AdminError::Invalid {
        field: format!("client.{}", error.field),
        reason: error.reason,
    })
}

fn read<T: DeserializeOwned>(kind: &str, value: Value) -> Result<T, AdminError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().iter().filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!(".{index}")),
            Segment::Map { key } => Some(format!(".{key}")),
            Segment::Enum { .. } | Segment::Unknown => None,
        });
        AdminError::Invalid {
            field: format!("{kind}{}", path.collect::<String>()),
            reason: error.inner().to_string(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: &str) -> String {
        let mut lines = Lines::new(line.as_bytes());
        let line = lines.next().unwrap().unwrap();
        line.record.unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_with_a_line_is_told_by_its_field() {
        for (line, told) in [
            (
                "{",
                "line: is no JSON document: EOF while parsing an object at column 1",
            ),
            ("[]", "line: must be a JSON object"),
            (
                r#"{"user":{"email":"a@b.example","email":"c@d.example"}}"#,
                "line: has a member twice",
            ),
            (
                r#"{"user":{},"tenant":{}}"#,
                "line: must be an object with one member",
            ),
            (r#"{"users":{}}"#, "line: `users` is none of export, tenant"),
            (r#"{"user":{}}"#, "user: missing field `email`"),
            (
                r#"{"user":{"email":"a@b.example","roles":["king"]}}"#,
                "user.roles.0: unknown variant `king`",
            ),
            (
                r#"{"user":{"email":"a@b.example","claims":{"nmae":"A"}}}"#,
                "user.claims.nmae: unknown field",
            ),
            (
                r#"{"tenant":{"slug":"a","name":"A","settings":{"lockout":{"attempts":"x"}}}}"#,
                "tenant.settings.lockout.attempts: invalid type",
            ),
            (r#"{"client":{"client_id":"x"}}"#, "client.client_id: "),
            (
                r#"{"client":{"grant_types":["magic"]}}"#,
                "client.grant_types: ",
            ),
            (r#"{"client":[]}"#, "client: must be an object"),
        ] {
            let fault = fault(line);
            assert!(fault.starts_with(told), "{line}: {fault}");
        }
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let deep = format!("{{\"user\":{}", "[".repeat(100_000));
        assert!(
            fault(&deep).contains("recursion limit exceeded"),
            "{}",
            fault(&deep)
        );
        let deep = format!(
            "{{\"user\":{}{}}}",
            "{\"a\":".repeat(100_000),
            "}".repeat(100_000)
        );
        assert!(fault(&deep).contains("recursion limit exceeded"));
        let long = format!("{{\"user\":\"{}\"}}\n{{}}\n", "x".repeat(10 * LINE_MAX));
        assert!(fault(&long).contains("is longer than 1048576 bytes"));
        let mut lines = Lines::new(long.as_bytes());
        lines.next().unwrap().unwrap();
        assert_eq!(
            lines.next().unwrap().unwrap().number,
            2,
            "the next line is found"
        );
        assert!(lines.next().unwrap().is_none());
        assert!(lines.buffer.capacity() < 4 * LINE_MAX);
    }

    #[test]
    fn blank_lines_and_windows_line_ends_count_for_nothing() {
        let mut lines = Lines::new(b"\n  \r\n{\"end\":{\"lines\":3}}\r\n\n".as_slice());
        let line = lines.next().unwrap().unwrap();
        assert_eq!(line.number, 3);
        assert!(matches!(line.record, Ok(Record::End(EndLine { lines: 3 }))));
        assert!(lines.next().unwrap().is_none());
    }
}
