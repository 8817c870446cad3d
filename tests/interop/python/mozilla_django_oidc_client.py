"""Django with mozilla-django-oidc: a project of each tenant, by the console's snippet; what a person's browser does is done here."""

import json
import secrets
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from application import Application, free_port, stop
from cookie_browser import Browser
from interop import Report, create_client, expect, expect_equal, quickstart_tenants

SERVE = Path(__file__).resolve().parent.parent / "django" / "serve.py"
# By tenant: the client's authentication, the algorithm of its ID tokens, and that of userinfo where it is signed.
VARIANTS = {"acme": ("client_secret_basic", "ES256", None), "globex": ("client_secret_post", "RS256", "RS256")}
RENEW_AFTER = 2


class Site:
    """One tenant's project."""

    def __init__(self, tenant, folder):
        self.tenant = tenant
        method, alg, userinfo_alg = VARIANTS[tenant.slug]
        self.name = f"{tenant.slug} {method} {alg}"
        self.port = free_port()
        self.address = f"http://localhost:{self.port}"
        redirect_uri = f"{self.address}/auth/callback"
        metadata = {"userinfo_signed_response_alg": userinfo_alg} if userinfo_alg else {}
        registration = create_client(
            tenant,
            "Django",
            [redirect_uri],
            signing_alg=alg,
            post_logout_redirect_uris=[f"{self.address}/bye"],
            token_endpoint_auth_method=method,
            scope="openid profile email",
            **metadata,
        )
        self.environment = {
            "OIDC_CLIENT_SECRET": registration["client_secret"],
            "INTEROP_DJANGO": json.dumps(
                {
                    "secret_key": secrets.token_hex(32),
                    "database": str(folder / f"{tenant.slug}.sqlite3"),
                    "issuer": tenant.issuer,
                    "renew_after": RENEW_AFTER,
                    "values": {
                        "__ISSUER__": tenant.issuer,
                        "__CLIENT_ID__": registration["client_id"],
                        "__SCOPE__": registration["scope"],
                        "__ALG__": alg,
                        "__PY_BASIC__": str(method == "client_secret_basic"),
                        "__REDIRECT_URI__": redirect_uri,
                        "__REDIRECT_ROUTE__": urlsplit(redirect_uri).path[1:],
                    },
                }
            ),
        }

    def start(self):
        return Application([sys.executable, str(SERVE), str(self.port)], [self.port], environment=self.environment)

    def home(self, browser):
        """What the project shows of the person; nothing where it knows nobody, or first wants to ask."""
        page = browser.get(f"{self.address}/")
        return page.json() if page.status_code == 200 else None


def sign_in(site, browser):
    came_to = browser.open(f"{site.address}/login/", None, site.tenant.email, site.tenant.password)
    expect_equal(came_to, f"{site.address}/", "where the sign-in ends")
    return site.home(browser)


def run_flow(report, site):
    tenant, browser = site.tenant, Browser()
    with report.check(f"{site.name}: sign-in by the console's snippet, with PKCE and nonce"):
        page = sign_in(site, browser)
        expect_equal(page["email"], tenant.email, "email of the user that Django made")
    with report.check(f"{site.name}: the session is looked at again without a page"):
        time.sleep(RENEW_AFTER)
        expect_equal(browser.get(f"{site.address}/").status_code, 302, "status when its time is over")
        expect_equal(browser.open(f"{site.address}/", None), f"{site.address}/", "where the renewal ends")
        renewed = site.home(browser)
        expect(renewed["renew_at"] > page["renew_at"], "nothing was renewed")
        expect(renewed["id_token"] != page["id_token"], "the ID token is the old one")
    with report.check(f"{site.name}: a sign-out elsewhere ends it when it is next looked at"):
        browser.open(f"{tenant.issuer}/logout", None)
        time.sleep(RENEW_AFTER)
        # The library takes `login_required` for a failed sign-in, which ends its own session and leads to the home page.
        browser.session.get(f"{site.address}/", timeout=60)
        expect_equal(browser.get(f"{site.address}/").status_code, 401, "status of the home page")
    with report.check(f"{site.name}: signing out ends both sessions and returns to the project"):
        page = sign_in(site, browser)
        form = {"csrfmiddlewaretoken": page["csrf"]}
        answer = browser.session.post(f"{site.address}/logout/", data=form, allow_redirects=False, timeout=60)
        expect_equal(answer.status_code, 302, "status of the sign-out")
        browser.open(answer.headers["Location"], f"{site.address}/bye")
        expect_equal(browser.get(f"{site.address}/").status_code, 401, "status of the home page")
        login = browser.session.get(f"{site.address}/login/", timeout=60)
        expect("/login?flow=" in login.url, f"the provider still knows the person: {login.url}")


def main():
    report = Report()
    tenants = quickstart_tenants()
    running = []
    with tempfile.TemporaryDirectory(prefix="tessera-django-") as folder:
        with report.flow():
            try:
                with report.check("a project of each tenant starts"):
                    sites = [Site(tenant, Path(folder)) for tenant in tenants]
                    for site in sites:
                        running.append(site.start())
                for site in sites:
                    run_flow(report, site)
            finally:
                stop(report, running)
    report.finish()


if __name__ == "__main__":
    main()
