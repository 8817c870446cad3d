//! Samples of signing in, choosing an account, and consent.

use super::{
    ACME, ADA, CITRUS, ENDLESS, ENDLESS_ACCOUNT, GLOBEX, HOSTILE, HOSTILE_ACCOUNT, HOSTILE_TENANT,
    LONG, NAMELESS, RTL, RTL_ACCOUNT, RTL_TENANT, Sample, form, hostile_form, orders, page, scope,
};
use crate::http::pages::{
    messages::Messages,
    views::{
        AccountChoice, ClientMark, Consent, Notice, Problem, ResourceItem, SelectAccount, SignIn,
        WebLink, Who,
    },
};
use crate::protocol::authorization_details::Words;

impl Sample for SignIn<'static> {
    const NAME: &'static str = "sign_in";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            form: form("/t/acme/login"),
            client: None,
            who: Who::Anyone { username: "" },
            problem: None,
            username_problem: None,
            password_problem: None,
            notice: None,
        };
        let known = Who::Known {
            account: ADA,
            elsewhere: "/t/acme/login?other=1",
        };
        vec![
            ("plain", plain.clone()),
            (
                "client",
                Self {
                    client: Some(orders()),
                    ..plain.clone()
                },
            ),
            (
                "logo",
                Self {
                    page: page(messages, GLOBEX),
                    client: Some(ClientMark::named("Warehouse")),
                    ..plain.clone()
                },
            ),
            (
                "bright",
                Self {
                    page: page(messages, CITRUS),
                    client: Some(orders()),
                    who: Who::Anyone {
                        username: "ada@citrus.example",
                    },
                    ..plain.clone()
                },
            ),
            (
                "known",
                Self {
                    client: Some(orders()),
                    who: known,
                    ..plain.clone()
                },
            ),
            (
                "wrong",
                Self {
                    client: Some(orders()),
                    who: Who::Anyone {
                        username: "ada@acme.example",
                    },
                    problem: Some(Problem::Credentials),
                    ..plain.clone()
                },
            ),
            (
                "missing",
                Self {
                    username_problem: Some(Problem::UsernameMissing),
                    password_problem: Some(Problem::PasswordMissing),
                    ..plain.clone()
                },
            ),
            (
                "locked",
                Self {
                    problem: Some(Problem::TooManyAttempts { minutes: 5 }),
                    ..plain.clone()
                },
            ),
            (
                "busy",
                Self {
                    problem: Some(Problem::Busy),
                    ..plain.clone()
                },
            ),
            (
                "lapsed",
                Self {
                    problem: Some(Problem::FormLapsed),
                    ..plain.clone()
                },
            ),
            (
                "chosen",
                Self {
                    notice: Some(Notice::PasswordChosen),
                    ..plain.clone()
                },
            ),
            (
                "long",
                Self {
                    page: page(messages, ENDLESS),
                    client: Some(ClientMark::named(LONG)),
                    who: Who::Anyone { username: LONG },
                    ..plain.clone()
                },
            ),
            (
                "rtl",
                Self {
                    page: page(messages, RTL_TENANT),
                    client: Some(ClientMark::named(RTL)),
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    form: hostile_form(),
                    client: Some(ClientMark {
                        tos_uri: WebLink::parse("https://a.example/?\"><script>alert(3)</script>"),
                        ..ClientMark::named(HOSTILE)
                    }),
                    who: Who::Known {
                        account: HOSTILE_ACCOUNT,
                        elsewhere: HOSTILE,
                    },
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for SelectAccount<'static> {
    const NAME: &'static str = "select_account";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            form: form("/t/acme/select-account"),
            client: Some(orders()),
            accounts: vec![
                AccountChoice {
                    value: "1",
                    account: ADA,
                    signed_in: true,
                },
                AccountChoice {
                    value: "2",
                    account: NAMELESS,
                    signed_in: true,
                },
                AccountChoice {
                    value: "3",
                    account: RTL_ACCOUNT,
                    signed_in: false,
                },
            ],
            elsewhere: "/t/acme/login?other=1",
            problem: None,
        };
        vec![
            ("three", plain.clone()),
            (
                "empty",
                Self {
                    accounts: vec![],
                    client: None,
                    ..plain.clone()
                },
            ),
            (
                "gone",
                Self {
                    problem: Some(Problem::GoneAlready),
                    client: None,
                    ..plain.clone()
                },
            ),
            (
                "long",
                Self {
                    accounts: vec![
                        AccountChoice {
                            value: LONG,
                            account: ENDLESS_ACCOUNT,
                            signed_in: false
                        };
                        3
                    ],
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    form: hostile_form(),
                    accounts: vec![AccountChoice {
                        value: HOSTILE,
                        account: HOSTILE_ACCOUNT,
                        signed_in: true,
                    }],
                    elsewhere: HOSTILE,
                    client: Some(ClientMark::named(HOSTILE)),
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for Consent<'static> {
    const NAME: &'static str = "consent";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            form: form("/t/acme/consent"),
            client: orders(),
            account: ADA,
            elsewhere: Some("/t/acme/login?other=1"),
            scopes: ["openid", "profile", "email", "offline_access"]
                .map(|name| scope(name, ""))
                .to_vec(),
            resources: vec![],
            destination: "orders.example",
            problem: None,
        };
        let ledger = ResourceItem {
            name: "the ledger",
            identifier: "https://ledger.acme.example/api",
            scopes: vec![
                scope("ledger:read", "Read entries"),
                scope("ledger:write", "Post entries on your behalf"),
                scope("ledger:close", ""),
            ],
            details: vec![
                Words {
                    sentence: "Pay 123.50 EUR to Merchant A".to_owned(),
                    rest: vec![
                        (
                            "creditorAccount.iban".to_owned(),
                            "DE02 1001 0010 9307 1186 03".to_owned(),
                        ),
                        (
                            "remittanceInformationUnstructured".to_owned(),
                            "Ref Number Merchant".to_owned(),
                        ),
                    ],
                },
                Words {
                    sentence: "See the balance".to_owned(),
                    rest: Vec::new(),
                },
            ],
        };
        vec![
            ("openid", plain.clone()),
            (
                "resources",
                Self {
                    page: page(messages, GLOBEX),
                    client: ClientMark::named("Warehouse"),
                    account: NAMELESS,
                    resources: vec![ledger],
                    ..plain.clone()
                },
            ),
            (
                "every",
                Self {
                    scopes: ["openid", "address", "phone", "team:read"]
                        .map(|name| scope(name, ""))
                        .to_vec(),
                    ..plain.clone()
                },
            ),
            (
                "empty",
                Self {
                    scopes: vec![],
                    destination: "",
                    elsewhere: None,
                    ..plain.clone()
                },
            ),
            (
                "lapsed",
                Self {
                    problem: Some(Problem::FormLapsed),
                    ..plain.clone()
                },
            ),
            (
                "long",
                Self {
                    page: page(messages, ENDLESS),
                    client: ClientMark::named(LONG),
                    account: ENDLESS_ACCOUNT,
                    scopes: vec![scope(LONG, LONG), scope(LONG, "")],
                    resources: vec![ResourceItem {
                        name: LONG,
                        identifier: LONG,
                        scopes: vec![scope(LONG, RTL)],
                        details: vec![Words {
                            sentence: LONG.to_owned(),
                            rest: vec![(LONG.to_owned(), RTL.to_owned())],
                        }],
                    }],
                    destination: LONG,
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    form: hostile_form(),
                    client: ClientMark::named(HOSTILE),
                    account: HOSTILE_ACCOUNT,
                    elsewhere: Some(HOSTILE),
                    scopes: vec![scope(HOSTILE, HOSTILE), scope(HOSTILE, "")],
                    resources: vec![ResourceItem {
                        name: HOSTILE,
                        identifier: "x",
                        scopes: vec![scope(HOSTILE, HOSTILE)],
                        details: vec![Words {
                            sentence: HOSTILE.to_owned(),
                            rest: vec![(HOSTILE.to_owned(), HOSTILE.to_owned())],
                        }],
                    }],
                    destination: HOSTILE,
                    ..plain
                },
            ),
        ]
    }
}
