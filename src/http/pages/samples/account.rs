//! Samples of the pages under `/account`.

use chrono::TimeDelta;

use super::{
    ACME, ADA, CITRUS, ENDLESS, ENDLESS_ACCOUNT, GLOBEX, HOSTILE, HOSTILE_ACCOUNT, HOSTILE_TENANT,
    LONG, NAMELESS, RTL, RTL_TENANT, Sample, entry::RULES, form, hostile_form, now, orders, page,
};
use crate::http::pages::{
    messages::Messages,
    views::{
        AccountApplications, AccountHome, AccountPassword, AccountSessions, ApplicationItem,
        ClientMark, DetailItem, Notice, OwnApplication, Problem, ProfileEntry, ScopeItem,
        SessionItem, WebLink,
    },
};
use crate::protocol::authorization_details::Words;

const SIGN_OUT: &str = "/t/acme/logout";

fn known(claim: &'static str, value: &'static str) -> ProfileEntry<'static> {
    ProfileEntry {
        claim,
        value,
        verified: None,
    }
}

impl Sample for AccountHome<'static> {
    const NAME: &'static str = "account_home";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            account: ADA,
            sign_out: SIGN_OUT,
            requests: None,
            profile: vec![
                known("name", "Ada Lovelace"),
                ProfileEntry {
                    claim: "email",
                    value: "ada@acme.example",
                    verified: Some(true),
                },
                ProfileEntry {
                    claim: "phone_number",
                    value: "+44 20 7946 0018",
                    verified: Some(false),
                },
                known("locale", "en-GB"),
            ],
            administers: false,
            notice: None,
        };
        let everything = [
            "given_name",
            "middle_name",
            "family_name",
            "nickname",
            "preferred_username",
            "address",
            "birthdate",
            "gender",
            "zoneinfo",
            "website",
            "profile",
            "picture",
            "employee_number",
        ];
        vec![
            ("plain", plain.clone()),
            (
                "empty",
                Self {
                    account: NAMELESS,
                    profile: vec![],
                    ..plain.clone()
                },
            ),
            (
                "logo",
                Self {
                    page: page(messages, GLOBEX),
                    notice: Some(Notice::PasswordChanged),
                    ..plain.clone()
                },
            ),
            (
                "everything",
                Self {
                    page: page(messages, CITRUS),
                    profile: everything
                        .map(|claim| known(claim, "Rue de l’Exemple 5"))
                        .to_vec(),
                    administers: true,
                    ..plain.clone()
                },
            ),
            (
                "long",
                Self {
                    page: page(messages, ENDLESS),
                    account: ENDLESS_ACCOUNT,
                    profile: vec![known(LONG, LONG), known("name", LONG)],
                    ..plain.clone()
                },
            ),
            (
                "rtl",
                Self {
                    page: page(messages, RTL_TENANT),
                    profile: vec![known("name", RTL)],
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    account: HOSTILE_ACCOUNT,
                    sign_out: HOSTILE,
                    requests: Some(1),
                    profile: vec![known(HOSTILE, HOSTILE)],
                    administers: true,
                    notice: None,
                },
            ),
        ]
    }
}

