//! What the console's views are made of: fields of forms, tables, lists in pages. Templates show them by the macros of
//! `templates/console/parts.html`.

use uuid::Uuid;

use super::kept::SECRETS;
use super::layout::Shell;
use super::reasons;
use crate::clock::Timestamp;
use crate::flows::admin::AdminError;
use crate::flows::browser::CheckedForm;
use crate::protocol::Params;
use crate::storage::PageRequest;

/// How many rows a list has on a page.
pub const ROWS: u32 = 25;

/// What somebody typed into a form, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    values: Vec<(String, String)>,
    problems: Vec<(String, String)>,
}

impl Draft {
    /// A form as it is first shown.
    pub fn new<'a>(values: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        Self {
            values: values
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            problems: Vec::new(),
        }
    }

    /// What was sent under these names.
    pub fn sent(form: &CheckedForm, names: &[&str]) -> Self {
        let values = names.iter().flat_map(|name| {
            form.inputs(name)
                .map(|value| ((*name).to_owned(), value.trim().to_owned()))
                .collect::<Vec<_>>()
        });
        Self {
            values: values.collect(),
            problems: Vec::new(),
        }
    }

    /// What was asked for under these names, in an address.
    pub fn asked(params: &Params, names: &[&str]) -> Self {
        let values = names.iter().filter_map(|name| {
            let value = params.get(name).ok().flatten()?;
            Some(((*name).to_owned(), value.trim().to_owned()))
        });
        Self {
            values: values.collect(),
            problems: Vec::new(),
        }
    }

    /// With what `stored` holds under these names: of fields that weren't sent at all, as the page is older than they are.
    #[must_use]
    pub fn with(mut self, stored: &Self, names: &[&str]) -> Self {
        self.values.extend(names.iter().map(|name| {
            let kept = stored.value(name).to_owned();
            ((*name).to_owned(), kept)
        }));
        self
    }

    /// A field's value; empty where there is none.
    pub fn value(&self, name: &str) -> &str {
        let found = self.values.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// A field's value, where it isn't empty.
    pub fn given(&self, name: &str) -> Option<&str> {
        Some(self.value(name)).filter(|value| !value.is_empty())
    }

    /// All values of one name: ticked boxes.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The lines of a field that aren't empty.
    pub fn lines(&self, name: &str) -> Vec<String> {
        let lines = self.value(name).lines().map(str::trim);
        lines
            .filter(|line| !line.is_empty())
            .map(ToOwned::to_owned)
            .collect()
    }

    /// Says what is wrong with a field.
    pub fn blame(&mut self, name: &str, problem: impl Into<String>) {
        self.problems.push((name.to_owned(), problem.into()));
    }

    /// Takes an error that is about what was typed; gives back any other, which is a page of its own.
    pub fn take(&mut self, page: Shell<'_>, error: AdminError) -> Result<(), AdminError> {
        match error {
            AdminError::Invalid { field, reason } => {
                self.blame(&field, reasons::in_words(page, &reason));
            }
            AdminError::Password(problem) => {
                self.blame("password", reasons::of_password(page, problem));
            }
            // About no field, but what was typed mustn't be lost for it.
            AdminError::Refused(reason) => self.blame("", reasons::in_words(page, &reason)),
            error => return Err(error),
        }
        Ok(())
    }

    /// What is wrong with a field.
    pub fn problem(&self, name: &str) -> Option<&str> {
        let found = self.problems.iter().find(|(known, _)| known == name);
        found.map(|(_, problem)| problem.as_str())
    }

    /// Whether anything is wrong.
    pub fn is_wrong(&self) -> bool {
        !self.problems.is_empty()
    }

    /// What is wrong with none of these fields, to be said above the form.
    pub fn other_problems(&self, fields: &[Field]) -> Vec<String> {
        let others = self
            .problems
            .iter()
            .filter(|(name, _)| !fields.iter().any(|field| field.name == *name));
        others
            .map(|(name, problem)| match name.as_str() {
                "" => problem.clone(),
                name => format!("{name}: {problem}"),
            })
            .collect()
    }
}

