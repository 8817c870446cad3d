"""Things of a tenant for the API's test to ask about: some that stay, and for what ends a thing some that may go."""

import time
from urllib.parse import urlencode

import requests
from cookie_browser import Browser
from interop import create_client, expect

# How many of each kind may be ended.
MORTALS = 6


class Api:
    """An operator's client of the API."""

    def __init__(self, address, token):
        self.address = address
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method, path, body=None, **parameters):
        answer = self.session.request(method, f"{self.address}{path}", json=body, params=parameters, timeout=60)
        expect(answer.ok, f"{method} {path} was answered by {answer.status_code}: {answer.text}")
        return answer.json() if answer.content else None

    def items(self, path, **parameters):
        return self.ask("GET", path, **parameters)["items"]


class Seeds:
    """What was made in a tenant."""

    def __init__(self, api, tenant):
        self.api, self.tenant = api, tenant
        self.at = f"/tenants/{tenant.slug}"
        self.stays, self.goes = {"tenant": tenant.slug, "role": "auditor"}, {}
        users = self.make("user", "users", lambda n: {"email": f"seed{n}@seeds.example"})
        self.make("client", "clients", self.client)
        self.make("resource", "resources", lambda n: {"identifier": f"https://seed{n}.example", "scopes": [{"name": f"seed{n}"}]})
        self.make("domain", "domains", lambda n: {"origin": f"https://seed{n}.example"})
        self.make("initial_access_token", "initial-access-tokens", lambda n: {"name": f"seed {n}"})
        self.make(
            "external_subject",
            "external-subjects",
            lambda n: {"user_id": users[0], "issuer": "https://issuer.example", "subject": f"seed {n}"},
        )
        self.goes["tenant"] = [
            api.ask("POST", "/tenants", {"slug": f"seed-{n}-of-{tenant.slug}", "name": "Seed"})["slug"] for n in range(MORTALS)
        ]
        self.keys()
        self.sessions()
        self.stays["event"] = api.items(f"{self.at}/events", limit=1)[0]["id"]

    def make(self, name, kind, body):
        """One that stays and some that go, by the name of their parameter."""
        made = [self.api.ask("POST", f"{self.at}/{kind}", body(n)) for n in range(MORTALS + 1)]
        ids = [one.get("id") or one["client_id"] for one in made]
        self.stays[name], self.goes[name] = ids[0], ids[1:]
        return ids

    @staticmethod
    def client(n):
        return {"client_name": f"Seed {n}", "redirect_uris": [f"https://seed{n}.example/callback"]}

    def keys(self):
        for _ in range(2):
            self.api.ask("POST", f"{self.at}/keys/rotate", {"immediately": True})
        known = self.api.items(f"{self.at}/keys", limit=100)
        signing = [key["kid"] for key in known if key["state"] == "signing"]
        self.stays["kid"] = signing[0]
        self.goes["kid"] = [key["kid"] for key in known if key["kid"] not in signing]

    def sessions(self):
        """A person's sessions at an application that they allowed, and one that is over, of which nobody can be told."""
        tenant, redirect_uri = self.tenant, "http://127.0.0.1:9/callback"
        client = create_client(tenant, "Seed", [redirect_uri], backchannel_logout_uri="http://localhost:9/logout")
        query = {
            "response_type": "code",
            "client_id": client["client_id"],
            "redirect_uri": redirect_uri,
            "scope": "openid email",
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            "code_challenge_method": "S256",
        }
        for over in (True, False, False, False):
            browser = Browser()
            browser.open(f"{tenant.issuer}/authorize?{urlencode(query)}", redirect_uri, tenant.email, tenant.password)
            if over:
                browser.open(f"{tenant.issuer}/logout", None)
        person = next(user["id"] for user in self.api.items(f"{self.at}/users", search=tenant.email) if user["email"] == tenant.email)
        sessions = [session["id"] for session in self.api.items(f"{self.at}/sessions", user=person) if not session.get("ended_at")]
        self.stays["session"], self.goes["session"] = sessions[0], sessions[1:]
        self.consent = {"user": person, "client": client["client_id"]}
        deadline = time.monotonic() + 15
        while not (deliveries := self.api.items(f"{self.at}/logout-deliveries")):
            expect(time.monotonic() < deadline, "nobody is to be told of a sign-out")
            time.sleep(0.1)
        self.stays["logout_delivery"] = deliveries[0]["id"]

    def of(self, operation):
        """What an operation's parameters are bound to where they can't be those that stay."""
        if operation in ("deleteTenant", "suspendTenant"):
            return {"path.tenant": self.goes["tenant"]}
        if operation == "withdrawConsent":
            return {f"path.{name}": [value] for name, value in self.consent.items()}
        if operation == "endSessions":
            return {"query.user": self.goes["user"]}
        ends = {"endSession": "session", "revokeKey": "kid", "revokeRole": "user"}
        if operation.startswith("delete"):
            last = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation.removeprefix("delete"))
            ends[operation] = last.removeprefix("_")
        name = ends.get(operation)
        return {f"path.{name}": self.goes[name]} if name else {}
