"""go-oidc with golang.org/x/oauth2: a web application of each tenant, and an API; what a person's browser does is done here."""

import json
import os

import requests
from application import Application, free_port, stop
from cookie_browser import Browser
from interop import Report, create_client, expect, expect_equal, quickstart_tenants

PROGRAM = os.environ["INTEROP_GO"]
# By tenant: the client's authentication, and the algorithm of its ID tokens.
VARIANTS = {"acme": ("client_secret_basic", "ES256"), "globex": ("client_secret_post", "RS256")}


class Site:
    """One tenant's application."""

    def __init__(self, tenant):
        self.tenant = tenant
        method, alg = VARIANTS[tenant.slug]
        self.name = f"{tenant.slug} {method} {alg}"
        self.port = free_port()
        self.address = f"http://localhost:{self.port}"
        redirect_uri = f"{self.address}/callback"
        registration = create_client(
            tenant, "Go", [redirect_uri], signing_alg=alg, token_endpoint_auth_method=method
        )
        self.setting = {
            "listen": f"127.0.0.1:{self.port}",
            "issuer": tenant.issuer,
            "client_id": registration["client_id"],
            "client_secret": registration["client_secret"],
            "redirect_uri": redirect_uri,
            "in_params": method == "client_secret_post",
        }

    def api(self, token):
        answer = requests.get(f"{self.address}/api", headers={"Authorization": f"Bearer {token}"}, timeout=60)
        return answer.status_code, answer.json() if answer.ok else None

    def takes(self, id_token):
        return requests.post(f"{self.address}/id-token", data={"id_token": id_token}, timeout=60).ok


def run_flow(report, site, other, browser):
    tenant = site.tenant
    with report.check(f"{site.name}: sign-in with PKCE, state and nonce, the ID token verified"):
        came_to = browser.open(f"{site.address}/login", None, tenant.email, tenant.password)
        expect_equal(came_to, f"{site.address}/", "where the sign-in ends")
        page = browser.get(f"{site.address}/").json()
        expect_equal(page["claims"]["tenant"], tenant.slug, "tenant of the ID token")
        expect_equal(page["claims"]["email"], tenant.email, "email of userinfo")
    with report.check(f"{site.name}: the library renews an ended token by itself"):
        renewed = browser.get(f"{site.address}/refresh").json()
        expect(renewed["access_token"] != page["access_token"], "the access token is the old one")
        again = browser.get(f"{site.address}/refresh").json()
        expect("access_token" in again, f"the second refresh came to {again}")
    with report.check(f"{site.name}: an API takes the access token, and not an ID token"):
        expect_equal(site.api(renewed["access_token"]), (200, {"sub": page["claims"]["sub"]}), "the API's answer")
        expect_equal(site.api(page["id_token"])[0], 401, "status with an ID token")
        expect_equal(site.api(renewed["access_token"][:-4] + "AAAA")[0], 401, "status with a broken signature")
    with report.check(f"{site.name}: {other.tenant.slug}'s application and API refuse its tokens"):
        expect(site.takes(page["id_token"]), "its own ID token is refused")
        expect(not other.takes(page["id_token"]), "the ID token is taken")
        expect_equal(other.api(renewed["access_token"])[0], 401, "status of the access token")
    with report.check(f"{site.name}: a second sign-in needs no password"):
        browser.open(f"{site.address}/login", None)
        expect_equal(browser.get(f"{site.address}/").json()["claims"]["sub"], page["claims"]["sub"], "sub")
    with report.check(f"{site.name}: an answer with a state of elsewhere is refused"):
        expect_equal(browser.get(f"{site.setting['redirect_uri']}?code=x&state=y").status_code, 400, "status")


def main():
    report = Report()
    tenants = quickstart_tenants()
    running = []
    with report.flow():
        try:
            with report.check("the program starts by discovery, with a client registered at each tenant"):
                sites = [Site(tenant) for tenant in tenants]
                settings = json.dumps([site.setting for site in sites])
                running.append(Application([PROGRAM], [site.port for site in sites], text=settings))
            for site in sites:
                # A browser each: cookies don't know ports.
                run_flow(report, site, next(other for other in sites if other is not site), Browser())
        finally:
            stop(report, running)
    report.finish()


if __name__ == "__main__":
    main()
