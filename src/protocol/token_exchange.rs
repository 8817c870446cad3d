//! Token exchange ([RFC 8693](https://www.rfc-editor.org/rfc/rfc8693)): a service offers a token that it was shown and gets one of its own, for
//! the next service along the way.
//!
//! Left out: SAML, refresh tokens, and actors' tokens other than our own. A device secret as the actor's is [`super::native_sso`]'s matter.

use serde::{Deserialize, Serialize};

use super::authorization::read_scope;
use super::errors::OAuthError;
use super::params::Params;
use super::scope::Scope;
use super::token::secret;
use crate::secret::PlainSecret;

/// The most actors that stand behind each other in a token, and the most exchanges that a token may have gone through.
pub const MAX_CHAIN: usize = 5;

/// The most audiences that a request may name.
const MAX_AUDIENCES: usize = 10;

/// The longest audience, in bytes.
const MAX_AUDIENCE: usize = 2048;

/// What a token is (RFC 8693 §3): those that are known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum TokenKind {
    /// An access token of ours, in either form.
    #[serde(rename = "urn:ietf:params:oauth:token-type:access_token")]
    AccessToken,
    /// A JWT: an access token of ours in that form, or an assertion of somebody whom the tenant trusts.
    #[serde(rename = "urn:ietf:params:oauth:token-type:jwt")]
    Jwt,
    /// An ID token of ours.
    #[serde(rename = "urn:ietf:params:oauth:token-type:id_token")]
    IdToken,
}

impl TokenKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AccessToken, Self::Jwt, Self::IdToken];

    /// The registered identifier.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
            Self::IdToken => "urn:ietf:params:oauth:token-type:id_token",
        }
    }

    pub(super) fn read(params: &Params, name: &str) -> Result<Option<Self>, OAuthError> {
        let Some(text) = params.get_bounded(name, 256)? else {
            return Ok(None);
        };
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.map(Some).ok_or_else(|| {
            OAuthError::invalid_request(format!(
                "{name} must be urn:ietf:params:oauth:token-type:access_token, :jwt or :id_token; other tokens aren't exchanged here"
            ))
        })
    }
}

/// A token that is offered, and what it is said to be.
#[derive(Debug, Clone)]
pub struct OfferedToken {
    /// The token.
    pub token: PlainSecret,
    /// What it is said to be.
    pub kind: TokenKind,
}

/// A token exchange request (RFC 8693 §2.1), but its resources, which every token request may name.
#[derive(Debug, Clone)]
pub struct ExchangeRequest {
    /// On whose behalf.
    pub subject: OfferedToken,
    /// Who acts, where that isn't the client itself.
    pub actor: Option<OfferedToken>,
    /// For whom, by the names that they have here.
    pub audiences: Vec<String>,
    /// What for.
    pub scope: Option<Scope>,
    /// In which form.
    pub requested: TokenKind,
}

impl ExchangeRequest {
    /// Reads in which form a token is asked for.
    pub(super) fn read_requested(params: &Params) -> Result<TokenKind, OAuthError> {
        match TokenKind::read(params, "requested_token_type")? {
            Some(TokenKind::IdToken) => Err(OAuthError::invalid_request(
                "requested_token_type must be urn:ietf:params:oauth:token-type:access_token or :jwt; ID tokens are issued to people's own applications",
            )),
            requested => Ok(requested.unwrap_or(TokenKind::AccessToken)),
        }
    }

    /// Reads the body of a request.
    pub fn from_params(params: &Params) -> Result<Self, OAuthError> {
        let requested = Self::read_requested(params)?;
        let subject = OfferedToken {
            token: secret(params, "subject_token")?,
            kind: TokenKind::read(params, "subject_token_type")?
                .ok_or_else(|| OAuthError::invalid_request("subject_token_type is missing"))?,
        };
        let actor = match (
            params.get("actor_token")?.is_some(),
            TokenKind::read(params, "actor_token_type")?,
        ) {
            (false, None) => None,
            (true, Some(kind)) => Some(OfferedToken {
                token: secret(params, "actor_token")?,
                kind,
            }),
            // RFC 8693 §2.1: required with an actor token, and "MUST NOT be included otherwise"
            _ => {
                return Err(OAuthError::invalid_request(
                    "actor_token and actor_token_type go together",
                ));
            }
        };
        Ok(Self {
            subject,
            actor,
            audiences: Self::read_audiences(params)?,
            scope: read_scope(params)?,
            requested,
        })
    }