/// A field of a form.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name, and its element's id.
    pub name: &'static str,
    /// What stands above it.
    pub label: String,
    /// What stands below the label.
    pub hint: Option<String>,
    /// What it holds.
    pub value: String,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// Whether it must be filled in.
    pub required: bool,
    /// Its kind.
    pub kind: FieldKind,
}

/// Those with something wrong in them, to be named above a long form: they may be far below, or were folded away.
pub fn faulty<'a>(fields: impl IntoIterator<Item = &'a Field>) -> Vec<&'a Field> {
    fields
        .into_iter()
        .filter(|field| field.problem.is_some())
        .collect()
}

/// Kinds of fields.
#[derive(Clone, Debug)]
pub enum FieldKind {
    /// One line; the `type` of the input: `text`, `email`, `url`, `number`, `date`, `search`.
    Line(&'static str),
    /// Several lines; how many are seen.
    Lines(u8),
    /// One of several, in a menu.
    Menu(Vec<Choice>),
    /// One of several, all seen.
    Radio(Vec<Choice>),
    /// Any of several.
    Boxes(Vec<Choice>),
    /// Yes or no; sent as `1` or not at all.
    Box,
}

/// One of several.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What it is called.
    pub label: String,
    /// What it means.
    pub hint: Option<String>,
    /// Whether it is chosen.
    pub chosen: bool,
}

impl Choice {
    /// One that isn't chosen.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            label: label.into(),
            hint: None,
            chosen: false,
        }
    }

    /// With what it means.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Field {
    /// A field of this kind.
    pub fn new(name: &'static str, label: impl Into<String>, kind: FieldKind) -> Self {
        let is_secret = matches!(kind, FieldKind::Line("password"));
        debug_assert!(
            !is_secret || SECRETS.contains(&name),
            "{name} would be kept"
        );
        Self {
            name,
            label: label.into(),
            hint: None,
            value: String::new(),
            problem: None,
            required: false,
            kind,
        }
    }

    /// A line of text.
    pub fn text(name: &'static str, label: impl Into<String>) -> Self {
        Self::new(name, label, FieldKind::Line("text"))
    }

    /// With what is to be known before it is filled in.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// One that must be filled in.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// With what a draft holds, and what is wrong with that.
    #[must_use]
    pub fn of(mut self, draft: &Draft) -> Self {
        draft.value(self.name).clone_into(&mut self.value);
        self.problem = draft.problem(self.name).map(ToOwned::to_owned);
        if let FieldKind::Menu(choices) | FieldKind::Radio(choices) | FieldKind::Boxes(choices) =
            &mut self.kind
        {
            for choice in choices {
                choice.chosen = draft.values(self.name).any(|value| value == choice.value);
            }
        }
        self
    }

    /// Says what is stored now where that isn't what the draft holds; whether it isn't.
    pub fn compare(&mut self, page: &Shell<'_>, draft: &Draft, stored: &Draft) -> bool {
        let name = self.name;
        let all = |draft: &Draft| {
            let values = draft.values(name).flat_map(str::lines);
            values.map(str::trim).collect::<Vec<_>>().join(" ")
        };
        let now = all(stored);
        if now == all(draft) {
            return false;
        }
        let now = match (&self.kind, now.as_str()) {
            (FieldKind::Box, "") => page.t("stored-off").into_owned(),
            (FieldKind::Box, _) => page.t("stored-on").into_owned(),
            (_, "") => page.t("nothing").into_owned(),
            _ => now,
        };
        let now = page.f("stored-now", "value", &now);
        self.hint = Some(match self.hint.take() {
            Some(hint) => format!("{hint} {now}"),
            None => now,
        });
        true
    }

    /// The ids of what describes it, for `aria-describedby`.
    pub fn described_by(&self) -> String {
        let hint = self.hint.as_ref().map(|_| format!("{}-hint", self.name));
        let problem = self
            .problem
            .as_ref()
            .map(|_| format!("{}-problem", self.name));
        [problem, hint]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// What part of a list is asked for: `?q=` and `?after=`.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// What is searched for.
    pub search: Option<String>,
    /// The last row of the page before.
    pub after: Option<Uuid>,
    others: Vec<(String, String)>,
}

