//! Samples of connecting a device.

use chrono::TimeDelta;

use super::{
    ACME, ADA, CITRUS, ENDLESS, ENDLESS_ACCOUNT, GLOBEX, HOSTILE, HOSTILE_ACCOUNT, HOSTILE_TENANT,
    LONG, NAMELESS, RTL, RTL_TENANT, Sample, form, hostile_form, now, orders, page, scope,
};
use crate::http::pages::{
    messages::Messages,
    views::{ClientMark, ConnectDevice, DeviceDone, EnterCode, Problem, ResourceItem},
};

impl Sample for EnterCode<'static> {
    const NAME: &'static str = "user_code";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            form: form("/t/acme/device"),
            account: ADA,
            elsewhere: "/t/acme/login?other=1",
            user_code: "",
            code_problem: None,
            problem: None,
        };
        vec![
            ("plain", plain.clone()),
            (
                "filled",
                Self {
                    page: page(messages, GLOBEX),
                    account: NAMELESS,
                    user_code: "WDJB-MJHT",
                    ..plain.clone()
                },
            ),
            (
                "missing",
                Self {
                    code_problem: Some(Problem::UserCodeMissing),
                    ..plain.clone()
                },
            ),
            (
                "unknown",
                Self {
                    page: page(messages, CITRUS),
                    user_code: "WDJB-MJHT",
                    code_problem: Some(Problem::UserCodeUnknown),
                    ..plain.clone()
                },
            ),
            (
                "locked",
                Self {
                    user_code: "WDJB-MJHT",
                    problem: Some(Problem::TooManyAttempts { minutes: 15 }),
                    ..plain.clone()
                },
            ),
            (
                "long",
                Self {
                    page: page(messages, ENDLESS),
                    account: ENDLESS_ACCOUNT,
                    user_code: LONG,
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    form: hostile_form(),
                    account: HOSTILE_ACCOUNT,
                    elsewhere: HOSTILE,
                    user_code: HOSTILE,
                    code_problem: Some(Problem::UserCodeUnknown),
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for ConnectDevice<'static> {
    const NAME: &'static str = "device";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            form: form("/t/acme/device/confirm"),
            client: ClientMark::named("Living room"),
            account: ADA,
            elsewhere: "/t/acme/login?other=1",
            user_code: "WDJB-MJHT",
            address: "203.0.113.7",
            asked_at: now() - TimeDelta::minutes(2),
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
                    address: "2001:db8:1:2:3:4:5:6",
                    asked_at: now(),
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
                    user_code: "",
                    address: "",
                    scopes: vec![],
                    ..plain.clone()
                },
            ),
            (
                "long",
                Self {
                    page: page(messages, ENDLESS),
                    client: ClientMark::named(LONG),
                    account: ENDLESS_ACCOUNT,
                    user_code: LONG,
                    address: LONG,
                    scopes: vec![scope(LONG, LONG)],
                    ..plain.clone()
                },
            ),
            (
                "rtl",
                Self {
                    page: page(messages, RTL_TENANT),
                    client: ClientMark::named(RTL),
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
                    elsewhere: HOSTILE,
                    user_code: HOSTILE,
                    address: HOSTILE,
                    scopes: vec![scope(HOSTILE, HOSTILE)],
                    resources: vec![ResourceItem {
                        name: HOSTILE,
                        identifier: "x",
                        scopes: vec![scope(HOSTILE, HOSTILE)],
                        details: Vec::new(),
                    }],
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for DeviceDone<'static> {
    const NAME: &'static str = "device_done";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            client: ClientMark::named("Living room"),
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
