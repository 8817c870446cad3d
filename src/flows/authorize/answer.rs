//! What goes back to the client (RFC 6749 §4.1.2, §4.2.2; OpenID Connect Core §3.2.2.5, §3.3.2.5): the code, the tokens that come with it through
//! the browser, or an error; signed where its response mode wants that (JARM).

use std::sync::Arc;

use super::checks::CheckedRequest;
use super::steps::Flow;
use crate::domain::client::Client;
use crate::domain::grant::Grant;
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

    /// The answer that reports an error.
    pub async fn answer_error(
        &self,
        tenant: &Arc<Tenant>,
        client: &Client,
        redirect: &ValidatedRedirect,
        error: &OAuthError,
    ) -> Result<RedirectResponse, FlowError> {
        self.finish(tenant, client, redirect.respond_error(error))
            .await
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
