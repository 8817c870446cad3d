//! The userinfo endpoint (`OpenID` Connect Core §5.3): what the scope and the `claims` parameter ask for, of the person as they are now.

use super::access::{Access, AccessRefusal, Presented};
use super::issue::subject_of;
use super::provider::Provider;
use super::tenancy::TenantAt;
use crate::protocol::claims::{claims_for_scope, may_have};
use crate::protocol::id_token::ReleasedClaims;
use crate::protocol::scope::OPENID;
use crate::protocol::userinfo::{SignedUserInfo, UserInfo};
use crate::protocol::{OAuthError, Scope};

/// Why userinfo isn't told.
#[derive(Debug, thiserror::Error)]
pub enum UserInfoRefusal {
    /// The token isn't good.
    #[error(transparent)]
    Access(#[from] AccessRefusal),
    /// The token is good, but not for this.
    #[error("the access token has no openid scope")]
    Scope,
}

impl From<UserInfoRefusal> for OAuthError {
    fn from(refusal: UserInfoRefusal) -> Self {
        match refusal {
            UserInfoRefusal::Access(refusal) => refusal.into(),
            UserInfoRefusal::Scope => {
                Self::insufficient_scope("userinfo needs an access token with the scope openid")
            }
        }
    }
}

/// What is said, in the form that the client registered.
pub enum UserInfoAnswer {
    /// As it is.
    Plain(UserInfo),
    /// As a JWT.
    Jwt(String),
}

/// The scope that the endpoint needs.
pub fn needed_scope() -> Scope {
    [OPENID].into_iter().collect()
}

impl Provider {
    /// What is said of the token's person, to whoever presents it.
    pub async fn userinfo(
        &self,
        at: &TenantAt,
        presented: Presented<'_>,
    ) -> Result<UserInfoAnswer, UserInfoRefusal> {
        let access = self.check_presented_token(&at.tenant, presented).await?;
        self.userinfo_of(at, access).await
    }

    /// What is said of the person of a token that was found good.
    pub(super) async fn userinfo_of(
        &self,
        at: &TenantAt,
        access: Access,
    ) -> Result<UserInfoAnswer, UserInfoRefusal> {
        if !access.claims.scope.contains(OPENID) {
            return Err(UserInfoRefusal::Scope);
        }
        let Some(person) = access.person else {
            return Err(AccessRefusal::Grant.into());
        };
        let by_scope = access
            .claims
            .scope
            .iter()
            .flat_map(|token| claims_for_scope(token).iter().map(|name| -> &str { name }));
        // The client's scope may have been narrowed since.
        let registered = access.client.metadata.scope.as_ref();
        let by_request = person.userinfo_claims.iter().map(String::as_str);
        let by_request = by_request.filter(|name| may_have(registered, name));
        let claims = by_scope
            .chain(by_request)
            .filter_map(|name| person.state.claims.get_key_value(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let info = UserInfo {
            sub: subject_of(&at.tenant, &access.client, person.id),
            released: ReleasedClaims::new(claims),
        };
        let metadata = &access.client.metadata;
        if metadata.userinfo_signed_response_alg.is_none()
            && metadata.userinfo_encrypted_response_alg.is_none()
        {
            return Ok(UserInfoAnswer::Plain(info));
        }
        let claims = SignedUserInfo {
            iss: access.claims.iss,
            aud: access.client.id.to_string(),
            info,
        };
        // Boxed, as few clients want it so.
        let sealed = Box::pin(self.seal_userinfo(&at.tenant, &access.client, &claims)).await;
        Ok(UserInfoAnswer::Jwt(sealed.map_err(AccessRefusal::Failed)?))
    }
}
