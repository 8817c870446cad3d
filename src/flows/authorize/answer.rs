//! What goes back to the client (RFC 6749 §4.1.2, §4.2.2; OpenID Connect Core §3.2.2.5, §3.3.2.5): the code, the tokens that come with it through
//! the browser, or an error; signed where its response mode wants that (JARM).

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use quick_cache::sync::Cache;

use super::checks::CheckedRequest;
use super::steps::Flow;
use crate::domain::audit::Origin;
use crate::domain::client::Client;
use crate::domain::grant::Grant;
use crate::domain::ids::TenantId;
use crate::domain::throttle::network_of;
use crate::flows::Provider;
use crate::flows::issue::{AccessTokenOrder, IdTokenBinding, MintedAccessToken, Principal};
use crate::flows::provider::FlowError;
use crate::flows::scopes::Target;
use crate::flows::sessions::SignedIn;
use crate::flows::tenancy::Tenant;
use crate::protocol::authorization_details::AuthorizationDetails;
use crate::protocol::client_metadata::ResponseType;
use crate::protocol::redirect_uri::{RedirectResponse, Response};
use crate::protocol::token::TokenType;
use crate::protocol::{OAuthError, ValidatedRedirect};
use crate::secret::PlainSecret;

/// The tokens that go through the browser.
#[derive(Default)]
struct Tokens {
    access: Option<MintedAccessToken>,
    id_token: Option<String>,
}

impl Provider {
    /// The answer to a request that was granted, after the commit that granted it. `grant` is there where tokens are a part of it.
    pub(super) async fn answer_granted(
        &self,
        flow: &Flow<'_>,
        person: &SignedIn,
        code: &PlainSecret,
        grant: Option<&Grant>,
    ) -> Result<RedirectResponse, FlowError> {
        let CheckedRequest {
            request,
            client,
            redirect,
            ..
        } = flow.checked;
        let code = request.response_type.has_code().then(|| code.expose());
        let tokens = match grant {
            Some(grant) => self.mint_front(flow, person, code, grant).await?,
            None => Tokens::default(),
        };
        let mut parameters: Vec<(&str, &str)> = Vec::with_capacity(6);
        parameters.extend(code.map(|code| ("code", code)));
        let (expires_in, scope);
        if let Some(token) = &tokens.access {
            expires_in = token.expires_in.to_string();
            scope = token.claims.scope.to_string();
            parameters.extend([
                ("access_token", token.text.as_str()),
                ("token_type", TokenType::Bearer.as_str()),
                ("expires_in", &expires_in),
            ]);
            // RFC 6749 §4.2.2: always said, although only a difference must be.
            parameters.extend((!scope.is_empty()).then_some(("scope", scope.as_str())));
        }
        parameters.extend(tokens.id_token.as_deref().map(|token| ("id_token", token)));
        self.finish(&flow.at.tenant, client, redirect.respond(&parameters))
            .await
    }

    async fn mint_front(
        &self,
        flow: &Flow<'_>,
        person: &SignedIn,
        code: Option<&str>,
        grant: &Grant,
    ) -> Result<Tokens, FlowError> {
        let (tenant, checked, user) = (&flow.at.tenant, flow.checked, &person.user);
        let (client, asked) = (&checked.client, checked.request.response_type);
        let mut tokens = Tokens::default();
        if asked.has_access_token() {
            let target = Target {
                scope: checked.scope.clone(),
                resources: checked.resources.clone(),
                // Refused with these response types.
                details: AuthorizationDetails::default(),
            };
            let principal = Principal::Person {
                grant,
                roles: &user.roles,
            };
            let order = AccessTokenOrder {
                issuer: &grant.issuer,
                target: &target,
                principal,
                // Nobody proves anything here (RFC 9449 §5).
                binding: None,
            };
            tokens.access = Some(self.mint_access_token(tenant, client, order).await?);
        }
        if asked.has_id_token() {
            let binding = IdTokenBinding {
                ds_hash: None,
                pushed: None,
                nonce: checked.request.nonce.as_deref(),
                access_token: tokens.access.as_ref().map(|token| token.text.as_str()),
                code,
                state: checked.request.state.as_deref(),
                // By a code, too, an access token will be had that can fetch them.
                scope: (asked == ResponseType::IdToken).then_some(&checked.scope),
            };
            let minted = self.mint_id_token(tenant, client, grant, user, binding);
            tokens.id_token = Some(minted.await?);
        }
        Ok(tokens)
    }

    /// The answer that reports an error. None where it would have to be signed and its network has had as many signed as it may in a minute: whoever
    /// knows a client's name and address can ask for as many errors as they like, and a page costs nothing.
    pub async fn answer_error(
        &self,
        tenant: &Arc<Tenant>,
        client: &Client,
        redirect: &ValidatedRedirect,
        error: &OAuthError,
        origin: &Origin,
    ) -> Result<Option<RedirectResponse>, FlowError> {
        if redirect.is_signed() && !may_sign(tenant.id(), origin, self.clock.unix()) {
            return Ok(None);
        }
        self.finish(tenant, client, redirect.respond_error(error))
            .await
            .map(Some)
    }

    async fn finish(
        &self,
        tenant: &Arc<Tenant>,
        client: &Client,
        response: Response,
    ) -> Result<RedirectResponse, FlowError> {
        match response {
            Response::Plain(response) => Ok(response),
            Response::ToSign(unsigned) => {
                let claims = unsigned.claims(&client.id.to_string(), self.clock.unix());
                let jwt = self.sign_response(tenant, client, &claims).await?;
                Ok(unsigned.send(&jwt))
            }
        }
    }
}

/// How many errors are signed for one network in a minute. One by RSA takes a millisecond; honest applications ask in vain now and then.
const SIGNED_ERRORS: u32 = 120;

/// The errors that were signed, by tenant, network and minute.
static SIGNED: LazyLock<Cache<(TenantId, String, i64), Arc<AtomicU32>>> =
    LazyLock::new(|| Cache::new(10_000));

fn may_sign(tenant: TenantId, origin: &Origin, unix: i64) -> bool {
    let network = network_of(origin.address.as_deref().unwrap_or_default());
    let name = (tenant, network, unix.div_euclid(60));
    let counted = SIGNED.get_or_insert_with(&name, || Ok::<_, Infallible>(Arc::default()));
    counted.is_ok_and(|counted| counted.fetch_add(1, Ordering::Relaxed) < SIGNED_ERRORS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_has_its_errors_in_a_minute() {
        let tenant = |number| TenantId::from(uuid::Uuid::from_u128(number));
        let from = |address: &str| Origin {
            request_id: None,
            address: Some(address.to_owned()),
        };
        let (here, now) = (from("203.0.113.7"), 1_800_000_000);
        for _ in 0..SIGNED_ERRORS {
            assert!(may_sign(tenant(71), &here, now));
        }
        assert!(!may_sign(tenant(71), &here, now + 59));
        assert!(may_sign(tenant(71), &here, now + 60));
        assert!(may_sign(tenant(71), &from("203.0.113.8"), now));
        assert!(may_sign(tenant(72), &here, now));
    }
}
