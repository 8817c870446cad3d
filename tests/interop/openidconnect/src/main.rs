//! The `openidconnect` crate as a relying party: whole code flows on both tenants, with PKCE, state and nonce, the ID token
//! verified by the tenant's published keys, userinfo, refresh, introspection and RP-initiated sign-out.
//!
//! Left out: revocation, as the crate refuses a revocation endpoint without TLS (RFC 7009 §2).
//!
//! Prints `ok - NAME` or `not ok - NAME: reason` a check. The person at the browser is `INTEROP_BROWSER`, a program that signs
//! in and prints where the provider redirected to.

mod provider;
mod setting;

use std::fmt::Display;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use openidconnect::core::CoreAuthenticationFlow;
use openidconnect::{
    AccessTokenHash, AuthorizationCode, CsrfToken, LogoutRequest, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PostLogoutRedirectUrl, Scope, TokenIntrospectionResponse, TokenResponse,
};

use provider::{Application, Tokens, http};
use setting::{Tenant, open_in_browser, parameter};

const REDIRECT: &str = "http://127.0.0.1:39874/callback";
const SIGNED_OUT: &str = "http://127.0.0.1:39874/signed-out";

/// One sign-in: the tokens, and the nonce that was sent for them.
struct SignIn {
    tokens: Tokens,
    nonce: Nonce,
}

fn sign_in(application: &Application, tenant: &Tenant, jar: &str) -> Result<SignIn> {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = application
        .client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        )
        .add_scopes(
            ["profile", "email", "offline_access"].map(|scope| Scope::new(scope.to_owned())),
        )
        .set_pkce_challenge(challenge)
        .url();
    let answer = open_in_browser(url.as_str(), &format!("{REDIRECT}?"), jar, Some(tenant))?;
    ensure!(
        parameter(&answer, "state").as_deref() == Some(state.secret().as_str()),
        "the state differs"
    );
    ensure!(
        parameter(&answer, "iss").as_deref() == Some(tenant.issuer.as_str()),
        "iss differs (RFC 9207)"
    );
    let code = parameter(&answer, "code").with_context(|| format!("no code in {answer}"))?;
    let tokens = application
        .client
        .exchange_code(AuthorizationCode::new(code))?
        .set_pkce_verifier(verifier)
        .request(&http)?;
    Ok(SignIn { tokens, nonce })
}

fn check_id_token(
    application: &Application,
    tenant: &Tenant,
    signed_in: &SignIn,
) -> Result<String> {
    let verifier = application.client.id_token_verifier();
    let id_token = signed_in
        .tokens
        .id_token()
        .context("there is no ID token")?;
    let claims = id_token.claims(&verifier, &signed_in.nonce)?;
    if let Some(expected) = claims.access_token_hash() {
        let actual = AccessTokenHash::from_token(
            signed_in.tokens.access_token(),
            id_token.signing_alg()?,
            id_token.signing_key(&verifier)?,
        )?;
        ensure!(&actual == expected, "at_hash is of another access token");
    }
    ensure!(
        claims.additional_claims().tenant == tenant.slug,
        "the ID token names another tenant"
    );
    Ok(claims.subject().to_string())
}

fn check_foreign(application: &Application, other: &Application, signed_in: &SignIn) -> Result<()> {
    let id_token = signed_in
        .tokens
        .id_token()
        .context("there is no ID token")?;
    // The same client, its verifier set up for the other tenant.
    let foreign = other.verifier_for(&application.registration);
    ensure!(
        id_token.claims(&foreign, &signed_in.nonce).is_err(),
        "the other tenant's verifier accepts the ID token"
    );
    let answer = other
        .client
        .user_info(signed_in.tokens.access_token().clone(), None)?
        .request::<provider::Claims, provider::Gender, _>(&http);
    ensure!(
        answer.is_err(),
        "the other tenant's userinfo accepts the access token"
    );
    Ok(())
}

fn check_userinfo(
    application: &Application,
    tenant: &Tenant,
    signed_in: &SignIn,
    subject: &str,
) -> Result<()> {
    let expected = Some(openidconnect::SubjectIdentifier::new(subject.to_owned()));
    let info = application
        .client
        .user_info(signed_in.tokens.access_token().clone(), expected)?
        .request::<provider::Claims, provider::Gender, _>(&http)?;
    let email = info.email().context("there is no e-mail address")?;
    ensure!(
        email.as_str() == tenant.email,
        "userinfo says {}",
        email.as_str()
    );
    Ok(())
}

