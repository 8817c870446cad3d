//! Sign-ins that somebody else than the client begins ([OpenID Connect Core §4](https://openid.net/specs/openid-connect-core-1_0.html#ThirdPartyInitiatedLogin)):
//! the address that a person is sent to.

use url::Url;

/// What the client is told.
#[derive(Debug, Clone, Copy)]
pub struct InitiatedLogin<'a> {
    /// `iss`: where the client is to send the person.
    pub issuer: &'a str,
    /// `login_hint`: who that is. The client learns it; it has to be one that may.
    pub login_hint: Option<&'a str>,
    /// `target_link_uri`: the page of the client that the person wants to see.
    pub target_link_uri: Option<&'a str>,
}

impl InitiatedLogin<'_> {
    /// The address, whose own query stays; none where the client's isn't one that a sign-in may begin at.
    pub fn address(&self, initiate_login_uri: &str) -> Option<String> {
        let mut url = Url::parse(initiate_login_uri).ok()?;
        if url.scheme() != "https" || !url.has_host() {
            return None;
        }
        let parameters = [
            ("iss", Some(self.issuer)),
            ("login_hint", self.login_hint),
            ("target_link_uri", self.target_link_uri),
        ];
        url.query_pairs_mut().extend_pairs(
            parameters
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        Some(url.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_told_who_asks_and_for_whom() {
        let login = InitiatedLogin {
            issuer: "https://id.example.com/t/acme",
            login_hint: None,
            target_link_uri: None,
        };
        assert_eq!(
            login.address("https://app.example/login?x=1").as_deref(),
            Some("https://app.example/login?x=1&iss=https%3A%2F%2Fid.example.com%2Ft%2Facme")
        );
        let full = InitiatedLogin {
            login_hint: Some("ana+x@acme.example&iss=evil"),
            target_link_uri: Some("https://app.example/orders?id=7#top"),
            ..login
        };
        assert_eq!(
            full.address("https://app.example/login").as_deref(),
            Some(
                "https://app.example/login?iss=https%3A%2F%2Fid.example.com%2Ft%2Facme&login_hint=ana%2Bx%40acme.example%26iss%3Devil&target_link_uri=https%3A%2F%2Fapp.example%2Forders%3Fid%3D7%23top"
            )
        );
        for other in [
            "http://app.example/login",
            "javascript:alert(1)",
            "/login",
            "",
        ] {
            assert_eq!(full.address(other), None, "{other}");
        }
    }
}
