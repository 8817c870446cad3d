//! The two forms in which a command answers: text for people, one JSON document for programs.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::open::OpenError;
use crate::clock::Timestamp;
use crate::flows::admin::AdminError;
use crate::flows::provider::FlowError;
use crate::secret::PlainSecret;
use crate::storage::{Page, PageRequest, SchemaError};

/// The longest secret or document that is read, in bytes.
const INPUT_MAX: u64 = 1 << 20;

/// What a command has to say, in both forms.
#[derive(Debug)]
pub struct Report {
    document: Value,
    text: String,
}

impl Report {
    /// `document` for programs, `text` for people.
    pub fn new(document: impl Serialize, text: impl Into<String>) -> Self {
        Self {
            document: serde_json::to_value(document).unwrap_or(Value::Null),
            text: text.into(),
        }
    }

    /// The same with a sentence below what people read.
    #[must_use]
    pub fn with_text(mut self, sentence: &str) -> Self {
        self.text = format!("{}\n\n{sentence}", self.text.trim_end());
        self
    }

    /// Prints the form that was asked for.
    pub fn print(&self, output: Output) -> Result<(), Failure> {
        if output.is_json() {
            output.json(&self.document)
        } else {
            output.text(&self.text)
        }
    }
}

/// Standard output, and the form that was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    /// JSON or text.
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether one JSON document is wanted and nothing else.
    pub const fn is_json(self) -> bool {
        self.json
    }

    /// Prints a document.
    pub fn json(self, document: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(document)
            .map_err(|error| Failure::failed("output_failed", error))?;
        self.text(&text)
    }

    /// Prints a text. A reader that has gone away is none of our business.
    pub fn text(self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::failed("output_failed", error))
            }
            _ => Ok(()),
        }
    }
}

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    code: &'static str,
    message: String,
    exit: u8,
}

impl Failure {
    /// It could not be done, for a reason without a name of its own: exit 1.
    pub fn new(message: impl ToString) -> Self {
        Self::failed("failed", message)
    }

    /// It could not be done: exit 1.
    pub fn failed(code: &'static str, message: impl ToString) -> Self {
        Self {
            code,
            message: message.to_string(),
            exit: 1,
        }
    }

    /// It was asked for in a wrong way: exit 2.
    pub fn usage(message: impl ToString) -> Self {
        Self {
            code: "usage",
            message: message.to_string(),
            exit: 2,
        }
    }

    /// The process's exit status.
    pub fn exit(&self) -> u8 {
        self.exit
    }

    /// Prints the error to standard error.
    pub fn print(&self, output: Output) {
        let text = if output.is_json() {
            json!({ "error": self.code, "error_description": self.message }).to_string()
        } else {
            format!("tessera: {}", self.message)
        };
        let _ = writeln!(io::stderr(), "{text}");
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        Self::failed(error.code(), error)
    }
}

impl From<FlowError> for Failure {
    fn from(error: FlowError) -> Self {
        Self::from(AdminError::from(error))
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::failed(error.code(), error)
    }
}

impl From<SchemaError> for Failure {
    fn from(error: SchemaError) -> Self {
        Self::from(OpenError::from(error))
    }
}

