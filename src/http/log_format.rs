//! The form of log lines: text for people, JSON for programs; each with the id of the request that it is about.
//!
//! A request writes a line or more, so a line costs little: its fields go straight into the text, and the request is known by the thread that
//! works on it rather than by a span.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::LogFormat;

thread_local! {
    /// The id of the request that this thread works on just now.
    static REQUEST: RefCell<Option<Rc<str>>> = const { RefCell::new(None) };
    /// The second of this thread's last line, and how it is written.
    static SECOND: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

/// Puts the id back that was there before.
struct Entered(Option<Rc<str>>);

impl Entered {
    fn new(id: &Rc<str>) -> Self {
        Self(REQUEST.replace(Some(Rc::clone(id))))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        REQUEST.set(self.0.take());
    }
}

/// Runs a future, whose lines are about this request. Where it lies: it is large, and would be copied here for each request.
pub(super) async fn within<F: Future>(id: &Rc<str>, mut future: Pin<&mut F>) -> F::Output {
    poll_fn(|context| {
        let _entered = Entered::new(id);
        future.as_mut().poll(context)
    })
    .await
}

/// Writes the lines of some code about this request.
pub(super) fn about<T>(id: &Rc<str>, work: impl FnOnce() -> T) -> T {
    let _entered = Entered::new(id);
    work()
}

/// Makes lines.
pub(super) struct Lines(pub(super) LogFormat);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        match self.0 {
            LogFormat::Json => {
                line.write_str("{\"timestamp\":\"")?;
                write_time(&mut line, now())?;
                line.write_str("\",\"level\":\"")?;
                line.write_str(metadata.level().as_str())?;
                line.write_char('"')?;
                let mut fields = JsonFields(&mut line, Ok(()));
                event.record(&mut fields);
                fields.1?;
                line.write_str(",\"target\":")?;
                json_text(&mut line, metadata.target())?;
                REQUEST.with_borrow(|id| match id {
                    Some(id) => {
                        line.write_str(",\"request\":")?;
                        json_text(&mut line, id)
                    }
                    None => Ok(()),
                })?;
                line.write_str("}\n")
            }
            LogFormat::Human => {
                write_time(&mut line, now())?;
                let level = *metadata.level();
                if line.has_ansi_escapes() {
                    let (colour, level) = (colour(level), aligned(level));
                    write!(line, " \u{1b}[{colour}m{level}\u{1b}[0m ")?;
                } else {
                    line.write_char(' ')?;
                    line.write_str(aligned(level))?;
                    line.write_char(' ')?;
                }
                REQUEST.with_borrow(|id| match id {
                    Some(id) => {
                        line.write_str(id)?;
                        line.write_char(' ')
                    }
                    None => Ok(()),
                })?;
                line.write_str(metadata.target())?;
                line.write_char(':')?;
                let mut fields = TextFields(&mut line, Ok(()));
                event.record(&mut fields);
                fields.1?;
                line.write_char('\n')
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a log is read beside those of others, whatever time the product is told"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

/// An instant by RFC 3339, to the microsecond. The second is formatted once for all lines that fall into it.
fn write_time(line: &mut impl fmt::Write, at: SystemTime) -> fmt::Result {
    // A clock that stands before 1970 is wrong anyway.
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != since.as_secs() {
            let whole = i64::try_from(since.as_secs())
                .ok()
                .and_then(|whole| DateTime::from_timestamp(whole, 0))
                .unwrap_or_default();
            text.clear();
            write!(text, "{}", whole.format("%Y-%m-%dT%H:%M:%S"))?;
            *second = since.as_secs();
        }
        line.write_str(text)
    })?;
    // Six digits need no formatter.
    let (mut fraction, mut rest) = (*b".000000Z", since.subsec_micros());
    for digit in fraction[1..7].iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    line.write_str(std::str::from_utf8(&fraction).unwrap_or_default())
}

/// The level's name, to the right of five columns.
const fn aligned(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => " WARN",
        Level::INFO => " INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

const fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

/// Fields as members of a JSON object that has begun.
struct JsonFields<'a, 'w>(&'a mut Writer<'w>, fmt::Result);

impl JsonFields<'_, '_> {
    /// Piece by piece: what formats is called for a dozen fields a line.
    fn name(&mut self, name: &str) -> fmt::Result {
        self.0.write_str(",\"")?;
        self.0.write_str(name)?;
        self.0.write_str("\":")
    }

    fn put(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.1.is_ok() {
            self.1 = self.name(field.name()).and_then(|()| value(self.0));
        }
    }
}

impl Visit for JsonFields<'_, '_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for what isn't a number.
        self.put(field, |line| {
            if value.is_finite() {
                // With its point, so that a whole number stays of the field's kind.
                write!(line, "{value:?}")
            } else {
                line.write_str("null")
            }
        });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, |line| write!(line, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, |line| write!(line, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, |line| write!(line, "{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, |line| json_text(line, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, |line| {
            line.write_char('"')?;
            write!(JsonEscape(line), "{value:?}")?;
            line.write_char('"')
        });
    }
}

/// Fields as `name=value`, the message without its name.
struct TextFields<'a, 'w>(&'a mut Writer<'w>, fmt::Result);

impl TextFields<'_, '_> {
    fn name(&mut self, name: &str) -> fmt::Result {
        self.0.write_char(' ')?;
        if name == "message" {
            return Ok(());
        }
        self.0.write_str(name)?;
        self.0.write_char('=')
    }

    fn put(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.1.is_ok() {
            self.1 = self.name(field.name()).and_then(|()| value(self.0));
        }
    }
}

impl Visit for TextFields<'_, '_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, |line| write!(line, "{value:?}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, |line| write!(line, "{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.put(field, |line| LineEscape(line).write_str(value));
        } else if is_itself_quoted(value) {
            // As below, and a line has six of them.
            self.put(field, |line| {
                line.write_char('"')?;
                line.write_str(value)?;
                line.write_char('"')
            });
        } else {
            self.put(field, |line| write!(line, "{value:?}"));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, |line| write!(LineEscape(line), "{value:?}"));
    }
}

