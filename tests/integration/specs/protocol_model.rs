//! Random sequences of requests, right and wrong ones, beside a model of what each must come to.
//!
//! The model knows what was handed out and what became of it: codes, refresh tokens and access tokens of a client that authenticates and of a
//! public one, time, a disabled person, ended sessions. After each step the answer must be the model's, and at the end so must the state of
//! everything that was ever handed out. Sequences come from a seed that is printed; `TESSERA_MODEL_SEED` runs one again.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;
use tessera::clock::Clock;
use tessera::domain::ids::SessionId;
use tessera::storage::SessionGrants;

use super::seed::{Scene, text};
use crate::support::app::app_test;
use crate::support::http::Answer;
use crate::support::relying_party::{RelyingParty, VERIFIER};

/// How many sequences each database sees, and how long each is.
const SEQUENCES: usize = 12;
const STEPS: usize = 60;

const CODE: i64 = 60;
const ACCESS: i64 = 300;
const DAY: i64 = 86_400;
const IDLE: i64 = 30 * DAY;
const SESSION: i64 = 30 * DAY;

/// What is wrong with a redemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    Proof,
    Verifier,
    NoVerifier,
    RedirectUri,
    OtherClient,
    OtherTenant,
}

/// What somebody does. Numbers choose among what there is.
#[derive(Clone, Copy, Debug)]
enum Step {
    Code { public: bool, offline: bool },
    Redeem { code: usize, wrong: Wrong },
    Refresh { token: usize, wrong: Wrong },
    Userinfo { token: usize, elsewhere: bool },
    Introspect { token: usize, elsewhere: bool },
    IntrospectRefresh { token: usize },
    RevokeAccess { token: usize, stranger: bool },
    RevokeRefresh { token: usize, stranger: bool },
    SignOut { grant: usize, everything: bool },
    Disable(bool),
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wrong = prop_oneof![
        6 => Just(Wrong::Nothing),
        1 => Just(Wrong::Proof),
        1 => Just(Wrong::Verifier),
        1 => Just(Wrong::NoVerifier),
        1 => Just(Wrong::RedirectUri),
        1 => Just(Wrong::OtherClient),
        1 => Just(Wrong::OtherTenant),
    ];
    let one = || 0..1000_usize;
    let rarely = || prop::bool::weighted(0.2);
    let step = prop_oneof![
        4 => (any::<bool>(), prop::bool::weighted(0.7)).prop_map(|(public, offline)| Step::Code { public, offline }),
        6 => (one(), wrong.clone()).prop_map(|(code, wrong)| Step::Redeem { code, wrong }),
        6 => (one(), wrong).prop_map(|(token, wrong)| Step::Refresh { token, wrong }),
        4 => (one(), rarely()).prop_map(|(token, elsewhere)| Step::Userinfo { token, elsewhere }),
        3 => (one(), rarely()).prop_map(|(token, elsewhere)| Step::Introspect { token, elsewhere }),
        2 => one().prop_map(|token| Step::IntrospectRefresh { token }),
        1 => (one(), rarely()).prop_map(|(token, stranger)| Step::RevokeAccess { token, stranger }),
        1 => (one(), rarely()).prop_map(|(token, stranger)| Step::RevokeRefresh { token, stranger }),
        1 => (one(), rarely()).prop_map(|(grant, everything)| Step::SignOut { grant, everything }),
        1 => any::<bool>().prop_map(Step::Disable),
        3 => prop_oneof![
            6 => Just(1), 6 => Just(20), 3 => Just(CODE - 1), 3 => Just(CODE), 2 => Just(ACCESS - 1), 2 => Just(ACCESS), 1 => Just(DAY), 1 => Just(IDLE - 1), 1 => Just(IDLE),
        ].prop_map(Step::Wait),
    ];
    // Each begins with a client that gets its tokens, so that there is something to go wrong with.
    let begun = (any::<bool>(), prop::bool::weighted(0.7)).prop_map(|(public, offline)| {
        let wrong = Wrong::Nothing;
        [
            Step::Code { public, offline },
            Step::Redeem { code: 0, wrong },
        ]
    });
    (begun, prop::collection::vec(step, STEPS))
        .prop_map(|(begun, steps)| begun.into_iter().chain(steps).collect())
}

/// A grant and everything that was handed out for it.
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own")]
struct Grant {
    public: bool,
    offline: bool,
    session: SessionId,
    made: i64,
    code: String,
    redeemed: bool,
    revoked: bool,
    session_ended: bool,
}

