"""The console's programs as it shows them: read off an application's page, installed as they stand, and run.

A client of each kind is registered; an administrator opens its page in the console. What a person's browser does is done here. Two things are changed, as whoever
uses a program would change them: the port where an API listens, and the address of the API that a service calls. Django's program runs in
`mozilla_django_oidc_client.py`, Spring's in `spring_client.py`, that of single-page applications in `browser/console.mjs`; that for Android isn't run.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from secrets import token_hex

import requests
from application import Application, free_port, stop
from console_pages import API, AUDIENCE, Api, Console, only, service_at, token_of
from cookie_browser import Browser
from interop import Report, create_client, expect, expect_equal, quickstart_tenants, tessera

HERE = Path(__file__).resolve().parent
NODE = os.environ["INTEROP_NODE"]
CARGO_TARGET = os.environ["INTEROP_RUST_TARGET"]
OTHER_AUDIENCE = "https://other.example.com"
VERIFIERS = {"verify-python", "verify-node", "verify-spring", "verify-go", "verify-rust"}
TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")
SECONDS = 60


class Started:
    """A program that prints an address to open; what it prints afterwards is its result."""

    def __init__(self, command, environment=None):
        self.process = subprocess.Popen(
            command,
            env=os.environ | {"NO_PROXY": "localhost,127.0.0.1", "PYTHONUNBUFFERED": "1"} | (environment or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._watchdog = threading.Timer(SECONDS, self.process.kill)
        self._watchdog.start()

    def address(self):
        line = self.process.stdout.readline()
        expect(line.startswith("Open "), f"the program printed {line!r}")
        return line.removeprefix("Open ").strip()

    def result(self, text=None):
        printed, _ = self.process.communicate(text)
        self._watchdog.cancel()
        expect_equal(self.process.returncode, 0, f"the program's end, after {printed!r}")
        return printed


def ran(command, environment=None):
    done = subprocess.run(
        command, env=os.environ | {"NO_PROXY": "localhost,127.0.0.1"} | (environment or {}), capture_output=True, text=True, timeout=SECONDS
    )
    expect_equal(done.returncode, 0, f"the program's end, after {(done.stdout + done.stderr)[-2000:]!r}")
    return done.stdout


class Workshop:
    """Where programs are written down and made ready."""

    def __init__(self, folder, api):
        self.folder = folder
        self.api = api
        (folder / "node_modules").symlink_to(HERE.parent / "node" / "node_modules")

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(API, self.api.address), encoding="utf-8")
        return path

    def go(self, programs):
        """Builds Go programs, by their names."""
        for name, text in programs.items():
            self.write(f"go/{name}/main.go", text)
        for file in ("go.mod", "go.sum"):
            shutil.copy(HERE.parent / "go" / file, self.folder / "go" / file)
        built = self.folder / "go/built"
        built.mkdir()
        done = subprocess.run(
            ["go", "build", "-C", str(self.folder / "go"), "-o", f"{built}/", *[f"./{name}" for name in programs]],
            env=os.environ | {"CGO_ENABLED": "0"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        expect_equal(done.returncode, 0, f"the end of `go build`, after {done.stderr[-3000:]}")
        return {name: str(built / name) for name in programs}

    def rust(self, programs):
        """Builds Rust programs, by their names, with the crates of the Rust client.

        Runs against both databases share a target directory, so that each names its binaries by itself."""
        suffix = token_hex(4)
        for file in ("Cargo.toml", "Cargo.lock"):
            self.write(f"rust/{file}", (HERE.parent / "openidconnect" / file).read_text(encoding="utf-8"))
        for name, text in programs.items():
            self.write(f"rust/src/bin/{name}_{suffix}.rs", text)
        done = subprocess.run(
            ["cargo", "build", "--locked", "--quiet", "--manifest-path", str(self.folder / "rust/Cargo.toml"), "--target-dir", CARGO_TARGET],
            capture_output=True,
            text=True,
            timeout=900,
        )
        expect_equal(done.returncode, 0, f"the end of `cargo build`, after {done.stderr[-3000:]}")
        return {name: str(Path(CARGO_TARGET) / "debug" / f"{name}_{suffix}") for name in programs}


class Site:
    """A web application of one language."""

    def __init__(self, tenant, language):
        self.port = free_port()
        self.address = f"http://localhost:{self.port}"
        self.redirect_uri = f"{self.address}/callback"
        self.client = create_client(tenant, f"{language} by the console", [self.redirect_uri], scope="openid profile email")
        self.environment = {"OIDC_CLIENT_SECRET": self.client["client_secret"], "SESSION_SECRET": "of this test alone"}


def run_express(report, tenant, workshop, site, program):
    server = workshop.write("express/server.mjs", program)
    running = [Application([NODE, str(server)], [site.port], environment=site.environment)]
    try:
        with report.check("Express: a person signs in"):
            browser = Browser()
            browser.open(f"{site.address}/login", None, tenant.email, tenant.password)
            expect_equal(browser.get(f"{site.address}/").json()["email"], tenant.email, "who is signed in")
    finally:
        stop(report, running)


def run_go(report, tenant, site, program):
    running = [Application([program], [site.port], environment=site.environment)]
    try:
        with report.check("Go: a person signs in"):
            browser = Browser()
            came_to = browser.open(f"{site.address}/login", site.redirect_uri, tenant.email, tenant.password)
            expect_equal(browser.get(came_to).json()["email"], tenant.email, "who is signed in")
            status = browser.get(f"{site.redirect_uri}?code=x&state=y").status_code
            expect_equal(status, 400, "status with a state of elsewhere")
    finally:
        stop(report, running)


def run_rust(report, tenant, site, program):
    with report.check("Rust: a person signs in"):
        started = Started([program], site.environment)
        came_to = Browser().open(started.address(), site.redirect_uri, tenant.email, tenant.password)
        printed = started.result(f"{came_to}\n")
        expect(tenant.email in printed, f"the program printed {printed!r}")


def run_terminal(report, tenant, language, command):
    with report.check(f"{language}: a person signs in to a program on the command line"):
        started = Started(command)
        came_to = Browser().open(started.address(), "http://127.0.0.1:", tenant.email, tenant.password)
        told = requests.get(came_to, timeout=SECONDS).text
        expect("Signed in" in told, f"the browser was told {told!r}")
        printed = started.result()
        expect(re.search(r"Signed in: \S+", printed), f"the program printed {printed!r}")


def run_device(report, tenant, language, command):
    with report.check(f"{language}: a person signs in on a device without a browser"):
        started = Started(command)
        page, code = re.fullmatch(r"(\S+) and enter (\S+)", started.address()).groups()
        expect_equal(page, f"{tenant.issuer}/device", "where the person is sent")
        Browser().open(f"{page}?user_code={code}", None, tenant.email, tenant.password)
        printed = started.result()
        expect(TOKEN.search(printed), f"the program printed {printed!r}")


def run_service(report, api, language, command, secret):
    """The token that a service calls the API with."""
    with report.check(f"{language}: a service gets a token and calls the API with it"):
        before = len(api.tokens)
        ran(command, {"OIDC_CLIENT_SECRET": secret})
        expect_equal(len(api.tokens), before + 1, "calls of the API")
        expect(TOKEN.fullmatch(api.tokens[-1]), "the API wasn't called with a JWT")
    return api.tokens[-1]


# How a program that verifies tokens is called where it is no program by itself: what stands around it says whether it took `token`.
CALLERS = {
    "verify-node": """
