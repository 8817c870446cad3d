"""Spring Security by the console's own programs: read off an application's page, compiled as they stand, and run; what a person's browser does is done here.

A web application for each of two tenants, a service, and the API that it calls. What stands around them, and signing out in both directions, is in
`../spring`; all of them run in one Java machine. One thing is changed, as whoever uses the service would change it: the address of the API that it calls.
"""

import glob
import os
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import urlsplit

import requests
from application import Application, free_port, stop
from console_pages import API, Api, Console, service_at, token_of
from cookie_browser import Browser
from interop import Report, create_client, expect, expect_equal, quickstart_tenants, tessera

# Classes and, in a file of theirs, the class path, as Maven has built them.
BUILT = os.environ["INTEROP_SPRING"]
POM = Path(__file__).resolve().parent.parent / "spring/pom.xml"
# By tenant: the client's authentication, and the algorithm of its ID tokens. Logout tokens are signed by the same, and Spring Security 6.5 takes
# RS256 alone for those, whatever it is told of ID tokens.
VARIANTS = {"acme": ("client_secret_basic", "ES256"), "globex": ("client_secret_post", "RS256")}
ORDERS, OTHERS = "https://orders.example.com", "https://others.example.com"
READ = "orders:read"
# What signs people out is no program of the console's, and needs no more than those.
SURROUNDINGS = {"web": "interop.Pages", "service": "interop.Service", "api": "interop.Endpoint"}


class Site:
    """The application of one tenant."""

    def __init__(self, tenant):
        self.tenant = tenant
        self.port = free_port()
        self.address = f"http://localhost:{self.port}"
        method, self.alg = VARIANTS[tenant.slug]
        self.name = f"{tenant.slug} {method} {self.alg}"
        self.sign_in = f"{self.address}/oauth2/authorization/tessera"
        self.back_channel = f"{self.address}/logout/connect/back-channel/tessera" if self.alg == "RS256" else None
        hears = {"backchannel_logout_uri": self.back_channel, "backchannel_logout_session_required": True}
        self.registration = create_client(
            tenant,
            "Spring",
            [f"{self.address}/signed/in"],
            signing_alg=self.alg,
            token_endpoint_auth_method=method,
            post_logout_redirect_uris=[f"{self.address}/bye"],
            **(hears if self.back_channel else {}),
        )

    def enter(self, browser, with_password=True):
        """Signs in, and gives what the application shows of the person."""
        person = (self.tenant.email, self.tenant.password) if with_password else ()
        came_to = browser.open(self.sign_in, None, *person)
        # Spring adds `continue` where it leads back to the page that was asked for.
        expect_equal(urlsplit(came_to)._replace(query="").geturl(), f"{self.address}/", "where the sign-in ends")
        return browser.get(f"{self.address}/").json()


class Workshop:
    """Folders with programs, and what they have to be told."""

    def __init__(self, folder):
        self.folder = folder
        self.made = []
        self.installed = set()

    def program(self, name, kind, files, installs, told):
        """Writes a program down as it was read."""
        folder = self.folder / name
        folder.mkdir()
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        classes = [Path(file).stem for file in files if file.endswith(".java")]
        expect(len(classes) == 1, f"the page shows {list(files)} of {name}")
        told = told | {"spring.main.sources": f"{classes[0]},{SURROUNDINGS[kind]}", "spring.main.banner-mode": "off"}
        lines = [f"{key}={value}\n" for key, value in told.items()]
        (folder / "surroundings.properties").write_text("".join(lines), encoding="utf-8")
        self.made.append(str(folder))
        self.installed |= set(installs)

    def start(self, ports):
        with open(f"{BUILT}/classpath", encoding="utf-8") as file:
            classpath = f"{BUILT}/classes:{file.read().strip()}"
        # It lives for seconds: what takes time to make the code fast isn't worth it.
        command = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", classpath, "interop.Programs"]
        return Application([*command, *self.made], ports)


def dependencies():
    """What the programs are compiled with."""
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    found = ET.parse(POM).getroot().findall("m:dependencies/m:dependency", space)
    return {f"{one.find('m:groupId', space).text}:{one.find('m:artifactId', space).text}" for one in found}