struct Refresh {
    grant: usize,
    text: String,
    rotated: bool,
    ends: i64,
}

struct Access {
    grant: usize,
    text: String,
    ends: i64,
    revoked: bool,
}

/// What the model knows, and the parties that ask.
struct Model {
    scene: Scene,
    confidential: RelyingParty,
    public: RelyingParty,
    stranger: RelyingParty,
    elsewhere: RelyingParty,
    now: i64,
    disabled: bool,
    grants: Vec<Grant>,
    refreshes: Vec<Refresh>,
    accesses: Vec<Access>,
}

/// The same id with another proof.
fn forged(handle: &str) -> String {
    let (kept, last) = handle.split_at(handle.len() - 4);
    let other = if last == "AAAA" { "BBBB" } else { "AAAA" };
    format!("{kept}{other}")
}

fn chosen<T>(all: &[T], number: usize) -> Option<usize> {
    number.checked_rem(all.len())
}

impl Model {
    async fn new(scene: Scene) -> Self {
        let public = scene.with(&scene.app.public_client(&scene.tenant).await);
        let stranger = scene.with(&scene.app.web_client(&scene.tenant).await);
        let globex = scene.app.tenant("globex").await;
        let theirs = scene.app.web_client(&globex).await;
        let elsewhere = RelyingParty::new(&scene.app, &globex, &theirs);
        Self {
            confidential: scene.rp.clone(),
            public,
            stranger,
            elsewhere,
            scene,
            now: 0,
            disabled: false,
            grants: Vec::new(),
            refreshes: Vec::new(),
            accesses: Vec::new(),
        }
    }

    fn client_of(&self, grant: &Grant) -> &RelyingParty {
        if grant.public {
            &self.public
        } else {
            &self.confidential
        }
    }

    /// Who presents something of this grant.
    fn presenter(&self, grant: &Grant, wrong: Wrong) -> &RelyingParty {
        match wrong {
            Wrong::OtherClient => &self.stranger,
            Wrong::OtherTenant => &self.elsewhere,
            _ => self.client_of(grant),
        }
    }

    fn has_session(&self, grant: &Grant) -> bool {
        grant.offline || (!grant.session_ended && self.now < grant.made + SESSION)
    }

    fn access_is_good(&self, access: &Access) -> bool {
        let grant = &self.grants[access.grant];
        self.now < access.ends && !access.revoked && !grant.revoked && !self.disabled
    }

    fn refresh_is_good(&self, refresh: &Refresh) -> bool {
        let grant = &self.grants[refresh.grant];
        !refresh.rotated
            && self.now < refresh.ends
            && !grant.revoked
            && !self.disabled
            && self.has_session(grant)
    }

    async fn code(&mut self, public: bool, offline: bool) {
        let scope = if offline {
            "openid profile email offline_access"
        } else {
            "openid profile email"
        };
        self.scene.rp = if public {
            self.public.clone()
        } else {
            self.confidential.clone()
        }
        .with_scope(scope);
        let mut session = None;
        let code = self
            .scene
            .code_but(|grant, _| session = Some(grant.session_id))
            .await;
        self.grants.push(Grant {
            public,
            offline,
            session: session.expect("a session"),
            made: self.now,
            code,
            redeemed: false,
            revoked: false,
            session_ended: false,
        });
    }

    /// Takes what a good answer brought, and holds it to what it must bring.
    fn take(&mut self, grant: usize, answer: &Answer, kept: Option<usize>) {
        let body = answer.json();
        self.accesses.push(Access {
            grant,
            text: text(&body, "access_token").to_owned(),
            ends: self.now + ACCESS,
            revoked: false,
        });
        let of = &self.grants[grant];
        let given = body["refresh_token"].as_str();
        assert_eq!(given.is_some(), of.offline, "{body}");
        let Some(given) = given else { return };
        let ends = (self.now + IDLE).min(of.made + 365 * DAY);
        match kept {
            // A client that authenticates keeps its token, whose end moves a day at a time.
            Some(kept) if !of.public => {
                let token = &mut self.refreshes[kept];
                assert_eq!(given, token.text);
                if ends - token.ends >= DAY {
                    token.ends = ends;
                }
            }
            _ => {
                if let Some(before) = kept {
                    self.refreshes[before].rotated = true;
                }
                assert!(self.refreshes.iter().all(|known| known.text != given));
                self.refreshes.push(Refresh {
                    grant,
                    text: given.to_owned(),
                    rotated: false,
                    ends,
                });
            }
        }
    }