impl ListQuery {
    /// From an address. `kept` are further parameters that the next page needs.
    pub fn of(params: &Params, kept: &[&str]) -> Self {
        let value = |name: &str| {
            let value = params.get(name).ok().flatten()?.trim();
            (!value.is_empty()).then(|| value.to_owned())
        };
        Self {
            search: value("q"),
            after: value("after").and_then(|after| Uuid::try_parse(&after).ok()),
            others: kept
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), value(name)?)))
                .collect(),
        }
    }

    /// For the flows.
    pub fn page(&self) -> PageRequest {
        PageRequest {
            limit: Some(ROWS),
            after: self.after,
        }
    }

    /// The links below the list.
    pub fn pager(&self, address: &str, next: Option<Uuid>) -> Pager {
        let link = |after: Option<Uuid>| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in &self.others {
                query.append_pair(name, value);
            }
            if let Some(search) = &self.search {
                query.append_pair("q", search);
            }
            if let Some(after) = after {
                query.append_pair("after", &after.to_string());
            }
            match query.finish() {
                query if query.is_empty() => address.to_owned(),
                query => format!("{address}?{query}"),
            }
        };
        Pager {
            first: self.after.is_some().then(|| link(None)),
            next: next.map(|next| link(Some(next))),
        }
    }
}

/// The links below a list.
#[derive(Clone, Debug, Default)]
pub struct Pager {
    /// To the first page, from any other.
    pub first: Option<String>,
    /// To the next one.
    pub next: Option<String>,
}

/// A table; on a phone each row is a card.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// What it is, for screen readers.
    pub caption: String,
    /// The columns' names.
    pub columns: Vec<String>,
    /// The rows; the first cell names the row.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// The name of a column.
    pub fn column(&self, index: &usize) -> &str {
        self.columns.get(*index).map_or("", String::as_str)
    }
}

/// A cell of a table.
#[derive(Clone, Debug)]
pub enum Cell {
    /// Words.
    Text(String),
    /// Words that lead somewhere, and what is said below them.
    Link {
        /// Where to.
        href: String,
        /// The words.
        text: String,
        /// Below them; may be empty.
        detail: String,
    },
    /// An identifier or the like.
    Code(String),
    /// A state.
    Badge(Tone, String),
    /// A moment.
    Moment {
        /// In words.
        text: String,
        /// To the minute.
        exact: String,
        /// For machines.
        iso: String,
    },
}

impl Cell {
    /// A moment.
    pub fn moment(page: &Shell<'_>, at: &Timestamp) -> Self {
        Self::Moment {
            text: page.ago(at),
            exact: page.moment(at),
            iso: at.to_rfc3339(),
        }
    }
}

/// How a state is to be felt about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It is as it should be.
    Good,
    /// Neither.
    Quiet,
    /// Somebody should look.
    Bad,
}

impl Tone {
    /// The class of its badge.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "badge badge-good",
            Self::Quiet => "badge",
            Self::Bad => "badge badge-bad",
        }
    }
}

/// What stands where a list is empty.
#[derive(Clone, Debug)]
pub struct Empty {
    /// What there would be.
    pub title: String,
    /// What to do first.
    pub text: String,
    /// Where that is done, and its name.
    pub action: Option<(String, String)>,
}

impl Empty {
    /// Where a search found nothing.
    pub fn nothing_found(page: &Shell<'_>) -> Self {
        Self {
            title: page.t("nothing-found").into_owned(),
            text: page.t("nothing-found-text").into_owned(),
            action: None,
        }
    }
}

/// A page that asks before something is done that can't be taken back.
#[derive(askama::Template)]
#[template(path = "console/confirm.html")]
pub struct Confirm<'a> {
    /// The page around it.
    pub page: Shell<'a>,
    /// The question.
    pub title: String,
    /// What it is about.
    pub lede: String,
    /// What will happen, each in a sentence.
    pub consequences: Vec<String>,
    /// Where the answer is sent.
    pub action: String,
    /// What is sent with it.
    pub hidden: Vec<(&'static str, String)>,
    /// The button.
    pub button: String,
    /// Where one goes who doesn't want it.
    pub back: String,
}
