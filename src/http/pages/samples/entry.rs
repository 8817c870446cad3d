//! Samples of the pages around signing in: out again, errors, one-time links, form post, and the roots.

use super::{
    ACME, ADA, ENDLESS, GLOBEX, HOSTILE, HOSTILE_ACCOUNT, HOSTILE_TENANT, LONG, NAMELESS,
    RTL_ACCOUNT, RTL_TENANT, Sample, bare, form, hostile_form, page,
};
use crate::http::pages::{
    messages::Messages,
    views::{
        ChoosePassword, ErrorPage, FormPost, Landing, LinkSpent, Onward, PasswordRules, Problem,
        SignOut, SignedOut, TenantHome, Way,
    },
};

impl Sample for SignOut<'static> {
    const NAME: &'static str = "sign_out";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            form: form("/t/acme/logout"),
            account: ADA,
            stay: "/t/acme/account",
        };
        vec![
            ("plain", plain.clone()),
            (
                "nameless",
                Self {
                    account: NAMELESS,
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    form: hostile_form(),
                    account: HOSTILE_ACCOUNT,
                    stay: HOSTILE,
                },
            ),
        ]
    }
}

impl Sample for SignedOut<'static> {
    const NAME: &'static str = "signed_out";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            sign_in: Some("/t/acme/login"),
            frames: Vec::new(),
            onward: None,
        };
        vec![
            ("plain", plain.clone()),
            (
                "bare",
                Self {
                    sign_in: None,
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    sign_in: Some(HOSTILE),
                    frames: vec![HOSTILE],
                    onward: Some(HOSTILE),
                },
            ),
            (
                "frames",
                Self {
                    frames: vec!["https://orders.example/out?iss=a&sid=b"],
                    ..plain.clone()
                },
            ),
            (
                "onward",
                Self {
                    sign_in: None,
                    frames: vec!["https://orders.example/out", "https://shop.example/out"],
                    onward: Some("https://orders.example/bye?state=1"),
                    ..plain.clone()
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
            onward: None,
        };
        let said = |code, status| Self {
            code,
            status,
            description: "",
            ..plain.clone()
        };
        vec![
            ("application", plain.clone()),
            (
                "tenant_not_found",
                Self {
                    page: bare(messages),
                    ..said("tenant_not_found", 404)
                },
            ),
            ("tenant_suspended", said("tenant_suspended", 403)),
            ("form_lapsed", said("form_lapsed", 403)),
            ("flow_expired", said("flow_expired", 400)),
            ("forbidden", said("access_denied", 403)),
            ("unavailable", said("temporarily_unavailable", 503)),
            ("too_slow", said("request_timeout", 408)),
            ("too_many", said("too_many_requests", 429)),
            (
                "onward",
                Self {
                    onward: Some(Onward {
                        host: "orders.example",
                        way: Way::Link("https://orders.example/cb?error=invalid_scope&state=1"),
                    }),
                    ..said("invalid_scope", 400)
                },
            ),
            (
                "onward_by_form",
                Self {
                    onward: Some(Onward {
                        host: HOSTILE,
                        way: Way::Form(
                            "https://orders.example/cb",
                            vec![("error", "login_required"), ("state", HOSTILE)],
                        ),
                    }),
                    ..said("login_required", 400)
                },
            ),
            ("not_found", said("not_found", 404)),
            ("method", said("method_not_allowed", 405)),
            ("server", said("server_error", 500)),
            (
                "long",
                Self {
                    page: page(messages, ENDLESS),
                    description: LONG,
                    request_id: LONG,
                    code: LONG,
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    code: HOSTILE,
                    status: 400,
                    description: HOSTILE,
                    request_id: HOSTILE,
                    onward: None,
                },
            ),
        ]
    }
}

/// What the samples tell about passwords.
pub(super) const RULES: PasswordRules = PasswordRules {
    min_length: 12,
    max_length: 256,
    refuses_common: true,
};

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
            (
                "short",
                Self {
                    new_problem: Some(Problem::PasswordTooShort { min: 12 }),
                    ..plain.clone()
                },
            ),
            (
                "long_password",
                Self {
                    new_problem: Some(Problem::PasswordTooLong { max: 256 }),
                    ..plain.clone()
                },
            ),
            (
                "common",
                Self {
                    new_problem: Some(Problem::PasswordCommon),
                    rules: PasswordRules {
                        refuses_common: false,
                        ..RULES
                    },
                    ..plain.clone()
                },
            ),
            (
                "personal",
                Self {
                    new_problem: Some(Problem::PasswordPersonal),
                    ..plain.clone()
                },
            ),
            (
                "differ",
                Self {
                    confirm_problem: Some(Problem::PasswordsDiffer),
                    page: page(messages, GLOBEX),
                    ..plain.clone()
                },
            ),
            (
                "lapsed",
                Self {
                    problem: Some(Problem::FormLapsed),
                    username: LONG,
                    ..plain.clone()
                },
            ),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    form: hostile_form(),
                    username: HOSTILE,
                    ..plain
                },
            ),
        ]
    }
}

impl Sample for LinkSpent<'static> {
    const NAME: &'static str = "link_spent";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            request_id: "019a8f3e-6c1f-7d34-9e0a-5b1f6f2f1c11",
            sign_in: Some("/t/acme/account"),
        };
        vec![
            ("plain", plain.clone()),
            (
                "bare",
                Self {
                    sign_in: None,
                    ..plain
                },
            ),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    request_id: HOSTILE,
                    sign_in: Some(HOSTILE),
                },
            ),
        ]
    }
}

impl Sample for FormPost<'static> {
    const NAME: &'static str = "form_post";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        let plain = Self {
            page: page(messages, ACME),
            redirect_uri: "https://orders.example/cb",
            parameters: vec![
                ("code", "tc_abc"),
                ("state", "xyz"),
                ("iss", "https://id.example/t/acme"),
            ],
        };
        vec![
            ("plain", plain.clone()),
            (
                "empty",
                Self {
                    parameters: vec![],
                    ..plain
                },
            ),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    redirect_uri: "https://orders.example/cb?\"><script>alert(1)</script>",
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
            (
                "stranger",
                Self {
                    page: page(messages, ACME),
                    account: None,
                },
            ),
            (
                "signed_in",
                Self {
                    page: page(messages, GLOBEX),
                    account: Some(ADA),
                },
            ),
            (
                "rtl",
                Self {
                    page: page(messages, RTL_TENANT),
                    account: Some(RTL_ACCOUNT),
                },
            ),
            (
                "hostile",
                Self {
                    page: page(messages, HOSTILE_TENANT),
                    account: Some(HOSTILE_ACCOUNT),
                },
            ),
        ]
    }
}

impl Sample for Landing<'static> {
    const NAME: &'static str = "landing";

    fn samples(messages: Messages) -> Vec<(&'static str, Self)> {
        vec![(
            "plain",
            Self {
                page: bare(messages),
            },
        )]
    }
}
