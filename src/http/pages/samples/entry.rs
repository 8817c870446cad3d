//! Samples of the pages on the way in and out.

use super::{
    ACME, ADA, CITRUS, ENDLESS, ENDLESS_ACCOUNT, GLOBEX, HOSTILE, HOSTILE_ACCOUNT, HOSTILE_TENANT, LONG, NAMELESS, RTL, RTL_ACCOUNT, RTL_TENANT, Sample, bare, form,
    hostile_form, orders, page,
};
use crate::http::pages::{
    messages::Messages,
    views::{
        AccountChoice, ChoosePassword, ClientMark, Consent, ErrorPage, FormPost, Landing, LinkSpent, Notice, PasswordRules, Problem, ResourceItem, ScopeItem,
        SelectAccount, SignIn, SignOut, SignedOut, TenantHome, WebLink, Who,
    },
};

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
        let known = Who::Known { account: ADA, elsewhere: "/t/acme/login?other=1" };
        vec![
            ("plain", plain.clone()),
            ("client", Self { client: Some(orders()), ..plain.clone() }),
            ("logo", Self { page: page(messages, GLOBEX), client: Some(ClientMark::named("Warehouse")), ..plain.clone() }),
            ("bright", Self { page: page(messages, CITRUS), client: Some(orders()), who: Who::Anyone { username: "ada@citrus.example" }, ..plain.clone() }),
            ("known", Self { client: Some(orders()), who: known, ..plain.clone() }),
            ("wrong", Self { client: Some(orders()), who: Who::Anyone { username: "ada@acme.example" }, problem: Some(Problem::Credentials), ..plain.clone() }),
            (
                "missing",
                Self { username_problem: Some(Problem::UsernameMissing), password_problem: Some(Problem::PasswordMissing), ..plain.clone() },
            ),
            ("locked", Self { problem: Some(Problem::TooManyAttempts { minutes: 5 }), ..plain.clone() }),
            ("busy", Self { problem: Some(Problem::Busy), ..plain.clone() }),
            ("lapsed", Self { problem: Some(Problem::FormLapsed), ..plain.clone() }),
            ("chosen", Self { notice: Some(Notice::PasswordChosen), ..plain.clone() }),
            (
                "long",
                Self { page: page(messages, ENDLESS), client: Some(ClientMark::named(LONG)), who: Who::Anyone { username: LONG }, ..plain.clone() },
            ),
            ("rtl", Self { page: page(messages, RTL_TENANT), client: Some(ClientMark::named(RTL)), ..plain.clone() }),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    form: hostile_form(),
                    client: Some(ClientMark { tos_uri: WebLink::parse("https://a.example/?\"><script>alert(3)</script>"), ..ClientMark::named(HOSTILE) }),
                    who: Who::Known { account: HOSTILE_ACCOUNT, elsewhere: HOSTILE },
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
                AccountChoice { value: "1", account: ADA, signed_in: true },
                AccountChoice { value: "2", account: NAMELESS, signed_in: true },
                AccountChoice { value: "3", account: RTL_ACCOUNT, signed_in: false },
            ],
            elsewhere: "/t/acme/login?other=1",
            problem: None,
        };
        vec![
            ("three", plain.clone()),
            ("empty", Self { accounts: vec![], client: None, ..plain.clone() }),
            ("gone", Self { problem: Some(Problem::GoneAlready), client: None, ..plain.clone() }),
            ("long", Self { accounts: vec![AccountChoice { value: LONG, account: ENDLESS_ACCOUNT, signed_in: false }; 3], ..plain.clone() }),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    form: hostile_form(),
                    accounts: vec![AccountChoice { value: HOSTILE, account: HOSTILE_ACCOUNT, signed_in: true }],
                    elsewhere: HOSTILE,
                    client: Some(ClientMark::named(HOSTILE)),
                    ..plain
                },
            ),
        ]
    }
}