    pub(super) fn read_audiences(params: &Params) -> Result<Vec<String>, OAuthError> {
        let mut audiences: Vec<String> = Vec::new();
        for audience in params.get_all("audience") {
            if audience.len() > MAX_AUDIENCE {
                return Err(OAuthError::invalid_target("an audience is too long"));
            }
            if audiences.iter().any(|known| known == audience) {
                continue;
            }
            if audiences.len() == MAX_AUDIENCES {
                return Err(OAuthError::invalid_target(
                    "these are too many audiences for one token; ask for a token for each",
                ));
            }
            audiences.push(audience.to_owned());
        }
        Ok(audiences)
    }
}

/// The only party that may act on a subject's behalf by a token (RFC 8693 §4.4). A member that isn't known here makes it nobody: it would tell
/// the party apart from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MayAct {
    /// The party: a person's `sub`, or a `client_id`.
    pub sub: String,
    /// Whose name for it that is; the issuer's of the token unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
}

impl MayAct {
    /// Whether it means this party, as the issuer of that address knows it.
    pub fn means(&self, sub: &str, issuer: &str) -> bool {
        self.sub == sub && self.iss.as_deref().is_none_or(|iss| iss == issuer)
    }
}

/// Who acts on the subject's behalf, and whoever did before (RFC 8693 §4.1): the outermost is who acts now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The acting party.
    pub sub: String,
    /// Who acted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Actor>>,
}

impl Actor {
    /// How many stand behind each other.
    pub fn depth(&self) -> usize {
        1 + self.act.as_ref().map_or(0, |before| before.depth())
    }
}

/// Where an exchanged token comes from. It dies with each token that it was made of, with their grants and with the clients that had them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The client to which the first of them was issued: the grant, where there is one, is that client's.
    pub client_id: String,
    /// The identifiers of those tokens, the first one first.
    pub jti: Vec<uuid::Uuid>,
    /// The clients that had the others of them, and those of who acted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<String>,
    /// Who proved by a token that they act.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actors: Vec<ActorToken>,
}

impl Lineage {
    /// Of a token that was issued to a client at first hand.
    pub fn of(client_id: String) -> Self {
        Self {
            client_id,
            jti: Vec::new(),
            clients: Vec::new(),
            actors: Vec::new(),
        }
    }
}

