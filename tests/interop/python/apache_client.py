"""Debian's Apache with libapache2-mod-auth-openidc: sign-in, claims, refresh, sign-out and bearer tokens, two tenants.

The module is configured as an operator would, by discovery, with PKCE; a browser without JavaScript is its user.
"""

import os
import pwd
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from string import Template
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from application import answers, free_port
from cookie_browser import Browser, UnexpectedPage
from interop import Report, create_client, expect, expect_equal, quickstart_tenants

TEMPLATES = Path(__file__).resolve().parent.parent / "apache"
MODULES = os.environ.get("INTEROP_APACHE_MODULES", "/usr/lib/apache2/modules")
APACHE = os.environ.get("INTEROP_APACHE", "/usr/sbin/apache2")
SIGNING_ALGS = {"acme": "ES256", "globex": "RS256"}


class Host:
    """One tenant's virtual host and its registered client."""

    def __init__(self, tenant, folder):
        self.tenant = tenant
        self.port = free_port()
        self.address = f"http://localhost:{self.port}"
        self.redirect_uri = f"{self.address}/members/callback"
        self.signed_out = f"{self.address}/signed-out.html"
        self.signing_alg = SIGNING_ALGS[tenant.slug]
        registration = create_client(
            tenant,
            "Apache",
            [self.redirect_uri],
            signing_alg=self.signing_alg,
            post_logout_redirect_uris=[self.signed_out],
        )
        self.configuration = Template((TEMPLATES / "host.conf.template").read_text()).substitute(
            folder=folder,
            port=self.port,
            slug=tenant.slug,
            issuer=tenant.issuer,
            oauth_metadata=f"{tenant.issuer}/.well-known/oauth-authorization-server",
            client_id=registration["client_id"],
            client_secret=registration["client_secret"],
            signing_alg=self.signing_alg,
            redirect_uri=self.redirect_uri,
            passphrase=secrets.token_hex(16),
        )

    def hook(self, **parameters):
        """An address of the module's own, which answers at the redirect URI."""
        return f"{self.redirect_uri}?{urlencode(parameters)}"


class Apache:
    """The private server in a folder of its own."""

    def __init__(self, folder, hosts):
        self.folder = folder
        for page in ("members/index.html", "api/index.html", "signed-out.html"):
            path = folder / "www" / page
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("<!doctype html><title>Apache</title><body>here</body>")
        user = ""
        if os.geteuid() == 0:
            owner = next(name for name in ("www-data", "nobody") if _exists(name))
            user = f"User {owner}\nGroup {'www-data' if owner == 'www-data' else 'nogroup'}"
            os.chmod(folder, 0o755)
        configuration = folder / "apache.conf"
        configuration.write_text(
            Template((TEMPLATES / "apache.conf.template").read_text()).substitute(
                folder=folder,
                modules=MODULES,
                user=user,
                log_level=os.environ.get("INTEROP_APACHE_LOG", "warn"),
                hosts="\n".join(host.configuration for host in hosts),
            )
        )
        self.process = subprocess.Popen([APACHE, "-f", str(configuration), "-D", "FOREGROUND"], stdout=sys.stderr)
        deadline = time.monotonic() + 30
        for host in hosts:
            while not answers(host.port):
                expect(self.process.poll() is None and time.monotonic() < deadline, f"Apache does not start: {self.log()}")
                time.sleep(0.1)

    def log(self):
        path = self.folder / "error.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def _exists(user):
    try:
        return bool(pwd.getpwnam(user))
    except KeyError:
        return False


def run_flow(report, host, other, browser):
    tenant, name = host.tenant, f"{host.tenant.slug} {host.signing_alg}"
    members = f"{host.address}/members/index.html"
    with report.check(f"{name}: a member's page leads through sign-in back to itself"):
        answer = browser.open(members, host.redirect_uri + "?", tenant.email, tenant.password)
        parameters = parse_qs(urlsplit(answer).query)
        expect("code" in parameters, f"came back with {sorted(parameters)}")
        back = browser.get(answer)
        expect_equal(back.headers.get("Location"), members, "Location")
    with report.check(f"{name}: the application sees the person and the tenant's claims"):
        page = browser.get(members)
        expect_equal(page.status_code, 200, "status")
        expect_equal(page.headers["X-Remote-User"], tenant.email, "REMOTE_USER")
        expect_equal(page.headers["X-Claim-Tenant"], tenant.slug, "OIDC_CLAIM_tenant")
        info = browser.get(host.hook(info="json")).json()
        expect_equal(page.headers["X-Claim-Subject"], info["id_token"]["sub"], "OIDC_CLAIM_sub")
        expect_equal(info["userinfo"]["email"], tenant.email, "email of userinfo")
    with report.check(f"{name}: the refresh hook brings a new access token"):
        answer = browser.get(host.hook(refresh=members, access_token=info["access_token"]))
        expect_equal(answer.headers.get("Location"), members, "Location")
        refreshed = browser.get(host.hook(info="json")).json()
        expect(refreshed["access_token"] != info["access_token"], "the access token is the old one")
    with report.check(f"{name}: the API accepts the tenant's access token and refuses it at {other.tenant.slug}"):
        bearer = {"Authorization": f"Bearer {refreshed['access_token']}"}
        accepted = requests.get(f"{host.address}/api/index.html", headers=bearer, timeout=60)
        expect_equal(accepted.status_code, 200, "status")
        expect_equal(accepted.headers["X-Remote-User"], info["id_token"]["sub"], "REMOTE_USER")
        refused = requests.get(f"{other.address}/api/index.html", headers=bearer, timeout=60)
        expect_equal(refused.status_code, 401, f"status at {other.tenant.slug}")


def run_sign_out(report, host, browser):
    name = f"{host.tenant.slug} {host.signing_alg}"
    with report.check(f"{name}: signing out ends both sessions and returns to the application"):
        answer = browser.open(host.hook(logout=host.signed_out), host.signed_out)
        expect(answer.startswith(host.signed_out), f"came to {answer}")
        expect_equal(browser.get(f"{host.address}/members/index.html").status_code, 302, "status of a member's page")
        try:
            came_to = browser.open(f"{host.address}/members/index.html", host.redirect_uri + "?")
        except UnexpectedPage:
            return  # asked for credentials, and nobody was there to give them
        raise AssertionError(f"still signed in: {came_to}")


def main():
    report = Report()
    tenants = quickstart_tenants()
    with tempfile.TemporaryDirectory(prefix="tessera-apache-") as name:
        folder = Path(name)
        hosts, apache = [], None
        with report.flow():
            try:
                with report.check("Apache starts with a client registered at each tenant"):
                    hosts = [Host(tenant, folder) for tenant in tenants]
                    apache = Apache(folder, hosts)
                # One person, one browser, two tenants side by side.
                browser = Browser()
                for host in hosts:
                    run_flow(report, host, next(other for other in hosts if other is not host), browser)
                for host in hosts:
                    with report.check(f"{host.tenant.slug}: still signed in beside the other tenant"):
                        page = browser.get(f"{host.address}/members/index.html")
                        expect_equal(page.headers.get("X-Claim-Tenant"), host.tenant.slug, "OIDC_CLAIM_tenant")
                for host in hosts:
                    run_sign_out(report, host, browser)
            finally:
                if apache:
                    apache.stop()
                if report.failed and apache:
                    print(apache.log(), file=sys.stderr)
    report.finish()


if __name__ == "__main__":
    main()
