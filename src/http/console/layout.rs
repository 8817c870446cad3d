//! The page around every view of the console.

use std::ops::Deref;

use super::notice::Notice;
use super::sections::Section;
use crate::http::pages::assets::File;
use crate::http::pages::views::Page;

/// An entry of the navigation.
#[derive(Debug)]
pub struct NavItem {
    /// Where it leads.
    pub href: String,
    /// The section.
    pub section: &'static Section,
}

/// Another tenant than that of the address.
#[derive(Debug)]
pub struct VisitedTenant {
    /// Whether it serves anything.
    pub active: bool,
    /// The way back to one's own console.
    pub back: String,
}

/// What stands around a view, held while it is rendered.
#[derive(Debug)]
pub struct Chrome {
    /// The sections that the visitor may see.
    pub nav: Vec<NavItem>,
    /// What to call them.
    pub person: String,
    /// Their address.
    pub email: String,
    /// For every form.
    pub csrf: String,
    /// What is said once.
    pub notice: Option<Notice>,
    /// The tenant in hand.
    pub tenant_name: String,
    /// Its slug.
    pub tenant_slug: String,
    /// Where that is another one than the visitor's own.
    pub visited: Option<VisitedTenant>,
    /// Whether they may visit others.
    pub operator: bool,
    /// What leads to the pages of the tenant in hand, without a trailing slash.
    pub base: String,
    /// What leads to the visitor's own console.
    pub home: String,
}

/// The page around a view. It is a [`Page`] too: `page.t(…)`, `page.ago(…)` and the rest work as on the other pages.
#[derive(Clone, Copy, Debug)]
pub struct Shell<'a> {
    page: Page<'a>,
    /// What stands around the view.
    pub chrome: &'a Chrome,
    section: &'a str,
}

impl<'a> Deref for Shell<'a> {
    type Target = Page<'a>;

    fn deref(&self) -> &Page<'a> {
        &self.page
    }
}

impl<'a> Shell<'a> {
    /// Around a view of the section with this path.
    pub const fn new(page: Page<'a>, chrome: &'a Chrome, section: &'a str) -> Self {
        Self {
            page,
            chrome,
            section,
        }
    }

    /// Whether the entry is that of the page shown.
    pub fn is_at(&self, item: &NavItem) -> bool {
        item.section.path == self.section
    }

    /// The section's name, for the phone's menu.
    pub fn section_name(&self) -> String {
        let found = self.chrome.nav.iter().find(|item| self.is_at(item));
        self.t(found.map_or("console", |item| item.section.label))
            .into_owned()
    }

    /// The address of a page of the tenant in hand.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.chrome.base)
    }

    /// The console's own stylesheet.
    pub fn console_sheet(&self) -> String {
        self.file(File::ConsoleStylesheet)
    }

    /// A moment to the minute, in UTC: an administrator compares it with logs.
    pub fn moment(&self, at: &crate::clock::Timestamp) -> String {
        at.format("%Y-%m-%d %H:%M UTC").to_string()
    }

    /// The letter in the person's tile.
    pub fn initial(&self) -> String {
        let letter = self
            .chrome
            .person
            .chars()
            .find(|letter| letter.is_alphanumeric());
        letter.map_or_else(String::new, |letter| letter.to_uppercase().collect())
    }
}
