"""Spring Security: a web application that both tenants' people sign in to, and an API; what a person's browser does is done here."""

import glob
import json
import os
import time
from urllib.parse import urlsplit

import requests
from application import Application, free_port, stop
from cookie_browser import Browser
from interop import Report, create_client, expect, expect_equal, quickstart_tenants

# Classes and, in a file of theirs, the class path, as Maven has built them.
BUILT = os.environ["INTEROP_SPRING"]
# By tenant: the client's authentication, and the algorithm of its ID tokens. Logout tokens are signed by the same, and Spring Security 6.5 takes
# RS256 alone for those, whatever it is told of ID tokens.
VARIANTS = {"acme": ("client_secret_basic", "ES256"), "globex": ("client_secret_post", "RS256")}


class Site:
    """The application, as one tenant's people use it."""

    def __init__(self, tenant, address):
        self.tenant = tenant
        self.address = address
        method, self.alg = VARIANTS[tenant.slug]
        self.name = f"{tenant.slug} {method} {self.alg}"
        self.sign_in = f"{address}/oauth2/authorization/{tenant.slug}"
        self.back_channel = f"{address}/logout/connect/back-channel/{tenant.slug}" if self.alg == "RS256" else None
        hears = {"backchannel_logout_uri": self.back_channel, "backchannel_logout_session_required": True}
        self.registration = create_client(
            tenant,
            "Spring",
            [f"{address}/login/oauth2/code/{tenant.slug}"],
            signing_alg=self.alg,
            token_endpoint_auth_method=method,
            post_logout_redirect_uris=[f"{address}/bye"],
            **(hears if self.back_channel else {}),
        )

    def enter(self, browser, with_password=True):
        """Signs in, and gives what the application shows of the person."""
        person = (self.tenant.email, self.tenant.password) if with_password else ()
        came_to = browser.open(self.sign_in, None, *person)
        # Spring adds `continue` where it leads back to the page that was asked for.
        expect_equal(urlsplit(came_to)._replace(query="").geturl(), f"{self.address}/", "where the sign-in ends")
        return browser.get(f"{self.address}/").json()

    def api(self, token):
        url = f"{self.address}/api/{self.tenant.slug}"
        return requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=60).status_code


def configuration(sites, port):
    """What `application.yml` would hold."""
    client = {
        "registration": {
            site.tenant.slug: {
                "client-id": site.registration["client_id"],
                "client-secret": site.registration["client_secret"],
                "client-authentication-method": site.registration["token_endpoint_auth_method"],
                "authorization-grant-type": "authorization_code",
                "redirect-uri": "{baseUrl}/login/oauth2/code/{registrationId}",
                "scope": "openid,profile,email,offline_access",
            }
            for site in sites
        },
        "provider": {site.tenant.slug: {"issuer-uri": site.tenant.issuer} for site in sites},
    }
    return {
        "server": {"port": port, "address": "127.0.0.1"},
        "spring": {"security": {"oauth2": {"client": client}}, "main": {"banner-mode": "off"}},
        "interop": {"algorithms": {site.tenant.slug: site.alg for site in sites}},
    }


def start(sites, port):
    with open(f"{BUILT}/classpath", encoding="utf-8") as file:
        classpath = f"{BUILT}/classes:{file.read().strip()}"
    environment = {"SPRING_APPLICATION_JSON": json.dumps(configuration(sites, port))}
    # It lives for seconds: what takes time to make the code fast isn't worth it.
    command = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", classpath, "interop.Application"]
    return Application(command, [port], environment=environment)


def is_signed_in(site, browser):
    return browser.get(f"{site.address}/").status_code == 200


def run_flow(report, site, other):
    tenant, browser = site.tenant, Browser()
    with report.check(f"{site.name}: sign-in with PKCE, nonce and userinfo"):
        page = site.enter(browser)
        expect_equal(page["claims"]["tenant"], tenant.slug, "tenant of the ID token")
        expect_equal(page["claims"]["email"], tenant.email, "email of userinfo")
    with report.check(f"{site.name}: the API takes the access token, and not an ID token"):
        expect_equal(site.api(page["access_token"]), 200, "status")
        expect_equal(site.api(page["id_token"]), 401, "status with an ID token")
    with report.check(f"{site.name}: {other.tenant.slug}'s API refuses its access token"):
        expect_equal(other.api(page["access_token"]), 401, "status")
    with report.check(f"{site.name}: a second browser of the same person"):
        second = Browser()
        site.enter(second)
    with report.check(f"{site.name}: signing out ends both sessions and returns to the application"):
        out = browser.session.post(
            f"{site.address}/logout", data={"_csrf": page["csrf"]}, allow_redirects=False, timeout=60
        ).headers["Location"]
        expect(out.startswith(f"{tenant.issuer}/logout?"), f"it leads to {out}")
        browser.open(out, f"{site.address}/bye")
        expect(not is_signed_in(site, browser), "still signed in at the application")
        expect("/login?flow=" in browser.session.get(site.sign_in, timeout=60).url, "still signed in at the provider")
    with report.check(f"{site.name}: the other browser's session is another, and lives on"):
        expect(is_signed_in(site, second), "it was signed out as well")
    if site.back_channel:
        run_back_channel(report, site, second)


def run_back_channel(report, site, second):
    tenant = site.tenant
    with report.check(f"{site.name}: a sign-out elsewhere reaches the application by the back channel"):
        second.open(f"{tenant.issuer}/logout", None)
        deadline = time.monotonic() + 15
        while is_signed_in(site, second):
            expect(time.monotonic() < deadline, "the application hasn't heard of it")
            time.sleep(0.1)
    with report.check(f"{site.name}: what isn't a logout token of this tenant's ends nothing"):
        third = Browser()
        page = site.enter(third)
        for token in (page["id_token"], page["access_token"], "nonsense"):
            expect_equal(requests.post(site.back_channel, data={"logout_token": token}, timeout=60).status_code, 400, "status")
        expect(is_signed_in(site, third), "it was signed out")


def main():
    report = Report()
    tenants = quickstart_tenants()
    running = []
    with report.flow():
        try:
            with report.check("the application starts by both issuers' discovery"):
                expect(glob.glob(f"{BUILT}/classes/interop/*.class"), f"nothing is built in {BUILT}")
                port = free_port()
                sites = [Site(tenant, f"http://localhost:{port}") for tenant in tenants]
                running.append(start(sites, port))
            for site in sites:
                run_flow(report, site, next(other for other in sites if other is not site))
        finally:
            stop(report, running)
    report.finish()


if __name__ == "__main__":
    main()