    async fn redeem(&mut self, number: usize, wrong: Wrong) {
        let Some(index) = chosen(&self.grants, number) else {
            return;
        };
        let grant = &self.grants[index];
        let rp = self.presenter(grant, wrong);
        let code = if wrong == Wrong::Proof {
            forged(&grant.code)
        } else {
            grant.code.clone()
        };
        let redirect = if wrong == Wrong::RedirectUri {
            "https://elsewhere.example/callback"
        } else {
            self.client_of(grant).client.redirect_uri()
        };
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", redirect),
        ];
        match wrong {
            Wrong::NoVerifier => {}
            Wrong::Verifier => form.push((
                "code_verifier",
                "another-verifier-that-is-long-enough-too-0123456789",
            )),
            _ => form.push(("code_verifier", VERIFIER)),
        }
        let answer = rp.token(&form).await;
        let holds_it = !matches!(
            wrong,
            Wrong::Proof | Wrong::OtherClient | Wrong::OtherTenant
        );
        if holds_it && grant.redeemed && !grant.revoked {
            // RFC 9700 §4.5: whoever of the two was the thief.
            answer.expect_error(400, "invalid_grant");
            self.grants[index].revoked = true;
            return;
        }
        let good = wrong == Wrong::Nothing
            && !grant.redeemed
            && !grant.revoked
            && self.now < grant.made + CODE
            && !self.disabled
            && (grant.offline || !grant.session_ended);
        if good {
            assert_eq!(answer.status, 200, "{}", answer.body);
            self.grants[index].redeemed = true;
            self.take(index, &answer, None);
        } else {
            answer.expect_error(400, "invalid_grant");
        }
    }

    async fn refresh(&mut self, number: usize, wrong: Wrong) {
        let Some(index) = chosen(&self.refreshes, number) else {
            return;
        };
        let token = &self.refreshes[index];
        let grant = &self.grants[token.grant];
        let rp = self.presenter(grant, wrong);
        let presented = if wrong == Wrong::Proof {
            forged(&token.text)
        } else {
            token.text.clone()
        };
        let answer = rp.refresh(&presented).await;
        let of = token.grant;
        let holds_it = !matches!(
            wrong,
            Wrong::Proof | Wrong::OtherClient | Wrong::OtherTenant
        );
        if holds_it && token.rotated && !grant.revoked {
            answer.expect_error(400, "invalid_grant");
            self.grants[of].revoked = true;
        } else if holds_it && self.refresh_is_good(token) {
            assert_eq!(answer.status, 200, "{}", answer.body);
            self.take(of, &answer, Some(index));
        } else {
            answer.expect_error(400, "invalid_grant");
        }
    }

    async fn userinfo(&self, index: usize, elsewhere: bool) {
        let access = &self.accesses[index];
        let rp = if elsewhere {
            &self.elsewhere
        } else {
            &self.confidential
        };
        let answer = rp.userinfo(&access.text).await;
        if !elsewhere && self.access_is_good(access) {
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert_eq!(answer.json()["sub"], self.scene.user.id.to_string());
        } else {
            answer.expect_error(401, "invalid_token");
        }
    }

    async fn introspect(&self, index: usize, elsewhere: bool) {
        let access = &self.accesses[index];
        let rp = if elsewhere {
            &self.elsewhere
        } else {
            &self.confidential
        };
        let body = rp.introspect(&access.text).await;
        let good = !elsewhere && self.access_is_good(access);
        self.is_told(&body, good);
        if good {
            let client = self
                .client_of(&self.grants[access.grant])
                .client
                .client_id();
            assert_eq!(body["client_id"], client, "{body}");
        }
    }

    fn is_told(&self, body: &Value, good: bool) {
        if good {
            assert_eq!(body["active"], true, "{body}");
            assert_eq!(body["sub"], self.scene.user.id.to_string(), "{body}");
        } else {
            RelyingParty::expect_inactive(body);
        }
    }

    async fn introspect_refresh(&self, index: usize) {
        let refresh = &self.refreshes[index];
        let body = self.confidential.introspect(&refresh.text).await;
        self.is_told(&body, self.refresh_is_good(refresh));
    }

    async fn revoke(&self, grant: usize, token: &str, stranger: bool) {
        let rp = if stranger {
            &self.stranger
        } else {
            self.client_of(&self.grants[grant])
        };
        let answer = rp
            .authenticated("/revoke", &[("token", token)])
            .send()
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    async fn sign_out(&mut self, number: usize, everything: bool) {
        let Some(index) = chosen(&self.grants, number) else {
            return;
        };
        let (user, session) = (self.scene.user.id, self.grants[index].session);
        let which = if everything {
            SessionGrants::All
        } else {
            SessionGrants::KeepOffline
        };
        let ended = self
            .scene
            .write(move |repo| repo.end_session(user, session, which))
            .await;
        let grant = &mut self.grants[index];
        assert_eq!(ended, !grant.session_ended);
        if ended {
            grant.session_ended = true;
            grant.revoked |= everything || !grant.offline;
        }
    }

    async fn take_step(&mut self, step: Step) {
        match step {
            Step::Code { public, offline } => self.code(public, offline).await,
            Step::Redeem { code, wrong } => self.redeem(code, wrong).await,
            Step::Refresh { token, wrong } => self.refresh(token, wrong).await,
            Step::Userinfo { token, elsewhere } => {
                if let Some(index) = chosen(&self.accesses, token) {
                    self.userinfo(index, elsewhere).await;
                }
            }
            Step::Introspect { token, elsewhere } => {
                if let Some(index) = chosen(&self.accesses, token) {
                    self.introspect(index, elsewhere).await;
                }
            }
            Step::IntrospectRefresh { token } => {
                if let Some(index) = chosen(&self.refreshes, token) {
                    self.introspect_refresh(index).await;
                }
            }
            Step::RevokeAccess { token, stranger } => {
                if let Some(index) = chosen(&self.accesses, token) {
                    let access = &self.accesses[index];
                    self.revoke(access.grant, &access.text, stranger).await;
                    self.accesses[index].revoked |= !stranger;
                }
            }
            Step::RevokeRefresh { token, stranger } => {
                if let Some(index) = chosen(&self.refreshes, token) {
                    let refresh = &self.refreshes[index];
                    let grant = refresh.grant;
                    self.revoke(grant, &refresh.text, stranger).await;
                    self.grants[grant].revoked |= !stranger;
                }
            }
            Step::SignOut { grant, everything } => self.sign_out(grant, everything).await,
            Step::Disable(disabled) => {
                if self.disabled != disabled {
                    self.scene.set_disabled(disabled).await;
                    self.disabled = disabled;
                }
            }
            Step::Wait(seconds) => {
                let time = Duration::from_secs(seconds.unsigned_abs());
                self.scene.app.time.advance(time);
                self.now += seconds;
            }
        }
    }

    /// Everything that was ever handed out is as good as the model says.
    async fn look_at_everything(&self) {
        for index in 0..self.accesses.len() {
            self.introspect(index, false).await;
            self.userinfo(index, false).await;
        }
        for index in 0..self.refreshes.len() {
            self.introspect_refresh(index).await;
        }
    }
}

fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    let named = std::env::var("TESSERA_MODEL_SEED").ok();
    let number = match named {
        Some(text) => text.parse().expect("TESSERA_MODEL_SEED is a number"),
        None => Clock::system().now().timestamp_micros().unsigned_abs(),
    };
    println!("TESSERA_MODEL_SEED={number}");
    seed[..8].copy_from_slice(&number.to_le_bytes());
    seed
}

app_test! {
    async fn whatever_is_sent_in_whichever_order_comes_to_what_the_model_says(app: TestApp) {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed());
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let sequences: Vec<_> = (0..SEQUENCES).map(|_| steps().new_tree(&mut runner).expect("steps").current()).collect();
        let mut model = Model::new(Scene::new(app).await).await;
        let (mut codes, mut answers) = (0, 0);
        for sequence in sequences {
            println!("{sequence:?}");
            for step in sequence {
                model.take_step(step).await;
            }
            model.look_at_everything().await;
            codes += model.grants.len();
            answers += model.accesses.len();
            // The next sequence begins with nothing, and with somebody who may sign in.
            model.take_step(Step::Disable(false)).await;
            model.grants.clear();
            model.refreshes.clear();
            model.accesses.clear();
        }
        // The sequences reach past the first refusal.
        assert!(codes > SEQUENCES && answers > SEQUENCES, "{codes} codes, {answers} answers");
    }
}