fn check_refresh(application: &Application, signed_in: &SignIn) -> Result<Tokens> {
    let refresh_token = signed_in
        .tokens
        .refresh_token()
        .context("there is no refresh token")?;
    let refreshed = application
        .client
        .exchange_refresh_token(refresh_token)?
        .request(&http)?;
    ensure!(
        refreshed.access_token().secret() != signed_in.tokens.access_token().secret(),
        "the access token is the old one"
    );
    Ok(refreshed)
}

fn check_introspection(application: &Application, tokens: &Tokens, subject: &str) -> Result<()> {
    let client = application.introspecting_client()?;
    let answer = client.introspect(tokens.access_token()).request(&http)?;
    ensure!(answer.active(), "the token is not active");
    ensure!(
        answer.sub() == Some(subject),
        "introspection names another person"
    );
    Ok(())
}

fn check_sign_out(
    application: &Application,
    tenant: &Tenant,
    signed_in: &SignIn,
    jar: &str,
) -> Result<()> {
    let state = CsrfToken::new_random();
    let url = LogoutRequest::from(application.end_session_endpoint()?)
        .set_id_token_hint(
            signed_in
                .tokens
                .id_token()
                .context("there is no ID token")?,
        )
        .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(SIGNED_OUT.to_owned())?)
        .set_state(state.clone())
        .http_get_url();
    let answer = open_in_browser(url.as_str(), SIGNED_OUT, jar, None)?;
    ensure!(
        parameter(&answer, "state").as_deref() == Some(state.secret().as_str()),
        "the state differs"
    );

    let (silent, _, _) = application
        .client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        )
        .add_prompt(openidconnect::core::CoreAuthPrompt::None)
        .set_pkce_challenge(PkceCodeChallenge::new_random_sha256().0)
        .url();
    let answer = open_in_browser(silent.as_str(), &format!("{REDIRECT}?"), jar, Some(tenant))?;
    ensure!(
        parameter(&answer, "error").as_deref() == Some("login_required"),
        "prompt=none still finds a session: {answer}"
    );
    Ok(())
}

/// Prints the outcome of one check; `None` when it failed.
fn report<T>(name: impl Display, outcome: Result<T>) -> Option<T> {
    match outcome {
        Ok(value) => {
            println!("ok - {name}");
            Some(value)
        }
        Err(error) => {
            println!(
                "not ok - {name}: {}",
                format!("{error:#}").replace('\n', " ")
            );
            None
        }
    }
}

fn run_flow(tenant: &Tenant, other: &Tenant, signing_alg: &str, jar: &str) -> Option<()> {
    let name = format!("{} {signing_alg}", tenant.slug);
    let application = report(
        format!("{name}: discovery and registration"),
        Application::register(tenant, REDIRECT, SIGNED_OUT, signing_alg),
    )?;
    let neighbour = report(
        format!("{name}: discovery and registration at {}", other.slug),
        Application::register(other, REDIRECT, SIGNED_OUT, signing_alg),
    )?;
    let signed_in = report(
        format!("{name}: sign-in with PKCE, state and nonce ends in tokens"),
        sign_in(&application, tenant, jar),
    )?;
    let subject = report(
        format!("{name}: the ID token is valid and names the tenant"),
        check_id_token(&application, tenant, &signed_in),
    )?;
    report(
        format!("{name}: {} refuses both tokens", other.slug),
        check_foreign(&application, &neighbour, &signed_in),
    )?;
    report(
        format!("{name}: userinfo is the same person"),
        check_userinfo(&application, tenant, &signed_in, &subject),
    )?;
    let refreshed = report(
        format!("{name}: the refresh token brings new tokens"),
        check_refresh(&application, &signed_in),
    )?;
    report(
        format!("{name}: introspection shows the token as active"),
        check_introspection(&application, &refreshed, &subject),
    )?;
    report(
        format!("{name}: signing out ends the session and returns to the application"),
        check_sign_out(&application, tenant, &signed_in, jar),
    )
}

fn main() -> Result<ExitCode> {
    let tenants = setting::quickstart_tenants()?;
    let jar = std::env::temp_dir().join(format!("tessera-interop-jar-{}", std::process::id()));
    let mut all = true;
    for (index, tenant) in tenants.iter().enumerate() {
        let other = &tenants[1 - index];
        for signing_alg in ["ES256", "RS256"] {
            all &= run_flow(tenant, other, signing_alg, &jar.to_string_lossy()).is_some();
        }
    }
    // The jar may not exist where no browser was opened.
    let _ = std::fs::remove_file(jar);
    Ok(if all {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
