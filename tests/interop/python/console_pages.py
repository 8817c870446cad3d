"""What an administrator sees of applications at the console: their programs, read off the page. And an API for those that call one."""

import json
import os
import threading
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
from cookie_browser import Browser
from interop import create_client, expect, expect_equal

# The API that the programs call.
API = "https://api.example.com"
AUDIENCE = "https://stock.example.com"
SECONDS = 60


class Programs(HTMLParser):
    """Of a page of the console: by the id of a fold, its programs by their files' names."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found = {}
        # Of the same: what has to be installed.
        self.installs = {}
        self._id = self._fold = self._part = None
        self._name = self._installs = False
        self._text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "details" and attributes.get("class") == "fold":
            self._id = attributes["id"]
            self._fold = self.found.setdefault(self._id, {})
            self._name, self._installs = "", False
        elif tag == "p" and attributes.get("class") == "program-name":
            self._installs = True
        elif self._fold is not None and tag in ("code", "pre"):
            self._part, self._text = tag, ""

    def handle_data(self, data):
        if self._part:
            self._text += data

    def handle_endtag(self, tag):
        if tag == "details":
            self._fold = None
        if tag != self._part:
            return
        self._part = None
        if tag == "code":
            self._name, self._installs = self._text, False
        elif self._installs:
            # What has to be installed stands first, under a title without a name.
            self._installs = False
            self.installs[self._id] = self._text.split()
        else:
            self._fold[self._name] = self._text


class Api(ThreadingHTTPServer):
    """An API that keeps the tokens that it is called with."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Called)
        self.tokens = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class Called(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.tokens.append((self.headers.get("Authorization") or "").removeprefix("Bearer "))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Console:
    """What an administrator sees of applications."""

    def __init__(self, tenant):
        self.issuer = tenant.issuer
        # What has to be installed for the programs that were read last.
        self.installs = {}
        with open(os.environ["TESSERA_QUICKSTART"], encoding="utf-8") as file:
            tenants = json.load(file)["tenants"]
        people = next(known["users"] for known in tenants if known["slug"] == tenant.slug)
        administrator = next(person for person in people if "administrator" in person.get("roles", []))
        self.browser = Browser()
        self.browser.open(f"{self.issuer}/console", None, administrator["email"], administrator["password"])

    def programs(self, client):
        answer = self.browser.get(f"{self.issuer}/console/clients/{client['client_id']}/connect")
        expect_equal(answer.status_code, 200, "the page's status")
        secret = client.get("client_secret")
        expect(not secret or secret not in answer.text, "the page holds the client's secret")
        programs = Programs(answer.text)
        self.installs = programs.installs
        return programs.found


def only(files):
    """The one program of a fold."""
    (text,) = files.values()
    return text


def service_at(tenant, identifier, scope="stock:read"):
    return create_client(
        tenant,
        "Service by the console",
        [],
        grant_types=["client_credentials"],
        response_types=[],
        scope=scope,
        resources=[identifier],
    )


def token_of(tenant, client, identifier):
    answer = requests.post(
        f"{tenant.issuer}/token",
        data={"grant_type": "client_credentials", "resource": identifier},
        auth=(client["client_id"], client["client_secret"]),
        timeout=SECONDS,
    )
    return answer.json()["access_token"]