fn scope(name: &'static str, description: &'static str) -> ScopeItem<'static> {
    ScopeItem { name, description }
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
            scopes: ["openid", "profile", "email", "offline_access"].map(|name| scope(name, "")).to_vec(),
            resources: vec![],
            redirect_host: "orders.example",
            problem: None,
        };
        let ledger = ResourceItem {
            name: "the ledger",
            identifier: "https://ledger.acme.example/api",
            scopes: vec![scope("ledger:read", "Read entries"), scope("ledger:write", "Post entries on your behalf"), scope("ledger:close", "")],
        };
        vec![
            ("openid", plain.clone()),
            (
                "resources",
                Self { page: page(messages, GLOBEX), client: ClientMark::named("Warehouse"), account: NAMELESS, resources: vec![ledger], ..plain.clone() },
            ),
            ("every", Self { scopes: ["openid", "address", "phone", "team:read"].map(|name| scope(name, "")).to_vec(), ..plain.clone() }),
            ("empty", Self { scopes: vec![], redirect_host: "", elsewhere: None, ..plain.clone() }),
            ("lapsed", Self { problem: Some(Problem::FormLapsed), ..plain.clone() }),
            (
                "long",
                Self {
                    page: page(messages, ENDLESS),
                    client: ClientMark::named(LONG),
                    account: ENDLESS_ACCOUNT,
                    scopes: vec![scope(LONG, LONG), scope(LONG, "")],
                    resources: vec![ResourceItem { name: LONG, identifier: LONG, scopes: vec![scope(LONG, RTL)] }],
                    redirect_host: LONG,
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
                    resources: vec![ResourceItem { name: HOSTILE, identifier: "x", scopes: vec![scope(HOSTILE, HOSTILE)] }],
                    redirect_host: HOSTILE,
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for SignOut<'static> {
    const NAME: &'static str = "sign_out";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self { page: page(messages, ACME), form: form("/t/acme/logout"), account: ADA, client: None, stay: "/t/acme/account" };
        vec![
            ("plain", plain.clone()),
            ("client", Self { client: Some(orders()), account: NAMELESS, ..plain.clone() }),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    form: hostile_form(),
                    account: HOSTILE_ACCOUNT,
                    client: Some(ClientMark::named(HOSTILE)),
                    stay: HOSTILE,
                },
            ),
        ]
    }
}

impl Sample for SignedOut<'static> {
    const NAME: &'static str = "signed_out";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self { page: page(messages, ACME), client: None, sign_in: Some("/t/acme/login"), back: None };
        vec![
            ("plain", plain.clone()),
            ("back", Self { client: Some(orders()), back: WebLink::parse("https://orders.example/bye?state=1"), ..plain.clone() }),
            ("bare", Self { sign_in: None, ..plain.clone() }),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    client: Some(ClientMark::named(HOSTILE)),
                    sign_in: Some(HOSTILE),
                    back: WebLink::parse("https://orders.example/?\"><script>alert(1)</script>"),
                },
            ),
        ]
    }
}

impl Sample for ErrorPage<'static> {
    const NAME: &'static str = "error";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            code: "invalid_request",
            status: 400,
            description: "redirect_uri is not registered for this client; register it exactly as it is sent, query included.",
            request_id: "019a8f3e-6c1f-7d34-9e0a-5b1f6f2f1c11",
            retry: None,
            back: None,
        };
        let said = |code, status| Self { code, status, description: "", ..plain.clone() };
        vec![
            ("application", plain.clone()),
            ("tenant_not_found", Self { page: bare(messages), ..said("tenant_not_found", 404) }),
            ("tenant_suspended", said("tenant_suspended", 403)),
            ("form_lapsed", Self { retry: Some("/t/acme/login"), ..said("form_lapsed", 403) }),
            ("flow_expired", Self { back: WebLink::parse("https://orders.example/"), ..said("flow_expired", 400) }),
            ("forbidden", said("access_denied", 403)),
            ("unavailable", Self { retry: Some("/t/acme/login"), ..said("temporarily_unavailable", 503) }),
            ("too_many", said("too_many_requests", 429)),
            ("not_found", said("not_found", 404)),
            ("method", said("method_not_allowed", 405)),
            ("server", Self { retry: Some("/t/acme/account"), back: WebLink::parse("https://orders.example/"), ..said("server_error", 500) }),
            ("long", Self { page: page(messages, ENDLESS), description: LONG, request_id: LONG, code: LONG, ..plain.clone() }),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    code: HOSTILE,
                    status: 400,
                    description: HOSTILE,
                    request_id: HOSTILE,
                    retry: Some(HOSTILE),
                    back: None,
                },
            ),
        ]
    }
}