/// A JSON string.
fn json_text(line: &mut Writer<'_>, text: &str) -> fmt::Result {
    line.write_char('"')?;
    JsonEscape(line).write_str(text)?;
    line.write_char('"')
}

/// What is written within a JSON string (RFC 8259 §7).
struct JsonEscape<'a, 'w>(&'a mut Writer<'w>);

impl fmt::Write for JsonEscape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_escaped = |byte: u8| matches!(byte, 0..b' ' | b'"' | b'\\' | 0x7f);
        if all_bytes(text, |byte| !is_escaped(byte)) {
            return self.0.write_str(text);
        }
        let mut rest = text;
        while let Some(at) = rest.bytes().position(is_escaped) {
            self.0.write_str(&rest[..at])?;
            match rest.as_bytes()[at] {
                b'"' => self.0.write_str("\\\"")?,
                b'\\' => self.0.write_str("\\\\")?,
                b'\n' => self.0.write_str("\\n")?,
                other => write!(self.0, "\\u{other:04x}")?,
            }
            rest = &rest[at + 1..];
        }
        self.0.write_str(rest)
    }
}

/// Whether all bytes are so. Without a stop at the first that isn't, which a processor does many bytes at a time.
fn all_bytes(text: &str, are_so: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |all, byte| all & are_so(byte))
}

/// Whether it is printable ASCII, as nearly everything is that is logged.
fn is_plain(text: &str) -> bool {
    all_bytes(text, |byte| matches!(byte, b' '..=b'~'))
}

/// Whether it is plain and stays as it is between quotes: without a quote or a backslash.
fn is_itself_quoted(text: &str) -> bool {
    all_bytes(
        text,
        |byte| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~'),
    )
}

/// What is written on a line of text: nothing in it ends the line, or speaks to a terminal.
struct LineEscape<'a, 'w>(&'a mut Writer<'w>);

