//! Pages of the usual kinds, which several sections fill: a list, a form, and everything about one thing.

use askama::Template;

use super::layout::Shell;
use super::parts::{Cell, Choice, Draft, Empty, Field, FieldKind, Pager, Table, Tone, faulty};
use crate::flows::admin::AdminError;

/// Something to press.
#[derive(Clone, Debug)]
pub struct Act {
    /// Its element's id.
    pub id: &'static str,
    /// Where it leads, or is sent.
    pub href: String,
    /// What it says.
    pub label: String,
    /// How it is pressed.
    pub kind: ActKind,
}

/// How something is pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActKind {
    /// It leads to another page.
    Link,
    /// It leads to a page that asks first.
    Danger,
    /// It is done at once, with what is sent.
    Post(Vec<(&'static str, String)>),
}

impl Act {
    /// It leads to another page.
    pub fn link(id: &'static str, href: String, label: impl Into<String>) -> Self {
        Self {
            id,
            href,
            label: label.into(),
            kind: ActKind::Link,
        }
    }

    /// It leads to a page that asks first.
    pub fn danger(id: &'static str, href: String, label: impl Into<String>) -> Self {
        Self {
            kind: ActKind::Danger,
            ..Self::link(id, href, label)
        }
    }

    /// It is done at once.
    pub fn post(id: &'static str, href: String, label: impl Into<String>) -> Self {
        Self {
            kind: ActKind::Post(Vec::new()),
            ..Self::link(id, href, label)
        }
    }
}

/// A list with its search.
#[derive(Template)]
#[template(path = "console/list_sheet.html")]
pub struct ListSheet<'a> {
    /// The page around it.
    pub page: Shell<'a>,
    /// What is listed.
    pub title: String,
    /// What there is to know of it; may be empty.
    pub lede: String,
    /// What can be done first of all.
    pub acts: Vec<Act>,
    /// What is searched for, and how the search is called.
    pub search: Option<(String, String)>,
    /// Where the search is sent.
    pub address: String,
    /// What was found.
    pub table: Table,
    /// What stands there otherwise.
    pub empty: Empty,
    /// Further pages.
    pub pager: Pager,
}

/// A field, or a number with its unit.
#[derive(Clone, Debug)]
pub enum Row {
    /// A field.
    Field(Field),
    /// A number, and the menu of its units.
    Span(Field, Vec<Choice>),
}

impl Row {
    /// What is filled in.
    pub const fn field(&self) -> &Field {
        match self {
            Self::Field(field) | Self::Span(field, _) => field,
        }
    }
}

/// Where fields are folded away at first: in a form that is long otherwise.
#[derive(Clone, Debug)]
pub struct Fold {
    /// The id of its element.
    pub id: &'static str,
    /// What is in it, in a few words.
    pub about: String,
    /// Whether it is unfolded nevertheless.
    pub open: bool,
}

/// Fields that belong together.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they are about; may be empty.
    pub title: String,
    /// The fold that they are in.
    pub fold: Option<Fold>,
    /// The fields.
    pub rows: Vec<Row>,
}

impl Group {
    /// Fields without a heading.
    pub fn plain(fields: Vec<Field>) -> Vec<Self> {
        vec![Self {
            title: String::new(),
            fold: None,
            rows: fields.into_iter().map(Row::Field).collect(),
        }]
    }
}

/// The look of a sign-in page that isn't saved yet.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The stylesheet with its colours.
    pub sheet: String,
    /// Where such stylesheets come from, for other colours.
    pub address: String,
    /// The logo.
    pub logo: Option<String>,
    /// What is to be known of it.
    pub notes: Vec<String>,
}

