//! What a person has allowed a client, remembered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::{ClientId, UserId};
use crate::clock::Timestamp;
use crate::protocol::scope::Scope;

/// What may be done, and where: scope-tokens by the resource at which they count. A token allowed at one resource says nothing of
/// another that knows the same name.
///
/// What counts at no resource (the person's own claims, `offline_access`, and all of a request that names none) stands under
/// the empty name. A resource without any scope-token is there too: tokens may be sent to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permissions(BTreeMap<String, Scope>);

impl Permissions {
    /// The most bytes that are remembered of one person and client, as JSON.
    pub const MAX_BYTES: usize = 65_536;

    const NOWHERE: &'static str = "";

    /// Nothing.
    pub const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// A scope that counts at no resource.
    pub fn nowhere(scope: Scope) -> Self {
        Self(BTreeMap::from([(Self::NOWHERE.to_owned(), scope)]))
    }

    /// Adds a resource and what may be done there.
    #[must_use]
    pub fn at(mut self, resource: &str, scope: Scope) -> Self {
        let known = self.0.entry(resource.to_owned()).or_default();
        *known = known.union(&scope);
        self
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every pair of resource and scope-token of `asked` is here.
    pub fn cover(&self, asked: &Self) -> bool {
        asked.0.iter().all(|(resource, scope)| {
            // Nothing that counts nowhere needs no entry.
            (resource == Self::NOWHERE && scope.is_empty())
                || self
                    .0
                    .get(resource)
                    .is_some_and(|allowed| scope.is_subset_of(allowed))
        })
    }

    /// These and the others.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        other.0.iter().fold(self.clone(), |sum, (resource, scope)| {
            sum.at(resource, scope.clone())
        })
    }

    /// Every scope-token, wherever it counts.
    pub fn scope(&self) -> Scope {
        self.0.values().flat_map(Scope::iter).collect()
    }

    /// Each scope with the resource at which it counts; without one, what counts at none.
    pub fn by_resource(&self) -> impl Iterator<Item = (Option<&str>, &Scope)> {
        self.0.iter().map(|(resource, scope)| {
            let resource = Some(resource.as_str());
            (resource.filter(|name| *name != Self::NOWHERE), scope)
        })
    }

    /// Every resource.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.0
            .keys()
            .map(String::as_str)
            .filter(|resource| *resource != Self::NOWHERE)
    }
}

/// A remembered consent: the sum of what the person allowed the client.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Consent {
    /// Who allowed it.
    pub user_id: UserId,
    /// To whom.
    pub client_id: ClientId,
    /// Everything allowed so far.
    pub permissions: Permissions,
    /// When first.
    pub created_at: Timestamp,
    /// When last.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "https://a.example";
    const B: &str = "https://b.example";

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    #[test]
    fn pairs_are_remembered_and_no_product() {
        let allowed = Permissions::nowhere(scope("openid email"))
            .at(A, scope("read"))
            .at(B, scope("write"));
        for covered in [
            Permissions::none(),
            Permissions::nowhere(scope("email")),
            Permissions::none().at(A, scope("read")),
            Permissions::none().at(A, Scope::empty()),
            Permissions::nowhere(scope("openid"))
                .at(A, scope("read"))
                .at(B, scope("write")),
        ] {
            assert!(allowed.cover(&covered), "{covered:?}");
        }
        for new in [
            Permissions::none().at(A, scope("write")),
            Permissions::none().at(B, scope("read")),
            Permissions::nowhere(scope("read")),
            Permissions::none().at(A, scope("email")),
            Permissions::none().at("https://c.example", Scope::empty()),
        ] {
            assert!(!allowed.cover(&new), "{new:?}");
            assert!(allowed.union(&new).cover(&new));
            assert!(allowed.union(&new).cover(&allowed));
        }
        assert_eq!(allowed.scope(), scope("openid email read write"));
        assert_eq!(allowed.resources().collect::<Vec<_>>(), [A, B]);
        let pairs = allowed.by_resource().map(|(at, own)| (at, own.to_string()));
        let pairs: Vec<_> = pairs.collect();
        let expected = [
            (None, "openid email"),
            (Some(A), "read"),
            (Some(B), "write"),
        ];
        assert_eq!(pairs, expected.map(|(at, own)| (at, own.to_owned())));
    }

    #[test]
    fn what_is_stored_is_read_back_as_it_was() {
        let allowed = Permissions::nowhere(scope("openid email")).at(A, scope("b a"));
        let text = serde_json::to_string(&allowed).unwrap();
        assert_eq!(text, r#"{"":"openid email","https://a.example":"b a"}"#);
        let read: Permissions = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
