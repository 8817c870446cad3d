//! Sample contexts of every view: empty, ordinary, wrong, and extreme. Tests render them all in every language, and
//! `cargo run --example gallery` writes them to a folder, so that anyone can look.

#![expect(
    clippy::too_many_lines,
    reason = "a list of samples is a table, and reads best whole"
)]

mod account;
mod device;
mod entry;
mod requests;
mod sign_in;

use askama::Template;
use chrono::TimeDelta;

use super::messages::Messages;
use super::views::{
    Account, AccountApplications, AccountHome, AccountPassword, AccountRequests, AccountSessions,
    AnswerRequest, ChoosePassword, ClientMark, ConnectDevice, Consent, DeviceDone, EnterCode,
    ErrorPage, Form, FormPost, Landing, LinkSpent, Page, RequestAnswered, ScopeItem, SelectAccount,
    SignIn, SignOut, SignedOut, TenantHome, TenantMark, WebLink,
};
use crate::clock::Timestamp;

/// A view that can show itself.
pub trait Sample: Template + Sized {
    /// The view's name, `sign_in` for example.
    const NAME: &'static str;

    /// Named contexts; at least one of them is `hostile`, if the view shows anything that people choose.
    fn samples(messages: Messages) -> Vec<(&'static str, Self)>;
}

/// A rendered sample.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The view's name.
    pub view: &'static str,
    /// The sample's name.
    pub sample: &'static str,
    /// The language's tag.
    pub lang: &'static str,
    /// The page.
    pub html: String,
}

/// Every sample of every view in one language.
pub fn render_all(messages: Messages) -> Result<Vec<Rendered>, askama::Error> {
    let mut pages = Vec::new();
    render::<SignIn<'static>>(messages, &mut pages)?;
    render::<SelectAccount<'static>>(messages, &mut pages)?;
    render::<Consent<'static>>(messages, &mut pages)?;
    render::<EnterCode<'static>>(messages, &mut pages)?;
    render::<ConnectDevice<'static>>(messages, &mut pages)?;
    render::<DeviceDone<'static>>(messages, &mut pages)?;
    render::<AnswerRequest<'static>>(messages, &mut pages)?;
    render::<RequestAnswered<'static>>(messages, &mut pages)?;
    render::<SignOut<'static>>(messages, &mut pages)?;
    render::<SignedOut<'static>>(messages, &mut pages)?;
    render::<ErrorPage<'static>>(messages, &mut pages)?;
    render::<ChoosePassword<'static>>(messages, &mut pages)?;
    render::<LinkSpent<'static>>(messages, &mut pages)?;
    render::<FormPost<'static>>(messages, &mut pages)?;
    render::<TenantHome<'static>>(messages, &mut pages)?;
    render::<Landing<'static>>(messages, &mut pages)?;
    render::<AccountHome<'static>>(messages, &mut pages)?;
    render::<AccountPassword<'static>>(messages, &mut pages)?;
    render::<AccountSessions<'static>>(messages, &mut pages)?;
    render::<AccountApplications<'static>>(messages, &mut pages)?;
    render::<AccountRequests<'static>>(messages, &mut pages)?;
    Ok(pages)
}

fn render<S: Sample>(messages: Messages, pages: &mut Vec<Rendered>) -> Result<(), askama::Error> {
    for (sample, view) in S::samples(messages) {
        pages.push(Rendered {
            view: S::NAME,
            sample,
            lang: messages.lang(),
            html: view.render()?,
        });
    }
    Ok(())
}

/// Two hundred characters without a place to break.
pub const LONG: &str = "WolfeschlegelsteinhausenbergerdorffWolfeschlegelsteinhausenbergerdorffWolfeschlegelsteinhausenbergerdorffWolfeschlegelsteinhausenbergerdorffWolfeschlegelsteinhausenbergerdorffWolfeschlegelsteinhausenber";
/// What somebody might choose for a name to break out of a page.
pub const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>";
/// A name that is written from right to left.
pub const RTL: &str = "שירותי כניסה";

/// Where the sample logos are, a bitmap each; the gallery replaces it by files of its own.
pub const LOGOS: &str = "https://cdn.example/";

fn page(messages: Messages, tenant: TenantMark<'static>) -> Page<'static> {
    Page {
        messages,
        tenant: Some(tenant),
        base: "/t/acme",
        static_base: "",
        now: now(),
    }
}

fn bare(messages: Messages) -> Page<'static> {
    Page {
        messages,
        tenant: None,
        base: "",
        static_base: "",
        now: now(),
    }
}

/// 23 November 2026, 14:00 UTC.
fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH + TimeDelta::seconds(1_795_442_400)
}

const ACME: TenantMark<'static> = TenantMark {
    name: "Acme",
    slug: "acme",
    logo_uri: None,
    brand_sheet: None,
};
const GLOBEX: TenantMark<'static> = TenantMark {
    name: "Globex Corporation",
    slug: "globex",
    logo_uri: Some("https://cdn.example/globex.png"),
    brand_sheet: Some("/t/acme/branding.css?v=globex"),
};
const CITRUS: TenantMark<'static> = TenantMark {
    name: "Citrus & Söhne",
    slug: "citrus",
    logo_uri: None,
    brand_sheet: Some("/t/acme/branding.css?v=citrus"),
};
const ENDLESS: TenantMark<'static> = TenantMark {
    name: LONG,
    slug: "endless",
    logo_uri: None,
    brand_sheet: None,
};
const HOSTILE_TENANT: TenantMark<'static> = TenantMark {
    name: HOSTILE,
    slug: "hostile",
    logo_uri: None,
    brand_sheet: None,
};
const RTL_TENANT: TenantMark<'static> = TenantMark {
    name: RTL,
    slug: "rtl",
    logo_uri: None,
    brand_sheet: None,
};

const ADA: Account<'static> = Account {
    name: "Ada Lovelace",
    username: "ada@acme.example",
};
const NAMELESS: Account<'static> = Account {
    name: "",
    username: "grace@acme.example",
};
const HOSTILE_ACCOUNT: Account<'static> = Account {
    name: HOSTILE,
    username: HOSTILE,
};
const ENDLESS_ACCOUNT: Account<'static> = Account {
    name: LONG,
    username: LONG,
};
const RTL_ACCOUNT: Account<'static> = Account {
    name: "עדה לאבלייס",
    username: "ada@דוגמה.example",
};

fn scope(name: &'static str, description: &'static str) -> ScopeItem<'static> {
    ScopeItem { name, description }
}

fn form(action: &'static str) -> Form<'static> {
    Form {
        action,
        csrf: "csrf-token",
        hidden: &[("request", "areq_0123456789")],
    }
}

fn hostile_form() -> Form<'static> {
    Form {
        action: HOSTILE,
        csrf: HOSTILE,
        hidden: &[(HOSTILE, HOSTILE)],
    }
}

fn orders() -> ClientMark<'static> {
    ClientMark {
        name: "Orders",
        logo_uri: WebLink::parse("https://cdn.example/orders.png"),
        client_uri: WebLink::parse("https://orders.example/"),
        policy_uri: WebLink::parse("https://orders.example/privacy"),
        tos_uri: WebLink::parse("https://orders.example/terms"),
    }
}