/// What the samples tell about passwords.
pub(super) const RULES: PasswordRules = PasswordRules { min_length: 12, max_length: 256, refuses_common: true };

impl Sample for ChoosePassword<'static> {
    const NAME: &'static str = "choose_password";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            form: form("/t/acme/link/tsl_abc"),
            username: "ada@acme.example",
            rules: RULES,
            problem: None,
            new_problem: None,
            confirm_problem: None,
        };
        vec![
            ("plain", plain.clone()),
            ("short", Self { new_problem: Some(Problem::PasswordTooShort { min: 12 }), ..plain.clone() }),
            ("long_password", Self { new_problem: Some(Problem::PasswordTooLong { max: 256 }), ..plain.clone() }),
            ("common", Self { new_problem: Some(Problem::PasswordCommon), rules: PasswordRules { refuses_common: false, ..RULES }, ..plain.clone() }),
            ("personal", Self { new_problem: Some(Problem::PasswordPersonal), ..plain.clone() }),
            ("differ", Self { confirm_problem: Some(Problem::PasswordsDiffer), page: page(messages, GLOBEX), ..plain.clone() }),
            ("lapsed", Self { problem: Some(Problem::FormLapsed), username: LONG, ..plain.clone() }),
            ("hostile", Self { page: page(messages, HOSTILE_TENANT), form: hostile_form(), username: HOSTILE, ..plain }),
        ]
    }
}

impl Sample for LinkSpent<'static> {
    const NAME: &'static str = "link_spent";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self { page: page(messages, ACME), request_id: "019a8f3e-6c1f-7d34-9e0a-5b1f6f2f1c11", sign_in: Some("/t/acme/account") };
        vec![
            ("plain", plain.clone()),
            ("bare", Self { sign_in: None, ..plain }),
            ("hostile", Self { page: page(messages, HOSTILE_TENANT), request_id: HOSTILE, sign_in: Some(HOSTILE) }),
        ]
    }
}

impl Sample for FormPost<'static> {
    const NAME: &'static str = "form_post";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            redirect_uri: "https://orders.example/cb",
            client_name: "Orders",
            parameters: vec![("code", "tc_abc"), ("state", "xyz"), ("iss", "https://id.example/t/acme")],
        };
        vec![
            ("plain", plain.clone()),
            ("empty", Self { client_name: "", parameters: vec![], ..plain }),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    redirect_uri: "https://orders.example/cb?\"><script>alert(1)</script>",
                    client_name: HOSTILE,
                    parameters: vec![("state", HOSTILE), (HOSTILE, LONG), ("submit", "x")],
                },
            ),
        ]
    }
}

impl Sample for TenantHome<'static> {
    const NAME: &'static str = "tenant_home";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        vec![
            ("stranger", Self { page: page(messages, ACME), account: None }),
            ("signed_in", Self { page: page(messages, GLOBEX), account: Some(ADA) }),
            ("rtl", Self { page: page(messages, RTL_TENANT), account: Some(RTL_ACCOUNT) }),
            ("hostile", Self { page: page(messages, HOSTILE_TENANT), account: Some(HOSTILE_ACCOUNT) }),
        ]
    }
}

impl Sample for Landing<'static> {
    const NAME: &'static str = "landing";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        vec![
            ("plain", Self { page: bare(messages), documentation: WebLink::parse("https://docs.example/") }),
            ("bare", Self { page: bare(messages), documentation: None }),
        ]
    }
}