/// The token by which somebody proved that they act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorToken {
    /// The client to which it, or the first that it was exchanged from, was issued.
    pub client_id: String,
    /// Its identifier, and those of the tokens that it was exchanged from; none of an ID token.
    pub jti: Vec<uuid::Uuid>,
    /// Its grant, which is that client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<uuid::Uuid>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ErrorCode;

    fn read(body: &str) -> Result<ExchangeRequest, OAuthError> {
        ExchangeRequest::from_params(&Params::parse(body.as_bytes()).unwrap())
    }

    const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";

    #[test]
    fn the_specifications_example() {
        // RFC 8693 §2.3, figure 2.
        let request = read(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
             &resource=https%3A%2F%2Fbackend.example.com%2Fapi\
             &subject_token=accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC\
             &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token",
        )
        .unwrap();
        assert_eq!(
            request.subject.token.expose(),
            "accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC"
        );
        assert_eq!(
            (request.subject.kind, request.requested),
            (TokenKind::AccessToken, TokenKind::AccessToken)
        );
        assert!(request.actor.is_none() && request.audiences.is_empty() && request.scope.is_none());
    }

    #[test]
    fn everything_that_can_be_said() {
        let request = read(&format!(
            "subject_token=s&subject_token_type={ACCESS}&actor_token=a&actor_token_type=urn:ietf:params:oauth:token-type:id_token\
             &audience=one&audience=two&audience=one&scope=read&requested_token_type=urn:ietf:params:oauth:token-type:jwt"
        ))
        .unwrap();
        assert_eq!(request.audiences, ["one", "two"]);
        assert_eq!(request.actor.unwrap().kind, TokenKind::IdToken);
        assert_eq!(request.requested, TokenKind::Jwt);
        assert_eq!(request.scope.unwrap().to_string(), "read");
    }

    #[test]
    fn faults() {
        let subject = format!("subject_token=s&subject_token_type={ACCESS}");
        let many = (0..11).fold(String::new(), |text, number| {
            text + "&audience=" + &"a".repeat(number + 1)
        });
        let long = "x".repeat(2049);
        for (body, code) in [
            (String::new(), ErrorCode::InvalidRequest),
            ("subject_token=s".into(), ErrorCode::InvalidRequest),
            (
                format!("subject_token_type={ACCESS}"),
                ErrorCode::InvalidRequest,
            ),
            (
                format!("subject_token=&subject_token_type={ACCESS}"),
                ErrorCode::InvalidRequest,
            ),
            (
                "subject_token=s&subject_token_type=access_token".into(),
                ErrorCode::InvalidRequest,
            ),
            (
                "subject_token=s&subject_token_type=urn:ietf:params:oauth:token-type:refresh_token"
                    .into(),
                ErrorCode::InvalidRequest,
            ),
            (
                "subject_token=s&subject_token_type=urn:ietf:params:oauth:token-type:saml2".into(),
                ErrorCode::InvalidRequest,
            ),
            (
                format!("{subject}&subject_token=t"),
                ErrorCode::InvalidRequest,
            ),
            (
                format!("{subject}&actor_token=a"),
                ErrorCode::InvalidRequest,
            ),
            (
                format!("{subject}&actor_token_type={ACCESS}"),
                ErrorCode::InvalidRequest,
            ),
            (
                format!("{subject}&requested_token_type=urn:ietf:params:oauth:token-type:id_token"),
                ErrorCode::InvalidRequest,
            ),
            (
                format!(
                    "{subject}&requested_token_type=urn:ietf:params:oauth:token-type:refresh_token"
                ),
                ErrorCode::InvalidRequest,
            ),
            (format!("{subject}{many}"), ErrorCode::InvalidTarget),
            (
                format!("{subject}&audience={long}"),
                ErrorCode::InvalidTarget,
            ),
            (format!("{subject}&scope=%22"), ErrorCode::InvalidScope),
        ] {
            assert_eq!(read(&body).unwrap_err().code, code, "{body}");
        }
    }

    #[test]
    fn a_party_is_meant_by_all_that_is_said_of_it() {
        // RFC 8693 §4.4, figure 7.
        let read = |json| serde_json::from_value::<MayAct>(json);
        let plain = read(serde_json::json!({ "sub": "admin@example.com" })).unwrap();
        assert!(plain.means("admin@example.com", "https://id.example"));
        assert!(!plain.means("other@example.com", "https://id.example"));
        let at = read(serde_json::json!({ "sub": "a", "iss": "https://id.example" })).unwrap();
        assert!(at.means("a", "https://id.example") && !at.means("a", "https://other.example"));
        assert!(read(serde_json::json!({ "sub": "a", "client_id": "b" })).is_err());
        assert!(read(serde_json::json!({ "iss": "https://id.example" })).is_err());
    }

    #[test]
    fn actors_stand_behind_each_other() {
        // RFC 8693 §4.1, figure 6.
        let json = serde_json::json!({
            "sub": "https://service16.example.com", "act": { "sub": "https://service77.example.com" },
        });
        let actor: Actor = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(actor.depth(), 2);
        assert_eq!(serde_json::to_value(actor).unwrap(), json);
    }
}