import { authenticated } from "./tokens.mjs";
const answer = { status(code) { console.log("refused", code); return this; }, set() { return this; }, end() {} };
const request = { headers: { authorization: `Bearer ${process.env.token}` } };
await authenticated(request, answer, () => console.log("taken", request.claims.client_id));
""",
    "verify-python": """
import os

import jwt
import tokens

try:
    print("taken", tokens.check(os.environ["token"])["client_id"])
except jwt.PyJWTError as error:
    print("refused", error)
""",
    "verify-rust": """
fn main() -> anyhow::Result<()> {
    let keys: JwkSet = serde_json::from_str(&std::env::var("keys")?)?;
    match check(&std::env::var("token")?, &keys) {
        Ok(claims) => println!("taken {}", claims.client_id),
        Err(error) => println!("refused {error}"),
    }
    Ok(())
}
""",
}


def run_verifier(report, name, command, keys, client_id, good, bad):
    with report.check(f"{name}: takes tokens of its API and no others"):
        said = ran(command, {"token": good, "keys": keys}).strip()
        expect_equal(said, f"taken {client_id}", "what was said of a good token")
        for what, token in bad.items():
            said = ran(command, {"token": token, "keys": keys})
            expect(said.startswith("refused"), f"of {what} was said {said!r}")


def run_go_verifier(report, port, program, good, bad):
    def status(token):
        header = {"Authorization": f"Bearer {token}"}
        return requests.get(f"http://localhost:{port}/", headers=header, timeout=SECONDS).status_code

    running = [Application([program], [port])]
    try:
        with report.check("verify-go: takes tokens of its API and no others"):
            expect_equal(status(good), 200, "status with a good token")
            for what, token in bad.items():
                expect_equal(status(token), 401, f"status with {what}")
    finally:
        stop(report, running)


def run_all(report, acme, globex, workshop, api):
    with report.check("an application's page shows its programs, and never its secret"):
        for tenant, identifier in ((acme, AUDIENCE), (acme, OTHER_AUDIENCE), (globex, AUDIENCE)):
            tessera("resource", "create", "--tenant", tenant.slug, "--identifier", identifier, "--scope", "stock:read")
        console = Console(acme)
        sites = {language: Site(acme, language) for language in ("express", "go", "rust")}
        web = {language: only(console.programs(site.client)[language]) for language, site in sites.items()}
        service = service_at(acme, AUDIENCE)
        services = console.programs(service)
        terminals = console.programs(
            create_client(acme, "Terminal", ["http://127.0.0.1/callback"], token_endpoint_auth_method="none", scope="openid email")
        )
        devices = console.programs(
            create_client(
                acme,
                "Device",
                [],
                grant_types=["urn:ietf:params:oauth:grant-type:device_code"],
                response_types=[],
                token_endpoint_auth_method="none",
                scope="openid email",
            )
        )
        expect_equal(set(services), {"curl", "python", "node", "spring", "go", "rust", *VERIFIERS}, "programs of a service")
        expect_equal(set(terminals), {"go", "python", "rust"}, "programs of the command line")
        expect_equal(set(devices), {"shell", "python"}, "programs of a device")
    port = free_port()
    with report.check("the programs in Go build"):
        go = workshop.go(
            {
                "web": web["go"],
                "service": only(services["go"]),
                "terminal": only(terminals["go"]),
                "verify": only(services["verify-go"]).replace('":3001"', f'":{port}"'),
            }
        )
    with report.check("the programs in Rust build"):
        rust = workshop.rust(
            {
                "web": web["rust"],
                "service": only(services["rust"]),
                "terminal": only(terminals["rust"]),
                "verify": only(services["verify-rust"]) + CALLERS["verify-rust"],
            }
        )
    run_express(report, acme, workshop, sites["express"], web["express"])
    run_go(report, acme, sites["go"], go["web"])
    run_rust(report, acme, sites["rust"], rust["web"])
    run_terminal(report, acme, "Go", [go["terminal"]])
    run_terminal(report, acme, "Rust", [rust["terminal"]])
    run_terminal(report, acme, "Python", [sys.executable, str(workshop.write("terminal.py", only(terminals["python"])))])
    run_device(report, acme, "Python", [sys.executable, str(workshop.write("device.py", only(devices["python"])))])
    run_device(report, acme, "sh", ["sh", str(workshop.write("device.sh", only(devices["shell"])))])
    secret = service["client_secret"]
    run_service(report, api, "Go", [go["service"]], secret)
    run_service(report, api, "Rust", [rust["service"]], secret)
    run_service(report, api, "Python", [sys.executable, str(workshop.write("service.py", only(services["python"])))], secret)
    good = run_service(report, api, "Node.js", [NODE, str(workshop.write("service.mjs", only(services["node"])))], secret)
    with report.check("curl: a service gets a token"):
        printed = ran(["sh", str(workshop.write("token.sh", only(services["curl"])))], {"OIDC_CLIENT_SECRET": secret})
        expect(TOKEN.fullmatch(json.loads(printed)["access_token"]), f"the program printed {printed!r}")
    bad = {
        "a token with a broken signature": good[:-8] + "AAAAAAAA",
        "another tenant's token": token_of(globex, service_at(globex, AUDIENCE), AUDIENCE),
        "a token of another API": token_of(acme, service_at(acme, OTHER_AUDIENCE), OTHER_AUDIENCE),
    }
    keys = requests.get(f"{acme.issuer}/jwks", timeout=SECONDS).text
    commands = {"verify-rust": [rust["verify"]]}
    for name, program in (("verify-node", NODE), ("verify-python", sys.executable)):
        ((file, text),) = services[name].items()
        workshop.write(f"{name}/{file}", text)
        commands[name] = [program, str(workshop.write(f"{name}/main{Path(file).suffix}", CALLERS[name]))]
    for name, command in commands.items():
        run_verifier(report, name, command, keys, service["client_id"], good, bad)
    run_go_verifier(report, port, go["verify"], good, bad)


def main():
    report = Report()
    acme, globex = quickstart_tenants()
    api = Api()
    with tempfile.TemporaryDirectory(prefix="tessera-snippets-") as folder, report.flow():
        run_all(report, acme, globex, Workshop(Path(folder), api), api)
    api.shutdown()
    report.finish()


if __name__ == "__main__":
    main()
