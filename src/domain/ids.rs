//! Identifiers as types, so that a person's id can't be handed in where a client's belongs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The plain UUID.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            /// Takes the hyphenated form only: one entity has one spelling.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let id = Uuid::try_parse(text)?;
                let mut buffer = Uuid::encode_buffer();
                if id.hyphenated().encode_lower(&mut buffer) == text {
                    Ok(Self(id))
                } else {
                    Uuid::try_parse("").map(Self)
                }
            }
        }
    };
}

id_type!(
    /// A tenant's permanent identifier, the `tenant_id` of its tokens.
    TenantId
);
id_type!(
    /// A person; the `sub` of tokens where subjects are public.
    UserId
);
id_type!(
    /// A client; its text form is the `client_id`.
    ClientId
);
id_type!(
    /// A resource (an API that accepts tokens).
    ResourceId
);
id_type!(
    /// A signing key's row; the `kid` is its public name.
    KeyId
);
id_type!(
    /// A browser's session; the `sid` of tokens.
    SessionId
);
id_type!(
    /// What a person allowed a client once; its tokens carry it as `grant_id`.
    GrantId
);
id_type!(
    /// A refresh token's row.
    RefreshTokenId
);
id_type!(
    /// A one-time link's row.
    LinkId
);
id_type!(
    /// A pushed authorization request's row.
    PushedRequestId
);
id_type!(
    /// A device code's row, and the grant that comes of it.
    DeviceCodeId
);
id_type!(
    /// A backchannel authentication request's row, and the grant that comes of it.
    BackchannelRequestId
);
id_type!(
    /// An initial access token's row.
    InitialAccessTokenId
);
id_type!(
    /// A logout token's delivery to a client.
    LogoutDeliveryId
);
id_type!(
    /// What an issuer of assertions calls a person.
    ExternalSubjectId
);
id_type!(
    /// A device secret's row.
    DeviceSecretId
);
id_type!(
    /// A custom domain of a tenant.
    DomainId
);
id_type!(
    /// An audit event.
    EventId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let text = "018f3a4e-1111-7222-8333-444455556666";
        assert_eq!(text.parse::<UserId>().expect("an id").to_string(), text);
        for other in [
            "018F3A4E-1111-7222-8333-444455556666",
            "018f3a4e111172228333444455556666",
            "{018f3a4e-1111-7222-8333-444455556666}",
            "",
        ] {
            assert!(other.parse::<UserId>().is_err(), "{other}");
        }
    }
}