impl Sample for AccountPassword<'static> {
    const NAME: &'static str = "account_password";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            account: ADA,
            sign_out: SIGN_OUT,
            requests: None,
            form: form("/t/acme/account/password"),
            rules: RULES,
            problem: None,
            current_problem: None,
            new_problem: None,
            confirm_problem: None,
            notice: None,
        };
        vec![
            ("plain", plain.clone()),
            (
                "wrong",
                Self {
                    current_problem: Some(Problem::CurrentPassword),
                    ..plain.clone()
                },
            ),
            (
                "unchanged",
                Self {
                    new_problem: Some(Problem::PasswordUnchanged),
                    ..plain.clone()
                },
            ),
            (
                "differ",
                Self {
                    confirm_problem: Some(Problem::PasswordsDiffer),
                    ..plain.clone()
                },
            ),
            (
                "locked",
                Self {
                    problem: Some(Problem::TooManyAttempts { minutes: 1 }),
                    ..plain.clone()
                },
            ),
            (
                "changed",
                Self {
                    notice: Some(Notice::PasswordChanged),
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    account: HOSTILE_ACCOUNT,
                    form: hostile_form(),
                    sign_out: HOSTILE,
                    requests: Some(1),
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for AccountSessions<'static> {
    const NAME: &'static str = "account_sessions";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let this = SessionItem {
            id: "ses_1",
            browser: "Firefox",
            system: "Linux",
            address: "203.0.113.7",
            signed_in_at: now() - TimeDelta::days(2),
            seen_at: now(),
            current: true,
            shared: "",
        };
        let phone = SessionItem {
            id: "ses_2",
            browser: "Safari",
            system: "iPhone",
            address: "2001:db8::1",
            signed_in_at: now() - TimeDelta::days(40),
            seen_at: now() - TimeDelta::minutes(95),
            current: false,
            shared: "Acme Mail, Acme Notes",
        };
        let unknown = SessionItem {
            id: "ses_3",
            browser: "",
            system: "",
            address: "",
            shared: "",
            seen_at: now() - TimeDelta::days(12),
            ..phone
        };
        let plain = Self {
            page: page(messages, ACME),
            account: ADA,
            sign_out: SIGN_OUT,
            requests: None,
            form: form("/t/acme/account/sessions"),
            sessions: vec![
                this,
                phone,
                SessionItem {
                    system: "",
                    seen_at: now() - TimeDelta::days(3),
                    ..phone
                },
                unknown,
            ],
            more: Some("/t/acme/account/sessions?cursor=abc"),
            problem: None,
            notice: None,
        };
        vec![
            ("several", plain.clone()),
            (
                "only",
                Self {
                    sessions: vec![this],
                    more: None,
                    ..plain.clone()
                },
            ),
            (
                "empty",
                Self {
                    sessions: vec![],
                    more: None,
                    ..plain.clone()
                },
            ),
            (
                "ended",
                Self {
                    notice: Some(Notice::SessionEnded),
                    more: None,
                    page: page(messages, GLOBEX),
                    ..plain.clone()
                },
            ),
            (
                "others_ended",
                Self {
                    sessions: vec![this],
                    notice: Some(Notice::OthersEnded),
                    more: None,
                    ..plain.clone()
                },
            ),
            (
                "gone",
                Self {
                    problem: Some(Problem::GoneAlready),
                    ..plain.clone()
                },
            ),
            (
                "long",
                Self {
                    page: page(messages, ENDLESS),
                    account: ENDLESS_ACCOUNT,
                    sessions: vec![SessionItem {
                        browser: LONG,
                        system: LONG,
                        address: LONG,
                        shared: LONG,
                        ..phone
                    }],
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    account: HOSTILE_ACCOUNT,
                    sign_out: HOSTILE,
                    requests: Some(1),
                    form: hostile_form(),
                    sessions: vec![SessionItem {
                        id: HOSTILE,
                        browser: HOSTILE,
                        system: HOSTILE,
                        address: HOSTILE,
                        shared: HOSTILE,
                        ..phone
                    }],
                    more: Some(HOSTILE),
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for AccountApplications<'static> {
    const NAME: &'static str = "account_applications";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let scopes = ["openid", "profile", "offline_access"].map(|name| ScopeItem {
            name,
            description: "",
        });
        let first = ApplicationItem {
            id: "con_1",
            client: orders(),
            scopes: scopes.to_vec(),
            start: WebLink::parse(
                "https://orders.example.com/login?iss=https%3A%2F%2Fid.example.com",
            ),
            details: vec![DetailItem {
                words: Words {
                    sentence: "Pay 123.50 EUR to Merchant A".to_owned(),
                    rest: vec![(
                        "creditorAccount.iban".to_owned(),
                        "DE02100100109307118603".to_owned(),
                    )],
                },
                until: now() + TimeDelta::days(30),
            }],
            granted_at: Some(now() - TimeDelta::days(12)),
        };
        let second = ApplicationItem {
            id: "con_2",
            client: ClientMark::named("Warehouse"),
            scopes: vec![ScopeItem {
                name: "ledger:read",
                description: "Read entries of the ledger",
            }],
            start: None,
            details: vec![],
            granted_at: None,
        };
        let own = |name: &'static str| OwnApplication {
            client: ClientMark::named(name),
            start: WebLink::parse("https://intranet.example.com/login").expect("an address"),
        };
        let plain = Self {
            page: page(messages, ACME),
            account: ADA,
            sign_out: SIGN_OUT,
            requests: None,
            form: form("/t/acme/account/applications"),
            own: vec![own("Intranet"), own("Time sheets")],
            applications: vec![first, second],
            more: Some("/t/acme/account/applications?cursor=abc"),
            problem: None,
            notice: None,
        };
        let named = |name: &'static str| ApplicationItem {
            id: name,
            client: ClientMark::named(name),
            scopes: vec![ScopeItem {
                name,
                description: name,
            }],
            start: WebLink::parse("https://orders.example.com/login"),
            details: vec![DetailItem {
                words: Words {
                    sentence: name.to_owned(),
                    rest: vec![(name.to_owned(), name.to_owned())],
                },
                until: now(),
            }],
            granted_at: Some(now()),
        };
        vec![
            ("two", plain.clone()),
            (
                "empty",
                Self {
                    own: vec![],
                    applications: vec![],
                    more: None,
                    ..plain.clone()
                },
            ),
            (
                "withdrawn",
                Self {
                    notice: Some(Notice::AccessWithdrawn),
                    more: None,
                    ..plain.clone()
                },
            ),
            (
                "gone",
                Self {
                    problem: Some(Problem::GoneAlready),
                    applications: vec![],
                    more: None,
                    ..plain.clone()
                },
            ),
            (
                "long",
                Self {
                    page: page(messages, ENDLESS),
                    own: vec![own(LONG), own(RTL)],
                    applications: vec![named(LONG), named(RTL)],
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    account: HOSTILE_ACCOUNT,
                    sign_out: HOSTILE,
                    requests: Some(1),
                    form: hostile_form(),
                    own: vec![own(HOSTILE)],
                    applications: vec![named(HOSTILE)],
                    more: Some(HOSTILE),
                    ..plain
                },
            ),
        ]
    }
}
