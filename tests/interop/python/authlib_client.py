"""Authlib's requests client and PyJWT: whole code flows on both tenants, and a token of one refused at the other."""

import os
from urllib.parse import parse_qsl, urlsplit

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # the loopback interface, without TLS

import jwt
import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from cookie_browser import Browser
from interop import Report, create_client, expect, expect_equal, quickstart_tenants
from joserfc import jwt as jose_jwt
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

REDIRECT = "http://127.0.0.1:39871/callback"
SIGNED_OUT = "http://127.0.0.1:39871/signed-out"
SCOPE = "openid profile email offline_access"

# What differs between the flows: the client's authentication and the algorithm of its ID tokens.
VARIANTS = (
    ("client_secret_basic", "ES256"),
    ("client_secret_post", "RS256"),
    ("none", "PS256"),
)


class CodeFlow:
    """One sign-in by Authlib: the session, its tokens and the checked claims."""

    def __init__(self, tenant, registration, browser):
        self.tenant = tenant
        self.browser = browser
        self.registration = registration
        self.metadata = discover(tenant.issuer)
        self.session = OAuth2Session(
            registration["client_id"],
            registration.get("client_secret"),
            scope=SCOPE,
            redirect_uri=registration["redirect_uris"][0],
            token_endpoint_auth_method=registration["token_endpoint_auth_method"],
            revocation_endpoint_auth_method=registration["token_endpoint_auth_method"],
            code_challenge_method="S256",
            default_timeout=60,
        )
        self.session.trust_env = False
        self.token = None
        self.nonce = generate_token(32)

    def sign_in(self, **parameters):
        """Through the browser to the token response."""
        verifier = generate_token(64)
        url, state = self.session.create_authorization_url(
            self.metadata["authorization_endpoint"], code_verifier=verifier, nonce=self.nonce, **parameters
        )
        redirect_uri = self.registration["redirect_uris"][0]
        answer = self.browser.open(url, redirect_uri + "?", self.tenant.email, self.tenant.password)
        parameters = dict(parse_qsl(urlsplit(answer).query))
        expect_equal(parameters.get("iss"), self.metadata["issuer"], "iss of the response")  # RFC 9207
        if "error" in parameters:  # Authlib leaves this to the application
            raise OAuthError(parameters["error"], parameters.get("error_description"))
        self.token = self.session.fetch_token(
            self.metadata["token_endpoint"], authorization_response=answer, code_verifier=verifier, state=state
        )
        return self.token

    def check_id_token(self):
        """As Authlib's own integrations do it: keys by kid, the algorithms of discovery, every claim."""
        keys = KeySet.import_key_set(get_json(self.metadata["jwks_uri"]))
        algorithms = self.metadata["id_token_signing_alg_values_supported"]
        token = jose_jwt.decode(
            self.token["id_token"], key=keys, registry=JWSRegistry(algorithms=algorithms, strict_check_header=False)
        )
        claims = CodeIDToken(
            token.claims,
            token.header,
            {"iss": {"essential": True, "values": [self.metadata["issuer"]]}},
            {"nonce": self.nonce, "client_id": self.session.client_id, "access_token": self.token["access_token"]},
        )
        claims.validate(leeway=5)
        return token.header, claims


def discover(issuer):
    metadata = get_json(f"{issuer}/.well-known/openid-configuration")
    expect_equal(metadata["issuer"], issuer, "issuer")
    return metadata


def get_json(url):
    response = requests.get(url, timeout=60)
    response.raise_for_status()
    return response.json()


def verify_with_pyjwt(token, issuer, audience):
    """A service's verification: nothing but the issuer's address."""
    keys = jwt.PyJWKClient(discover(issuer)["jwks_uri"])
    key = keys.get_signing_key_from_jwt(token)
    return jwt.decode(
        token,
        key,
        algorithms=["ES256", "RS256", "PS256", "EdDSA"],
        audience=audience,
        issuer=issuer,
        options={"require": ["iss", "aud", "exp", "iat", "sub"]},
    )