/// Says something beside the answer, on standard error.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A table with aligned columns.
pub fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let clean = |cell: &str| {
        cell.chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect::<String>()
    };
    let lines = std::iter::once(headers.iter().map(|header| (*header).to_owned()).collect())
        .chain(
            rows.iter()
                .map(|row| row.iter().map(|cell| clean(cell)).collect()),
        )
        .collect::<Vec<Vec<String>>>();
    let width = |column: usize| {
        lines
            .iter()
            .filter_map(|line| line.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths = (0..headers.len()).map(width).collect::<Vec<_>>();
    let mut text = String::new();
    for line in &lines {
        let cells = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Names and values below each other; what has no value is left out.
pub fn fields(rows: &[(&str, String)]) -> String {
    let rows = rows
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .collect::<Vec<_>>();
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    rows.iter()
        .map(|(name, value)| format!("{name:<width$}  {value}"))
        .chain([String::new()])
        .collect::<Vec<_>>()
        .join("\n")
}

/// A moment, for people: to the second.
pub fn moment(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Which part of a list.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Listing {
    /// At most so many; all unless told
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Go on where a list with --limit ended
    #[arg(long, value_name = "CURSOR")]
    after: Option<Uuid>,
}

impl Listing {
    /// Fetches page after page.
    pub async fn collect<T>(
        self,
        mut fetch: impl AsyncFnMut(PageRequest) -> Result<Page<T>, AdminError>,
    ) -> Result<Page<T>, Failure> {
        let mut all = Page {
            items: Vec::new(),
            next: self.after,
        };
        loop {
            let left = self.limit.map_or(200, |limit| {
                limit - u32::try_from(all.items.len()).unwrap_or(limit)
            });
            let page = fetch(PageRequest {
                limit: Some(left.min(200)),
                after: all.next,
            })
            .await?;
            all.items.extend(page.items);
            all.next = page.next;
            if all.next.is_none()
                || self
                    .limit
                    .is_some_and(|limit| all.items.len() >= limit as usize)
            {
                return Ok(all);
            }
        }
    }
}

/// A list in both forms; `name` is the member of the document that holds it.
pub fn list(
    name: &str,
    page: &Page<Value>,
    headers: &[&str],
    rows: &[Vec<String>],
    when_empty: &str,
) -> Report {
    let mut document = serde_json::Map::new();
    document.insert(name.to_owned(), page.items.clone().into());
    let mut text = if rows.is_empty() {
        format!("{when_empty}\n")
    } else {
        table(headers, rows)
    };
    if let Some(next) = page.next {
        document.insert("next".to_owned(), next.to_string().into());
        text = format!("{text}\nThere are more: go on with --after {next}\n");
    }
    Report::new(document, text)
}

/// Leave to do something that can't be undone.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Confirmation {
    /// Don't ask whether it is meant
    #[arg(long)]
    yes: bool,
}

impl Confirmation {
    /// Asks at a terminal; elsewhere `--yes` has to be there.
    pub fn obtain(self, consequences: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !is_at_terminal() {
            return Err(Failure::usage(format!(
                "{consequences}\nIf that is what you want, add --yes."
            )));
        }
        Self::ask(consequences)
    }

    /// Asks at a terminal, and nowhere else: scripts that delete one of many things have always done so without a word.
    pub fn obtain_at_terminal(self, consequences: &str) -> Result<(), Failure> {
        if self.yes || !is_at_terminal() {
            return Ok(());
        }
        Self::ask(consequences)
    }

    fn ask(consequences: &str) -> Result<(), Failure> {
        let _ = write!(
            io::stderr(),
            "{consequences}\nIs that what you want? [y/N] "
        );
        let mut answer = String::new();
        let _ = io::stdin().read_line(&mut answer);
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            Ok(())
        } else {
            Err(Failure::failed("refused", "nothing was changed"))
        }
    }
}

/// Whether somebody is there to be asked.
fn is_at_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Reads a secret from standard input: all of it but a line ending.
pub fn secret_from_stdin() -> Result<PlainSecret, Failure> {
    if io::stdin().is_terminal() {
        note("Type the password and press Enter, then Ctrl-D (it is shown as you type):");
    }
    secret_from(io::stdin().lock(), "standard input")
}

/// Reads a secret from a file: all of it but a line ending.
pub fn secret_from_file(path: &Path) -> Result<PlainSecret, Failure> {
    let file = std::fs::File::open(path).map_err(|error| {
        Failure::failed("unreadable_file", format!("{}: {error}", path.display()))
    })?;
    secret_from(file, &path.display().to_string())
}

fn secret_from(source: impl io::Read, name: &str) -> Result<PlainSecret, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(4096));
    source
        .take(INPUT_MAX)
        .read_to_string(&mut text)
        .map_err(|error| Failure::failed("unreadable_input", format!("{name}: {error}")))?;
    let line = text.strip_suffix('\n').map_or(text.as_str(), |line| {
        line.strip_suffix('\r').unwrap_or(line)
    });
    Ok(PlainSecret::new(line.to_owned()))
}

/// Reads a JSON document from a file, or from standard input where it is called `-`.
pub fn json_from_file(path: &Path) -> Result<Value, Failure> {
    let wrong = |problem: String| {
        Failure::failed("unreadable_file", format!("{}: {problem}", path.display()))
    };
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(INPUT_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(INPUT_MAX).read_to_string(&mut text))
    };
    read.map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| wrong(format!("isn't valid JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_hold_no_control_characters() {
        let rows = vec![
            vec!["acme".to_owned(), "Acmé".to_owned()],
            vec!["globex-two".to_owned(), "a\u{1b}[31m".to_owned()],
        ];
        assert_eq!(
            table(&["SLUG", "NAME"], &rows),
            "SLUG        NAME\nacme        Acmé\nglobex-two  a [31m\n"
        );
    }

    #[test]
    fn one_line_ending_is_no_part_of_a_secret() {
        for (input, secret) in [
            ("a b\n", "a b"),
            ("a\r\n", "a"),
            ("a\n\n", "a\n"),
            (" a ", " a "),
            ("", ""),
        ] {
            assert_eq!(secret_from(input.as_bytes(), "").unwrap().expose(), secret);
        }
    }
}
