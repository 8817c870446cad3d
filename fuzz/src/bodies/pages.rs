//! What is shown: hostile text in every page, and the languages that a browser asks for.

use askama::Template;
use chrono::TimeDelta;
use tessera::clock::Timestamp;
use tessera::http::pages::device;
use tessera::http::pages::messages::Messages;
use tessera::http::pages::views::{
    Account, AccountApplications, AccountChoice, AccountHome, AccountSessions, ApplicationItem,
    ChoosePassword, ClientMark, ConnectDevice, Consent, DetailItem, DeviceDone, EnterCode,
    ErrorPage, Form, FormPost, LinkSpent, Onward, OwnApplication, Page, PasswordRules,
    ProfileEntry, ResourceItem, ScopeItem, SelectAccount, SessionItem, SignIn, SignOut, SignedOut,
    TenantHome, TenantMark, Way, WebLink, Who,
};
use tessera::protocol::authorization_details::Words;

use super::text::{choice, lines, text};

/// Stands where a page shows what somebody chose; no page of ours has it otherwise.
const MARK: &str = "qZx7";

/// Renders every page with the input in every place, and looks for what the input could do there: nothing but stand as text.
pub fn pages(data: &[u8]) {
    let (kind, rest) = choice(data);
    let input = text(rest);
    let evil = format!("{MARK}<x y=\"{input}\"{MARK}'>");
    let all: Vec<Messages> = Messages::all().collect();
    let page = Page {
        messages: all[usize::from(kind) % all.len()],
        tenant: Some(TenantMark {
            name: &evil,
            slug: &evil,
            logo_uri: Some(&evil),
            brand_sheet: Some(&evil),
        }),
        base: &evil,
        static_base: "",
        now: Timestamp::UNIX_EPOCH + TimeDelta::days(20_000),
    };
    let [first, second] = lines(&input);
    let plain = render(page, "plain", WebLink::parse("https://a.example/"));
    let link = WebLink::parse(first).or_else(|| WebLink::parse(second));
    let hostile = render(page, &evil, link);
    for (plain, hostile) in plain.iter().zip(&hostile) {
        check(hostile);
        // However hostile the text, it adds no tag: both have as many as the template wrote.
        if link.is_some() {
            assert_eq!(
                plain.matches('<').count(),
                hostile.matches('<').count(),
                "{hostile}"
            );
        }
    }
}

fn check(html: &str) {
    for wrong in ["<x", &format!("{MARK}'")] {
        assert!(!html.contains(wrong), "{wrong} in {html}");
    }
    // Quotes only ever open and close the attributes that the template wrote.
    let mut inside = false;
    for tag in html.split('<').skip(1) {
        let end = tag
            .find('>')
            .unwrap_or_else(|| panic!("an open tag: {tag}"));
        assert!(!inside);
        inside = tag[..end].matches('"').count() % 2 == 1;
        assert!(!inside, "an attribute is broken out of: {tag}");
    }
    let lower = html.to_ascii_lowercase();
    for attribute in ["href=\"javascript:", "src=\"javascript:", "href=\"data:"] {
        assert!(!lower.contains(attribute), "{html}");
    }
}

/// What is asked for in detail, of this text.
fn words(text: &str) -> Words {
    Words {
        sentence: text.to_owned(),
        rest: vec![(text.to_owned(), text.to_owned())],
    }
}

/// The error page with the input in every place.
fn error_page<'a>(page: Page<'a>, text: &'a str) -> ErrorPage<'a> {
    ErrorPage {
        page,
        code: text,
        status: 400,
        description: text,
        request_id: text,
        onward: Some(Onward {
            host: text,
            way: Way::Form(text, vec![(text, text)]),
        }),
    }
}

/// Every page, with `text` wherever somebody may choose it.
fn render(page: Page<'_>, text: &str, link: Option<WebLink<'_>>) -> Vec<String> {
    let account = Account {
        name: text,
        username: text,
    };
    let client = ClientMark {
        name: text,
        logo_uri: link,
        client_uri: link,
        policy_uri: link,
        tos_uri: link,
    };
    let hidden = [(text, text)];
    let form = Form {
        action: text,
        csrf: text,
        hidden: &hidden,
    };
    let rules = PasswordRules {
        min_length: 8,
        max_length: 64,
        refuses_common: true,
    };
    let scope = ScopeItem {
        name: text,
        description: text,
    };
    let mut pages = vec![
        error_page(page, text).render(),
        SelectAccount {
            page,
            form,
            client: Some(client),
            accounts: vec![AccountChoice {
                value: text,
                account,
                signed_in: true,
            }],
            elsewhere: text,
            problem: None,
        }
        .render(),
        Consent {
            page,
            form,
            client,
            account,
            elsewhere: Some(text),
            scopes: vec![scope],
            resources: vec![ResourceItem {
                name: text,
                identifier: text,
                scopes: vec![scope],
                details: vec![words(text)],
            }],
            destination: text,
            problem: None,
        }
        .render(),
        FormPost {
            page,
            redirect_uri: text,
            parameters: vec![(text, text)],
        }
        .render(),
        ChoosePassword {
            page,
            form,
            username: text,
            rules,
            problem: None,
            new_problem: None,
            confirm_problem: None,
        }
        .render(),
        LinkSpent {
            page,
            request_id: text,
            sign_in: Some(text),
        }
        .render(),
    ];
    pages.extend(sign_in(page, form, client, account));
    pages.extend(outside(page, form, client));
    pages.extend(connecting(page, form, client, account));
    pages.extend(connecting(page, form, client, account));
    pages.extend(own_account(page, form, client, account));
    pages
        .into_iter()
        .map(|page| page.expect("a page"))
        .collect()
}

