//! Samples of what is asked by the back channel.

use chrono::TimeDelta;

use super::{
    ACME, ADA, CITRUS, ENDLESS, ENDLESS_ACCOUNT, GLOBEX, HOSTILE, HOSTILE_ACCOUNT, HOSTILE_TENANT,
    LONG, NAMELESS, RTL, RTL_TENANT, Sample, form, hostile_form, now, orders, page, scope,
};
use crate::http::pages::{
    messages::Messages,
    views::{
        AccountRequests, AnswerRequest, ClientMark, Notice, Problem, RequestAnswered, RequestItem,
        ResourceItem,
    },
};

const ADDRESS: &str = "/t/acme/account/requests/0199f0a0-0000-7000-8000-000000000001";

fn waiting(name: &'static str, binding_message: &'static str) -> RequestItem<'static> {
    RequestItem {
        client: ClientMark::named(name),
        address: ADDRESS,
        binding_message,
        asked_at: now() - TimeDelta::minutes(2),
        ends_at: now() + TimeDelta::minutes(3),
    }
}

impl Sample for AccountRequests<'static> {
    const NAME: &'static str = "account_requests";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            account: ADA,
            sign_out: "/t/acme/logout",
            requests: Some(2),
            items: vec![waiting("Call centre", "W4SCT"), waiting("Till 7", "")],
            form: form("/t/acme/account/requests"),
            has_code: false,
            code_problem: None,
            problem: None,
            notice: None,
        };
        vec![
            ("plain", plain.clone()),
            (
                "one",
                Self {
                    page: page(messages, GLOBEX),
                    requests: Some(1),
                    items: vec![RequestItem {
                        client: orders(),
                        ends_at: now() + TimeDelta::seconds(20),
                        ..waiting("", "Payment of € 30.00 to Example, W4SCT")
                    }],
                    ..plain.clone()
                },
            ),
            (
                "empty",
                Self {
                    page: page(messages, CITRUS),
                    account: NAMELESS,
                    requests: Some(0),
                    items: vec![],
                    ..plain.clone()
                },
            ),
            (
                "code",
                Self {
                    requests: Some(0),
                    items: vec![],
                    has_code: true,
                    notice: Some(Notice::RequestCodeSet),
                    ..plain.clone()
                },
            ),
            (
                "code_unfit",
                Self {
                    has_code: true,
                    code_problem: Some(Problem::RequestCodeUnfit),
                    ..plain.clone()
                },
            ),
            (
                "code_guessable",
                Self {
                    code_problem: Some(Problem::RequestCodeGuessable),
                    ..plain.clone()
                },
            ),
            (
                "code_removed",
                Self {
                    notice: Some(Notice::RequestCodeRemoved),
                    ..plain.clone()
                },
            ),
            (
                "gone",
                Self {
                    requests: Some(0),
                    items: vec![],
                    problem: Some(Problem::RequestGone),
                    ..plain.clone()
                },
            ),
            (
                "long",
                Self {
                    page: page(messages, ENDLESS),
                    account: ENDLESS_ACCOUNT,
                    requests: Some(100),
                    items: vec![waiting(LONG, LONG)],
                    ..plain.clone()
                },
            ),
            (
                "rtl",
                Self {
                    page: page(messages, RTL_TENANT),
                    items: vec![waiting(RTL, RTL)],
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
                    items: vec![RequestItem {
                        address: HOSTILE,
                        ..waiting(HOSTILE, HOSTILE)
                    }],
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for AnswerRequest<'static> {
    const NAME: &'static str = "request";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            form: form(ADDRESS),
            client: ClientMark::named("Call centre"),
            account: ADA,
            binding_message: "W4SCT",
            asked_at: now() - TimeDelta::minutes(2),
            ends_at: now() + TimeDelta::minutes(3),
            scopes: ["openid", "profile", "offline_access"]
                .map(|name| scope(name, ""))
                .to_vec(),
            resources: vec![],
        };
        vec![
            ("plain", plain.clone()),
            (
                "resources",
                Self {
                    page: page(messages, GLOBEX),
                    client: orders(),
                    account: NAMELESS,
                    binding_message: "Payment of € 30.00 to Example, W4SCT",
                    asked_at: now(),
                    ends_at: now() + TimeDelta::seconds(1),
                    resources: vec![ResourceItem {
                        name: "the ledger",
                        identifier: "https://ledger.acme.example/api",
                        scopes: vec![scope("ledger:read", "Read entries")],
                        details: Vec::new(),
                    }],
                    ..plain.clone()
                },
            ),
            (
                "bare",
                Self {
                    page: page(messages, CITRUS),
                    binding_message: "",
                    scopes: vec![scope("openid", "")],
                    ..plain.clone()
                },
            ),
            (
                "long",
                Self {
                    page: page(messages, ENDLESS),
                    client: ClientMark::named(LONG),
                    account: ENDLESS_ACCOUNT,
                    binding_message: LONG,
                    scopes: vec![scope(LONG, LONG)],
                    ..plain.clone()
                },
            ),
            (
                "rtl",
                Self {
                    page: page(messages, RTL_TENANT),
                    client: ClientMark::named(RTL),
                    binding_message: RTL,
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
                    binding_message: HOSTILE,
                    scopes: vec![scope(HOSTILE, HOSTILE)],
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for RequestAnswered<'static> {
    const NAME: &'static str = "request_answered";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            client: ClientMark::named("Call centre"),
            allowed: true,
            applications: "/t/acme/account/applications",
        };
        vec![
            ("allowed", plain.clone()),
            (
                "denied",
                Self {
                    page: page(messages, GLOBEX),
                    allowed: false,
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    client: ClientMark::named(HOSTILE),
                    applications: HOSTILE,
                    ..plain
                },
            ),
        ]
    }
}