/// A form.
#[derive(Template)]
#[template(path = "console/form_sheet.html")]
pub struct FormSheet<'a> {
    /// The page around it.
    pub page: Shell<'a>,
    /// The page above, and its name.
    pub back: Option<(String, String)>,
    /// What is filled in.
    pub title: String,
    /// What there is to know first; may be empty.
    pub lede: String,
    /// What will happen, each in a sentence.
    pub consequences: Vec<String>,
    /// What somebody else did meanwhile; may be empty.
    pub stale: String,
    /// What is wrong with no field.
    pub problems: Vec<String>,
    /// Where it is sent.
    pub action: String,
    /// What is sent with it.
    pub hidden: Vec<(&'static str, String)>,
    /// What is filled in.
    pub groups: Vec<Group>,
    /// How it looks.
    pub preview: Option<Preview>,
    /// The button.
    pub button: String,
    /// Whether the button does what can't be taken back.
    pub danger: bool,
    /// Where one goes who doesn't want it.
    pub cancel: String,
}

impl FormSheet<'_> {
    /// The same where somebody else came first: nothing was saved, and each field that differs says what is stored now.
    #[must_use]
    pub fn beside(mut self, draft: &Draft, stored: &Draft) -> Self {
        self.stale = self.page.t("stale-beside").into_owned();
        for group in &mut self.groups {
            let mut differs = false;
            for row in &mut group.rows {
                if let Row::Field(field) = row {
                    differs |= field.compare(&self.page, draft, stored);
                }
            }
            if let Some(fold) = &mut group.fold {
                fold.open |= differs;
            }
        }
        self
    }

    /// Whether some of it is folded away. A browser can't point at a field there, so that what is wrong is left to the server to say.
    fn is_folded(&self) -> bool {
        self.groups.iter().any(|group| group.fold.is_some())
    }

    /// What wasn't accepted, where the form is too long to see it.
    fn faults(&self) -> Vec<&Field> {
        if self.is_folded() {
            faulty(
                self.groups
                    .iter()
                    .flat_map(|group| group.rows.iter().map(Row::field)),
            )
        } else {
            Vec::new()
        }
    }
}

/// A fact, to read or to copy.
#[derive(Clone, Debug)]
pub struct Fact {
    /// What it is.
    pub label: String,
    /// What it says; none where it isn't set.
    pub values: Vec<String>,
    /// Whether it is copied, as opposed to read.
    pub is_code: bool,
    /// Where there is more.
    pub href: Option<String>,
}

impl Fact {
    /// Words.
    pub fn said(label: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            values: vec![text.into()],
            is_code: false,
            href: None,
        }
    }

    /// Something to copy.
    pub fn code(label: impl Into<String>, values: Vec<String>) -> Self {
        Self {
            label: label.into(),
            values,
            is_code: true,
            href: None,
        }
    }
}

/// Facts that belong together.
#[derive(Clone, Debug)]
pub struct FactGroup {
    /// What they are about; may be empty.
    pub title: String,
    /// What there is to know of them; may be empty.
    pub text: String,
    /// The facts.
    pub facts: Vec<Fact>,
}

/// Everything about one thing.
#[derive(Template)]
#[template(path = "console/detail_sheet.html")]
pub struct DetailSheet<'a> {
    /// The page around it.
    pub page: Shell<'a>,
    /// The list above, and its name.
    pub back: Option<(String, String)>,
    /// What it is called.
    pub title: String,
    /// Its states.
    pub badges: Vec<(Tone, String)>,
    /// What there is to know first; may be empty.
    pub lede: String,
    /// What didn't work.
    pub problems: Vec<String>,
    /// What can be done.
    pub acts: Vec<Act>,
    /// What is known.
    pub groups: Vec<FactGroup>,
}

/// Puts what is wrong beside its field: a name that is taken beside `field`. Gives back what is a page of its own.
pub fn take(
    page: Shell<'_>,
    draft: &mut Draft,
    field: &str,
    taken: &str,
    error: AdminError,
) -> Result<(), AdminError> {
    match error {
        AdminError::Exists { .. } => {
            draft.blame(field, taken);
            Ok(())
        }
        error => draft.take(page, error),
    }
}