def run_flow(report, name, tenant, other, method, signing_alg):
    flow = None
    with report.check(f"{name}: the client is registered"):
        registration = create_client(
            tenant,
            f"Authlib {method} {signing_alg}",
            [REDIRECT],
            signing_alg=signing_alg,
            post_logout_redirect_uris=[SIGNED_OUT],
            token_endpoint_auth_method=method,
        )
        expect_equal(registration["token_endpoint_auth_method"], method, "token_endpoint_auth_method")
    with report.check(f"{name}: sign-in with PKCE, state and nonce ends in tokens"):
        flow = CodeFlow(tenant, registration, Browser())
        token = flow.sign_in()
        expect_equal(token["token_type"].lower(), "bearer", "token_type")
        expect("refresh_token" in token, "there is no refresh token")
    with report.check(f"{name}: the ID token is valid and names the tenant"):
        header, claims = flow.check_id_token()
        expect_equal(header["alg"], signing_alg, "alg")
        expect_equal(claims["tenant"], tenant.slug, "tenant")
        expect(claims["tenant_id"], "tenant_id is empty")
    with report.check(f"{name}: PyJWT verifies the ID token and the access token"):
        verify_with_pyjwt(token["id_token"], tenant.issuer, registration["client_id"])
        access = verify_with_pyjwt(token["access_token"], tenant.issuer, tenant.issuer)
        expect_equal(jwt.get_unverified_header(token["access_token"])["typ"].lower(), "at+jwt", "typ")
        expect_equal(access["client_id"], registration["client_id"], "client_id")
        expect_equal(access["tenant"], tenant.slug, "tenant")
        expect_equal(access["sub"], claims["sub"], "sub")
    with report.check(f"{name}: PyJWT set up for {other.slug} refuses both tokens"):
        for token_name in ("id_token", "access_token"):
            try:
                verify_with_pyjwt(token[token_name], other.issuer, registration["client_id"])
            except jwt.PyJWTError:
                continue
            raise AssertionError(f"{other.slug} accepts the {token_name}")
    with report.check(f"{name}: userinfo is the same person"):
        response = flow.session.get(flow.metadata["userinfo_endpoint"])
        response.raise_for_status()
        info = response.json()
        expect_equal(info["sub"], claims["sub"], "sub")
        expect_equal(info["email"], tenant.email, "email")
    with report.check(f"{name}: userinfo of {other.slug} refuses the access token"):
        response = flow.session.get(discover(other.issuer)["userinfo_endpoint"])
        expect_equal(response.status_code, 401, "status")
    with report.check(f"{name}: the refresh token brings new tokens"):
        refreshed = flow.session.refresh_token(flow.metadata["token_endpoint"], refresh_token=token["refresh_token"])
        expect(refreshed["access_token"] != token["access_token"], "the access token is the old one")
        flow.token = refreshed
        refreshed_claims = verify_with_pyjwt(refreshed["id_token"], tenant.issuer, registration["client_id"])
        expect_equal(refreshed_claims["sub"], claims["sub"], "sub")
    current = refreshed.get("refresh_token", token["refresh_token"])
    if method != "none":
        with report.check(f"{name}: introspection shows the token as active"):
            answer = introspect(flow, refreshed["access_token"])
            expect_equal(answer["active"], True, "active")
            expect_equal(answer["sub"], claims["sub"], "sub")
    with report.check(f"{name}: revocation ends the grant"):
        response = flow.session.revoke_token(
            flow.metadata["revocation_endpoint"], token=current, token_type_hint="refresh_token"
        )
        expect_equal(response.status_code, 200, "status")
        try:
            flow.session.refresh_token(flow.metadata["token_endpoint"], refresh_token=current)
        except OAuthError as error:
            expect_equal(error.error, "invalid_grant", "error")
        else:
            raise AssertionError("the revoked refresh token still works")
        if method != "none":
            expect_equal(introspect(flow, refreshed["access_token"])["active"], False, "active")
    with report.check(f"{name}: signing out ends the session and returns to the application"):
        url = requests.Request(
            "GET",
            flow.metadata["end_session_endpoint"],
            params={"id_token_hint": token["id_token"], "post_logout_redirect_uri": SIGNED_OUT, "state": "back again"},
        ).prepare().url
        answer = flow.browser.open(url, SIGNED_OUT)
        expect(answer in (f"{SIGNED_OUT}?state=back+again", f"{SIGNED_OUT}?state=back%20again"), f"came to {answer}")
        try:
            CodeFlow(tenant, registration, flow.browser).sign_in(prompt="none")
        except OAuthError as error:
            expect_equal(error.error, "login_required", "error")
        else:
            raise AssertionError("prompt=none still finds a session")


def introspect(flow, token):
    response = flow.session.introspect_token(
        flow.metadata["introspection_endpoint"], token=token, token_type_hint="access_token"
    )
    response.raise_for_status()
    return response.json()


def main():
    report = Report()
    tenants = quickstart_tenants()
    for tenant in tenants:
        for method, signing_alg in VARIANTS:
            with report.flow():
                run_flow(report, f"{tenant.slug} {method} {signing_alg}", tenant, tenant.other(tenants), method, signing_alg)
    report.finish()


if __name__ == "__main__":
    main()
