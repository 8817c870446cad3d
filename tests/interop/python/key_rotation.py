"""Keys change while services verify: tokens from before and after a rotation hold at running verifiers in three libraries,
and a revoked key's tokens do not. Beside it: a token of one tenant is refused by every verifier set up for the other.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jwt
import requests
from authlib_client import CodeFlow
from cookie_browser import Browser
from interop import Report, create_client, expect, expect_equal, quickstart_tenants, tessera

HERE = Path(__file__).resolve().parent
NODE = os.environ.get("INTEROP_NODE", "node")
REDIRECT = "http://127.0.0.1:39873/callback"
VERIFIERS = {
    "PyJWT": [sys.executable, str(HERE / "verify_pyjwt.py")],
    "jose": [NODE, str(HERE.parent / "node" / "verify_jose.mjs")],
    "jsonwebtoken": [NODE, str(HERE.parent / "node" / "verify_jsonwebtoken.mjs")],
}
# How long a rotated key may take to come into use: longer than the published-before-use period set by the runner.
ROTATION_DEADLINE = 60


class Verifier:
    """A verifying service for one issuer, with whatever its library keeps in memory."""

    def __init__(self, library, issuer):
        self.library = library
        self.process = subprocess.Popen(
            [*VERIFIERS[library], issuer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def ask(self, token, audience):
        self.process.stdin.write(json.dumps({"token": token, "audience": audience}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        expect(line, f"the {self.library} verifier ended")
        return json.loads(line)

    def accepts(self, token, audience, what):
        answer = self.ask(token, audience)
        expect(answer["ok"], f"{self.library} refuses {what}: {answer.get('error')}")

    def refuses(self, token, audience, what):
        expect(not self.ask(token, audience)["ok"], f"{self.library} accepts {what}")

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


def key_id(token):
    return jwt.get_unverified_header(token)["kid"]


class Application:
    """A registered client with a person signed in, who can be signed in again for fresh tokens."""

    def __init__(self, tenant, signing_alg):
        self.tenant = tenant
        self.registration = create_client(tenant, f"Rotation {signing_alg}", [REDIRECT], signing_alg=signing_alg)
        self.browser = Browser()

    def tokens(self):
        """(ID token, its audience) and (access token, its audience)."""
        token = CodeFlow(self.tenant, self.registration, self.browser).sign_in()
        return [(token["id_token"], self.registration["client_id"]), (token["access_token"], self.tenant.issuer)]


def fresh_tokens(application, old_kid):
    """Tokens of the rotated key: it comes into use when it has been published long enough."""
    deadline = time.monotonic() + ROTATION_DEADLINE
    while True:
        tokens = application.tokens()
        if key_id(tokens[0][0]) != old_kid:
            return tokens
        expect(time.monotonic() < deadline, f"{old_kid} still signs {ROTATION_DEADLINE} seconds after the rotation")
        time.sleep(0.5)


def published(issuer):
    metadata = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=60).json()
    return {key["kid"] for key in requests.get(metadata["jwks_uri"], timeout=60).json()["keys"]}


def run(report, tenant, other, signing_alg):
    name = f"{tenant.slug} {signing_alg}"
    verifiers, others = [], []
    try:
        with report.check(f"{name}: tokens before the rotation"):
            application = Application(tenant, signing_alg)
            before = application.tokens()
            expect_equal(jwt.get_unverified_header(before[0][0])["alg"], signing_alg, "alg")
            old = key_id(before[0][0])
            verifiers += [Verifier(library, tenant.issuer) for library in VERIFIERS]
            others += [Verifier(library, other.issuer) for library in VERIFIERS]
        for verifier in verifiers:
            with report.check(f"{name}: {verifier.library} accepts them"):
                for token, audience in before:
                    verifier.accepts(token, audience, "a token of the present key")
        for verifier in others:
            with report.check(f"{name}: {verifier.library} set up for {other.slug} refuses them"):
                for token, audience in before:
                    verifier.refuses(token, audience, f"a token of {tenant.slug}")
        with report.check(f"{name}: after `key rotate` another key signs, the old one stays published"):
            tessera("key", "rotate", "--tenant", tenant.slug)
            after = fresh_tokens(application, old)
            expect(published(tenant.issuer) >= {old, key_id(after[0][0])}, "one of the two keys isn't published")
        for verifier in verifiers:
            with report.check(f"{name}: the running {verifier.library} accepts tokens of both keys"):
                for token, audience in after:
                    verifier.accepts(token, audience, "a token of the new key")
                for token, audience in before:
                    verifier.accepts(token, audience, "a token of the old key")
        with report.check(f"{name}: after `key revoke` the old key is no longer published"):
            for kid in {key_id(token) for token, _ in before} - {key_id(token) for token, _ in after}:
                tessera("key", "revoke", "--tenant", tenant.slug, kid, "--yes")
            deadline = time.monotonic() + 5
            while old in published(tenant.issuer):
                expect(time.monotonic() < deadline, "the revoked key is still published after 5 seconds")
                time.sleep(0.1)
        for library in VERIFIERS:
            with report.check(f"{name}: a {library} that starts now refuses the old key's tokens and accepts the new one's"):
                verifier = Verifier(library, tenant.issuer)
                verifiers.append(verifier)
                verifier.accepts(*after[0], "a token of the new key")
                verifier.refuses(*before[0], "a token of the revoked key")
    finally:
        for verifier in verifiers + others:
            verifier.close()


def main():
    report = Report()
    tenants = quickstart_tenants()
    for tenant in tenants:
        for signing_alg in ("ES256", "RS256"):
            with report.flow():
                run(report, tenant, tenant.other(tenants), signing_alg)
    report.finish()


if __name__ == "__main__":
    main()
