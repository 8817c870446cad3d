"""What the administration API can be asked about: a tenant with one of each thing that has a path, made through the API itself.

What an operation deletes, ends or changes is a thing of that operation's own, so that none misses what another took away, in whatever
order they are asked.
"""

import json
import secrets
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit

import jsonschema_rs
import requests
from cookie_browser import Browser
from interop import expect, expect_equal

PASSWORD = "correct horse battery staple"
REDIRECT_URI = "https://app.example/callback"
PROOF_PATH = "/.well-known/tessera-domain-verification"
# Seconds until what happens in the background has happened.
DEADLINE = 30


class Api:
    """The API by its document: what it answers has to be a success that the document describes."""

    def __init__(self, root, token):
        self.root = root
        self.document = requests.get(f"{root}/api/openapi.json", timeout=30).json()
        self.operations = {}
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                self.operations[operation["operationId"]] = (method.upper(), path, operation)
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"
        self.succeeded = set()

    def ask(self, name, body=None, query=None, **path):
        method, template, operation = self.operations[name]
        headers = {"If-Match": "*"} if method == "PATCH" else {}
        if body is not None:
            (headers["Content-Type"],) = operation["requestBody"]["content"]
            body = json.dumps(body)
        url = f"{self.root}/api/v1{template.format(**path)}"
        answer = self.session.request(method, url, data=body, params=query, headers=headers, timeout=30)
        expect(answer.ok, f"{name} answered {answer.status_code}: {answer.text}")
        described = operation["responses"].get(str(answer.status_code))
        expect(described, f"{name} answered {answer.status_code}, which the document doesn't describe")
        found = self._read(name, answer, described)
        self.succeeded.add(name)
        return found

    def _read(self, name, answer, described):
        if "content" not in described:
            expect_equal(answer.content, b"", f"the body of {name}")
            return None
        ((kind, content),) = described["content"].items()
        expect_equal(answer.headers["Content-Type"], kind, f"the type of {name}")
        schema = {**content["schema"], "components": self.document["components"]}
        found = answer.json()
        for error in jsonschema_rs.Draft202012Validator(schema, validate_formats=True).iter_errors(found):
            raise AssertionError(f"{name} answered {json.dumps(found)}: {error.message}")
        return found

    def wait(self, name, holds, **arguments):
        """The first item that this holds of, of a list that is filled in the background."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            for item in self.ask(name, **arguments)["items"]:
                if holds(item):
                    return item
            time.sleep(0.1)
        raise AssertionError(f"{name} doesn't list it after {DEADLINE} seconds")

    def about_any_tenant(self):
        """The operations that take a body and name nothing but the tenant, which any tenant that exists does as well for."""
        return [
            name
            for name, (_, path, operation) in self.operations.items()
            if "requestBody" in operation and path.count("{") == path.count("{tenant}")
        ]


class Host(ThreadingHTTPServer):
    """A domain that holds its proof, and an application that takes no logout tokens."""

    daemon_threads = True
    proof = b""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.origin = f"http://localhost:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self._answer(*((200, self.server.proof) if self.path == PROOF_PATH else (404, b"")))

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(503, b"")

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Things:
    """What there is, as parameters: those that every operation is given, and those of the operations that have their own."""

    def __init__(self, api, host):
        self.api = api
        self.host = host
        self.shared = {}
        self.own = {}
        self._make_tenants()
        self._make_people()
        self._make_clients()
        self._sign_in()
        # The domain becomes the canonical address, which leads nowhere: after the sign-ins.
        self._make_domains()
        self._make_keys()
        self._make_the_rest()

    def ask(self, name, body=None, **arguments):
        return self.api.ask(name, body, tenant=self.tenant["slug"], **arguments)

    def _give(self, operations, **path):
        """Gives the operations these instead of what all share."""
        for operation in operations:
            self.own.setdefault(operation, {}).update({f"path.{name}": value for name, value in path.items()})

    def _make_tenants(self):
        def make(slug):
            return self.api.ask("createTenant", {"slug": slug, "name": slug.title()})

        self.tenant = make("things")
        self.shared["path.tenant"] = self.tenant["slug"]
        self.ask("updateTenant", {"name": "Things"})
        self.ask("updateSettings", {"native_sso": True})
        self.ask("updateBranding", {"accent": "#123456"})
        self._give(["deleteTenant"], tenant=make("things-deleted")["slug"])
        self._give(["suspendTenant", "resumeTenant"], tenant=make("things-suspended")["slug"])

    def _make_people(self):
        def make(name, **more):
            return self.ask("createUser", {"email": f"{name}@things.example", "password": PASSWORD, **more})

        self.user = make("ana", roles=["auditor"], claims={"name": "Ana"})
        self.leaving = make("leaving")
        self.shared |= {"path.user": self.user["id"], "query.user": self.user["id"]}
        self._give(["deleteUser"], user=make("deleted")["id"])
        self._give(["disableUser", "enableUser"], user=make("disabled")["id"])
        self._give(["updateUser", "resetPassword"], user=make("changed")["id"])
        self._give(["grantRole", "revokeRole"], user=make("promoted")["id"])

    def _make_clients(self):
        def make(name, **more):
            metadata = {"client_name": name, "redirect_uris": [REDIRECT_URI], "scope": "openid profile", "require_pkce": False}
            return self.ask("createClient", {**metadata, **more})

        self.client = make(
            "Shop",
            scope="openid profile device_sso",
            native_sso_group="apps",
            backchannel_logout_uri=f"{self.host.origin}/told",
        )
        self.withdrawn = make("Withdrawn")
        self.shared |= {"path.client": self.client["client_id"], "query.client": self.client["client_id"]}
        self._give(["deleteClient"], client=make("Deleted")["client_id"])
        self._give(["updateClient", "rotateClientSecret"], client=make("Changed")["client_id"])
        self._give(["withdrawConsent"], client=self.withdrawn["client_id"])

    def _sign_in(self):
        self.shared["path.session"] = self._session(self.user, self.client)
        self._give(["unshareSession"], session=self._session(self.user, self.client))
        self._give(["endSession"], session=self._session(self.user, self.withdrawn))
        self._session(self.leaving, self.withdrawn)
        self.own["endSessions"] = {"query.user": self.leaving["id"]}
        # The application that doesn't want to hear of its end has a delivery waiting for another attempt.
        self.ask("endSession", session=self._session(self.user, self.client))
        tenant = self.tenant["slug"]
        tried = self.api.wait("listLogoutDeliveries", lambda delivery: delivery.get("last_error"), tenant=tenant)
        self.shared["path.logout_delivery"] = tried["id"]

    def _session(self, user, client):
        """The session that a sign-in with consent began; applications on the device share it where the client asks for that."""
        known = self._sessions(user)
        metadata = requests.get(f"{self.tenant['issuer']}/.well-known/openid-configuration", timeout=30).json()
        request = {"client_id": client["client_id"], "redirect_uri": REDIRECT_URI}
        asked = {**request, "response_type": "code", "scope": client["scope"], "state": secrets.token_urlsafe()}
        address = f"{metadata['authorization_endpoint']}?{urlencode(asked)}"
        came = Browser().open(address, REDIRECT_URI, user["email"], PASSWORD)
        code = parse_qs(urlsplit(came).query).get("code")
        expect(code, f"the sign-in ended at {came}")
        tokens = requests.post(
            metadata["token_endpoint"],
            auth=(client["client_id"], client["client_secret"]),
            data={"grant_type": "authorization_code", "code": code[0], "redirect_uri": REDIRECT_URI},
            timeout=30,
        )
        expect_equal(tokens.status_code, 200, f"the token endpoint's status ({tokens.text})")
        expect_equal("device_secret" in tokens.json(), "device_sso" in client["scope"], "whether the session is shared")
        (session,) = self._sessions(user) - known
        return session

    def _sessions(self, user):
        return {session["id"] for session in self.ask("listSessions", query={"user": user["id"]})["items"]}

    def _make_domains(self):
        domain = self.ask("createDomain", {"origin": self.host.origin})
        self.host.proof = domain["verification_token"].encode()
        expect_equal(self.ask("verifyDomain", domain=domain["id"])["state"], "verified", "the domain's state")
        self.shared["path.domain"] = domain["id"]
        self._give(["deleteDomain"], domain=self.ask("createDomain", {"origin": "https://deleted.example"})["id"])

    def _make_keys(self):
        self.shared["path.kid"] = self.ask("listKeys")["items"][0]["kid"]
        (made,) = self.ask("rotateKeys", {"algorithm": "EdDSA"})["keys"]
        self._give(["revokeKey"], kid=made["kid"])

    def _make_the_rest(self):
        def resource(name):
            scopes = [{"name": f"{name}:read", "description": "See orders"}]
            return self.ask("createResource", {"identifier": f"https://{name}.example", "scopes": scopes})["id"]

        def subject(name):
            body = {"user_id": self.user["id"], "issuer": "https://idp.example", "subject": name}
            return self.ask("createExternalSubject", body)["id"]

        def initial(name):
            return self.ask("createInitialAccessToken", {"name": name})["id"]

        self.shared["path.resource"] = resource("kept")
        self.shared["path.external_subject"] = subject("kept")
        self.shared["path.initial_access_token"] = initial("kept")
        self._give(["deleteResource"], resource=resource("deleted"))
        self._give(["updateResource"], resource=resource("changed"))
        self._give(["deleteExternalSubject"], external_subject=subject("deleted"))
        self._give(["deleteInitialAccessToken"], initial_access_token=initial("deleted"))
        event = self.api.wait("listEvents", lambda event: True, tenant=self.tenant["slug"])
        self.shared["path.event"] = event["id"]

    def config(self, statuses):
        """The same as schemathesis reads it, with the statuses that valid data is answered with."""
        # RFC 9110 §13.1.1: whatever the version is.
        lines = ["[parameters]", *_members({**self.shared, "header.If-Match": "*"})]
        for operation in self.api.operations:
            lines += ["[[operations]]", f"include-operation-id = {json.dumps(operation)}"]
            # What is deleted is gone the second time.
            expected = [*statuses, "404"] if operation in self.own and self._deletes(operation) else statuses
            lines += ["[operations.checks.positive_data_acceptance]", f"expected-statuses = {json.dumps(expected)}"]
            lines += ["[operations.parameters]", *_members(self.own.get(operation, {}))]
        return "\n".join(lines) + "\n"

    def _deletes(self, operation):
        return self.api.operations[operation][0] == "DELETE"


def _members(table):
    return [f"{json.dumps(name)} = {json.dumps(value)}" for name, value in table.items()]


@contextmanager
def things(api):
    with Host() as host:
        Thread(target=host.serve_forever, daemon=True).start()
        try:
            yield Things(api, host)
        finally:
            host.shutdown()