type Rendered = Result<String, askama::Error>;

fn sign_in<'a>(
    page: Page<'a>,
    form: Form<'a>,
    client: ClientMark<'a>,
    account: Account<'a>,
) -> impl Iterator<Item = Rendered> {
    let known = Who::Known {
        account,
        elsewhere: account.name,
    };
    let anyone = Who::Anyone {
        username: account.username,
    };
    [known, anyone].into_iter().map(move |who| {
        SignIn {
            page,
            form,
            client: Some(client),
            who,
            problem: None,
            username_problem: None,
            password_problem: None,
            notice: None,
        }
        .render()
    })
}

fn connecting<'a>(
    page: Page<'a>,
    form: Form<'a>,
    client: ClientMark<'a>,
    account: Account<'a>,
) -> [Rendered; 3] {
    let text = account.name;
    let scope = ScopeItem {
        name: text,
        description: text,
    };
    [
        EnterCode {
            page,
            form,
            account,
            elsewhere: text,
            user_code: text,
            code_problem: None,
            problem: None,
        }
        .render(),
        ConnectDevice {
            page,
            form,
            client,
            account,
            elsewhere: text,
            user_code: text,
            address: text,
            asked_at: page.now,
            scopes: vec![scope],
            resources: vec![ResourceItem {
                name: text,
                identifier: text,
                scopes: vec![scope],
                details: Vec::new(),
            }],
        }
        .render(),
        DeviceDone {
            page,
            client,
            allowed: true,
            applications: text,
        }
        .render(),
    ]
}

fn outside<'a>(page: Page<'a>, form: Form<'a>, client: ClientMark<'a>) -> [Rendered; 3] {
    let text = client.name;
    let account = Account {
        name: text,
        username: text,
    };
    [
        SignOut {
            page,
            form,
            account,
            stay: text,
        }
        .render(),
        SignedOut {
            page,
            sign_in: Some(text),
            frames: vec![text],
            onward: Some(text),
        }
        .render(),
        TenantHome {
            page,
            account: Some(account),
        }
        .render(),
    ]
}

fn own_account<'a>(
    page: Page<'a>,
    form: Form<'a>,
    client: ClientMark<'a>,
    account: Account<'a>,
) -> [Rendered; 3] {
    let (text, link) = (account.name, client.client_uri);
    [
        AccountHome {
            page,
            account,
            sign_out: text,
            requests: Some(1),
            profile: vec![ProfileEntry {
                claim: text,
                value: text,
                verified: Some(false),
            }],
            administers: true,
            notice: None,
        }
        .render(),
        AccountSessions {
            page,
            account,
            sign_out: text,
            requests: Some(1),
            form,
            sessions: vec![SessionItem {
                id: text,
                browser: text,
                system: text,
                address: text,
                signed_in_at: page.now,
                seen_at: page.now,
                current: false,
                shared: text,
            }],
            more: Some(text),
            problem: None,
            notice: None,
        }
        .render(),
        AccountApplications {
            page,
            account,
            sign_out: text,
            requests: Some(1),
            form,
            own: link
                .map(|start| OwnApplication { client, start })
                .into_iter()
                .collect(),
            applications: vec![ApplicationItem {
                id: text,
                client,
                start: link,
                scopes: vec![ScopeItem {
                    name: text,
                    description: text,
                }],
                details: vec![DetailItem {
                    words: words(text),
                    until: page.now,
                }],
                granted_at: Some(page.now),
            }],
            more: Some(text),
            problem: None,
            notice: None,
        }
        .render(),
    ]
}

/// `ui_locales`, `Accept-Language` and `User-Agent`: always one of the languages there are, and words of our own for a device.
pub fn languages(data: &[u8]) {
    let input = text(data);
    let [locales, accept, agent] = lines(&input);
    let chosen = Messages::negotiate(Some(locales), Some(accept));
    assert!(Messages::tags().any(|tag| tag == chosen.lang()));
    assert_eq!(
        Messages::negotiate(Some(chosen.lang()), Some(accept)).lang(),
        chosen.lang(),
        "a language that is asked for is spoken"
    );
    let device = device::describe(agent);
    for word in [device.browser, device.system] {
        assert!(word.len() < 20 && word.chars().all(|c| c.is_ascii_alphanumeric() || c == ' '));
    }
    let shown = chosen.format("device", [("browser", agent), ("system", locales)]);
    assert!(agent.is_empty() || shown.contains(agent), "{shown:?}");
}