def listening(port):
    return {"server.port": port, "server.address": "127.0.0.1"}


def write(workshop, sites, service, api, port):
    """The programs, as the console shows them."""
    consoles = {site.tenant.slug: Console(site.tenant) for site in sites}
    console = consoles["acme"]
    programs = console.programs(service)
    calls = {name: text.replace(API, api.address) for name, text in programs["spring"].items()}
    secret = {"OIDC_CLIENT_SECRET": service["client_secret"], "spring.main.web-application-type": "none"}
    # First, so that it has called when the others are there.
    workshop.program("service", "service", calls, console.installs["spring"], secret)
    verifies = programs["verify-spring"]
    workshop.program("api", "api", verifies, console.installs["verify-spring"], listening(port))
    for site in sites:
        console = consoles[site.tenant.slug]
        signs_in = console.programs(site.registration)["spring"]
        secret = {"OIDC_CLIENT_SECRET": site.registration["client_secret"]}
        workshop.program(site.tenant.slug, "web", signs_in, console.installs["spring"], secret | listening(site.port))


def is_signed_in(site, browser):
    return browser.get(f"{site.address}/").status_code == 200


def run_flow(report, site):
    tenant, browser = site.tenant, Browser()
    with report.check(f"{site.name}: sign-in with PKCE, nonce and userinfo"):
        page = site.enter(browser)
        expect_equal(page["claims"]["tenant"], tenant.slug, "tenant of the ID token")
        expect_equal(page["claims"]["email"], tenant.email, "email of userinfo")
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


def run_api(report, port, service, called_with, bad):
    def ask(token):
        return requests.get(f"http://localhost:{port}/", headers={"Authorization": f"Bearer {token}"}, timeout=60)

    with report.check("the service gets a token and calls its API with it, which takes it"):
        (token,) = called_with
        answer = ask(token)
        expect_equal((answer.status_code, answer.json()), (200, {"client_id": service["client_id"]}), "the answer")
    with report.check("the API takes no others"):
        for what, (token, status) in bad.items():
            expect_equal(ask(token).status_code, status, f"status with {what}")


def run_all(report, workshop, api, running):
    acme, globex = tenants = quickstart_tenants()
    port = free_port()
    with report.check("the console's programs compile and start as they are shown, with what it says is to be installed"):
        expect(glob.glob(f"{BUILT}/classes/interop/*.class"), f"nothing is built in {BUILT}")
        for tenant, identifier in ((acme, ORDERS), (acme, OTHERS), (globex, ORDERS)):
            scopes = ["--scope", READ, "--scope", "orders:write"]
            tessera("resource", "create", "--tenant", tenant.slug, "--identifier", identifier, *scopes)
        sites = [Site(tenant) for tenant in tenants]
        service = service_at(acme, ORDERS, READ)
        write(workshop, sites, service, api, port)
        expect_equal(dependencies(), workshop.installed, "what the page says is to be installed")
        running.append(workshop.start([port, *[site.port for site in sites]]))
    for site in sites:
        with report.flow():
            run_flow(report, site)
    token = api.tokens[0] if api.tokens else ""
    bad = {
        "a broken signature": (token[:-8] + "AAAAAAAA", 401),
        "an ID token": (sites[0].enter(Browser())["id_token"], 401),
        "another tenant's token": (token_of(globex, service_at(globex, ORDERS, READ), ORDERS), 401),
        "a token of another API": (token_of(acme, service_at(acme, OTHERS, READ), OTHERS), 401),
        "another scope": (token_of(acme, service_at(acme, ORDERS, "orders:write"), ORDERS), 403),
    }
    run_api(report, port, service, api.tokens, bad)


def main():
    report = Report()
    api = Api()
    running = []
    with tempfile.TemporaryDirectory(prefix="tessera-spring-") as folder:
        try:
            with report.flow():
                run_all(report, Workshop(Path(folder)), api, running)
        finally:
            stop(report, running)
    api.shutdown()
    report.finish()


if __name__ == "__main__":
    main()
