//! What somebody whom the tenant trusts says of a person (RFC 7523 §2.1), offered as the subject's token of an exchange (RFC 8693 §2.1).
//!
//! It goes by the rules of [`super::jwt_bearer`]: the same issuers, clients, names of people, life and single use. Besides, the client's own policy has to
//! name the issuer. What it gives is a scope that both the issuer may give and the policy adds. Whom it names as the only one who may act
//! (`may_act`) is heard; who has acted before (`act`) isn't, as these are no parties of the tenant's.

use super::exchange_refusal::ExchangeRefusal;
use super::jwt_bearer::{self, BearerRefusal, Giving};
use super::pipeline::Call;
use super::refusal::TokenRefusal;
use super::token_exchange::{Carried, Party};
use crate::domain::audit::Event;
use crate::domain::ids::{GrantId, UserId};
use crate::domain::settings::AssertionIssuer;
use crate::flows::issue::subject_of;
use crate::flows::scopes::Target;
use crate::jose::bearer_assertion::{BearerAssertion, UnverifiedBearerAssertion};
use crate::protocol::Scope;
use crate::protocol::access_token::Audience;
use crate::protocol::token_exchange::{MayAct, OfferedToken, TokenKind};

/// What somebody whom the tenant trusts says of a person, offered as the subject's token: good, and not used up yet.
pub(super) struct Vouched<'c> {
    issuer: &'c AssertionIssuer,
    assertion: BearerAssertion,
    user: UserId,
}

/// Reads a JWT of one of the issuers whom the tenant trusts; nothing where the token is none.
pub(super) async fn find_vouched<'c>(
    call: &'c Call<'_>,
    offered: &OfferedToken,
) -> Result<Option<Vouched<'c>>, TokenRefusal> {
    let tenant = &call.at.tenant;
    if offered.kind != TokenKind::Jwt || tenant.settings().assertion_issuers.is_empty() {
        return Ok(None);
    }
    let Ok(unverified) = UnverifiedBearerAssertion::parse(offered.token.expose()) else {
        return Ok(None);
    };
    if tenant.is_issuer(unverified.issuer()) {
        return Ok(None);
    }
    let issuer = jwt_bearer::issuer_of(call, unverified.issuer()).map_err(of_assertion)?;
    let named = &call.client.metadata.token_exchange_issuers;
    if !named.contains(&issuer.issuer) {
        return Err(ExchangeRefusal::IssuerNotNamed.into());
    }
    let assertion = jwt_bearer::verify(call, issuer, unverified)
        .await
        .map_err(of_assertion)?;
    let user = jwt_bearer::find_person(call, issuer, &assertion)
        .await
        .map_err(of_subject)?;
    Ok(Some(Vouched {
        issuer,
        assertion,
        user: user.id,
    }))
}

/// RFC 8693 §2.2.2 has a code of its own for a subject's token that isn't good; that keys can't be had for the moment stays what it is.
fn of_assertion(refusal: BearerRefusal) -> TokenRefusal {
    match refusal {
        BearerRefusal::Keys(_) => refusal.into(),
        refusal => ExchangeRefusal::Assertion(refusal).into(),
    }
}

fn of_subject(refusal: TokenRefusal) -> TokenRefusal {
    match refusal {
        TokenRefusal::Bearer(refusal) => of_assertion(refusal),
        refusal => refusal,
    }
}

impl Vouched<'_> {
    /// The person, as the client knows them. They haven't signed in, and what they administer isn't said.
    pub(super) fn party(&self, call: &Call<'_>) -> Party {
        let nobody = || MayAct {
            sub: String::new(),
            iss: None,
        };
        let may_act = self.assertion.may_act.clone();
        let id = call.client.id.to_string();
        Party {
            sub: subject_of(&call.at.tenant, &call.client, self.user),
            user: Some(self.user),
            issued_to: id.clone(),
            audiences: Audience::Single(id),
            exp: self.assertion.expires_at,
            jti: None,
            scope: Scope::empty(),
            most: Some(self.issuer.scope.clone()),
            bound_to: None,
            may_act: may_act
                .map(|named| serde_json::from_value(named).unwrap_or_else(|_| nobody())),
            claims: Carried::default(),
        }
    }

    /// Uses it up: the token hangs on a grant, by which it ends with the issuer, with the name and with the account. Tells of the exchange by
    /// the same commit: an assertion that is spent gave something.
    pub(super) async fn redeem(
        &self,
        call: &Call<'_>,
        target: &Target,
        grant: GrantId,
        told: Event,
    ) -> Result<(), TokenRefusal> {
        let told = Some(told);
        jwt_bearer::commit(
            call,
            self.issuer,
            target,
            &self.assertion,
            Giving { grant, told },
        )
        .await
        .map(drop)
        .map_err(of_subject)
    }
}
