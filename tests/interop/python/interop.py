"""What every Python client of the suite shares: the quickstart's document, the command line, and one report.

A client program prints one line a check, `ok - NAME` or `not ok - NAME: reason`; the runner counts them.
"""

import json
import os
import subprocess
import sys
import tempfile
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field

TENANTS = ("acme", "globex")


class Stopped(Exception):
    """A check failed, and what follows in the same flow depends on it."""


class Report:
    """Prints the checks of one program and remembers whether all held."""

    def __init__(self):
        self.failed = 0
        self.passed = 0

    @contextmanager
    def check(self, name):
        try:
            yield
        except Stopped:
            raise
        except Exception as error:  # whatever a client library raises is a finding
            self.failed += 1
            reason = f"{type(error).__name__}: {error}".replace("\n", " ")
            print(f"not ok - {name}: {reason}", flush=True)
            traceback.print_exc(file=sys.stderr)
            raise Stopped from error
        self.passed += 1
        print(f"ok - {name}", flush=True)

    @contextmanager
    def flow(self):
        """The scope that a failed check ends."""
        try:
            yield
        except Stopped:
            pass

    def finish(self):
        sys.exit(1 if self.failed or not self.passed else 0)


def expect(condition, message):
    """An assertion that `python -O` keeps."""
    if not condition:
        raise AssertionError(message)


def expect_equal(actual, expected, what):
    expect(actual == expected, f"{what} is {actual!r}, not {expected!r}")


@dataclass
class Tenant:
    slug: str
    issuer: str
    email: str
    password: str
    clients: list = field(repr=False)

    def other(self, tenants):
        return next(tenant for tenant in tenants if tenant.slug != self.slug)


def quickstart_tenants():
    """The two tenants of `tessera quickstart --json`, each with a person who can sign in."""
    with open(os.environ["TESSERA_QUICKSTART"], encoding="utf-8") as file:
        document = json.load(file)
    by_slug = {tenant["slug"]: tenant for tenant in document["tenants"]}
    found = []
    for slug in TENANTS:
        tenant = by_slug[slug]
        user = tenant["users"][0]
        found.append(Tenant(slug, tenant["issuer"], user["email"], user["password"], tenant["clients"]))
    return found


def tessera(*arguments):
    """Runs the command line beside the running server and returns the document that it prints."""
    command = [os.environ["INTEROP_TESSERA"], *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"`tessera {' '.join(arguments)}` ended with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout) if done.stdout.strip() else None


def create_client(tenant, name, redirect_uris, *, signing_alg=None, post_logout_redirect_uris=(), **metadata):
    """Registers a web client of this suite from RFC 7591 metadata and returns the response."""
    document = {
        "client_name": name,
        "redirect_uris": list(redirect_uris),
        "post_logout_redirect_uris": list(post_logout_redirect_uris),
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "openid profile email offline_access",
        "token_endpoint_auth_method": "client_secret_basic",
        **metadata,
    }
    if signing_alg:
        document["id_token_signed_response_alg"] = signing_alg
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(document, file)
        file.flush()
        return tessera("client", "create", "--tenant", tenant.slug, "--name", name, "--metadata-file", file.name)