impl fmt::Write for LineEscape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if is_plain(text) || !text.contains(char::is_control) {
            return self.0.write_str(text);
        }
        for character in text.chars() {
            if character.is_control() {
                write!(self.0, "{}", character.escape_default())?;
            } else {
                self.0.write_char(character)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::pin::pin;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What the code logs.
    fn logged(format: LogFormat, work: impl FnOnce()) -> String {
        let written = Written::default();
        let sink = written.clone();
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || sink.clone())
            .event_format(Lines(format));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), work);
        String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
    }

    const HOSTILE: &str = "a\"b\\c\nd\u{1b}[31me\u{7f}ü";

    fn everything() {
        let id: Rc<str> = "an-id".into();
        about(&id, || {
            tracing::warn!(text = HOSTILE, shown = %HOSTILE, debug = ?[HOSTILE], whole = 7, less = -7_i64, part = 1.5, none = f64::NAN, yes = true, "said {HOSTILE}");
        });
        tracing::info!("about no request");
    }

    #[test]
    fn json_says_what_was_logged_however_hostile() {
        let text = logged(LogFormat::Json, everything);
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect();
        assert_eq!(lines.len(), 2, "{text}");
        let (first, second) = (&lines[0], &lines[1]);
        assert_eq!(
            (&first["level"], &first["request"]),
            (&"WARN".into(), &"an-id".into())
        );
        assert_eq!(
            (&first["text"], &first["shown"]),
            (&HOSTILE.into(), &HOSTILE.into())
        );
        assert_eq!(first["debug"], format!("{:?}", [HOSTILE]));
        assert_eq!(first["message"], format!("said {HOSTILE}"));
        assert_eq!(
            (&first["whole"], &first["less"], &first["part"]),
            (&7.into(), &(-7).into(), &1.5.into())
        );
        assert_eq!(
            (&first["none"], &first["yes"]),
            (&serde_json::Value::Null, &true.into())
        );
        assert!(
            first["target"]
                .as_str()
                .unwrap()
                .ends_with("log_format::tests")
        );
        assert!(first["timestamp"].as_str().unwrap().ends_with('Z'));
        assert!(second.get("request").is_none());
    }

    #[test]
    fn instants_are_written_as_they_are() {
        let written = |micros| {
            let mut text = String::new();
            write_time(&mut text, UNIX_EPOCH + Duration::from_micros(micros)).unwrap();
            text
        };
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (999_999, "1970-01-01T00:00:00.999999Z"),
            (1_000_000, "1970-01-01T00:00:01.000000Z"),
            (951_827_696_000_789, "2000-02-29T12:34:56.000789Z"),
            // The same second again, and one before it.
            (951_827_696_120_000, "2000-02-29T12:34:56.120000Z"),
            (951_827_695_000_000, "2000-02-29T12:34:55.000000Z"),
            (4_102_444_800_000_000, "2100-01-01T00:00:00.000000Z"),
        ] {
            assert_eq!(written(micros), text);
        }
        let mut text = String::new();
        write_time(&mut text, UNIX_EPOCH - Duration::from_secs(5)).unwrap();
        assert_eq!(text, "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn a_line_for_people_is_one_line_and_moves_no_cursor() {
        let text = logged(LogFormat::Human, everything);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(!text.contains(['\u{1b}', '\u{7f}']), "{text:?}");
        assert!(
            text.contains("  WARN an-id tessera::http::log_format::tests: said a\"b\\c\\nd"),
            "{text}"
        );
        assert!(
            text.contains(" whole=7 less=-7 part=1.5 none=NaN yes=true"),
            "{text}"
        );
        assert!(
            text.contains("  INFO tessera::http::log_format::tests: about no request\n"),
            "{text}"
        );
    }

    #[test]
    fn what_waits_leaves_its_request_behind() {
        let id: Rc<str> = "an-id".into();
        let mut waited = false;
        let waits = pin!(poll_fn(move |_| {
            assert_eq!(REQUEST.with_borrow(Clone::clone).as_deref(), Some("an-id"));
            if std::mem::replace(&mut waited, true) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        }));
        let mut future = pin!(within(&id, waits));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        assert!(REQUEST.with_borrow(Option::is_none));
        assert!(future.as_mut().poll(&mut context).is_ready());
    }
}
