"""A running Tessera: its tenants by the quickstart's JSON, its command line, and its token endpoint."""

import base64
import json
import os
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode
from urllib.request import Request, urlopen
from uuid import uuid4


@dataclass
class Tenant:
    slug: str
    issuer: str
    machine: dict[str, Any]
    """The quickstart's machine client."""
    notes: dict[str, Any]
    """A client of this run's own, registered for the scopes of the notes service."""

    @cached_property
    def discovery(self) -> dict[str, Any]:
        return fetch(f"{self.issuer}/.well-known/openid-configuration")

    def key_ids(self) -> set[str]:
        return {key["kid"] for key in fetch(self.discovery["jwks_uri"])["keys"]}

    def token(self, client: dict[str, Any] | None = None, **parameters: str) -> str:
        """Client credentials (RFC 6749 §4.4)."""
        client = client or self.notes
        form = {"grant_type": "client_credentials", **parameters}
        if client["token_endpoint_auth_method"] == "client_secret_post":
            form |= {"client_id": client["client_id"], "client_secret": client["client_secret"]}
        request = Request(self.discovery["token_endpoint"], urlencode(form).encode())  # noqa: S310
        if client["token_endpoint_auth_method"] == "client_secret_basic":
            pair = ":".join(quote_plus(client[part]) for part in ("client_id", "client_secret"))
            request.add_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
        token: str = fetch(request)["access_token"]
        return token


class Tessera:
    def __init__(self) -> None:
        self._command = [_setting("TESSERA_BIN")]
        self._arguments = shlex.split(os.environ.get("TESSERA_ARGS", ""))
        self.quickstart = json.loads(Path(_setting("TESSERA_QUICKSTART")).read_text())
        # An audience of its own for each run, so that runs don't meet.
        self.audience = f"https://notes.example.com/{uuid4()}"
        self.tenants = {tenant["slug"]: self._prepare(tenant) for tenant in self.quickstart["tenants"]}
        time.sleep(1)  # Within which a running server has seen what the command line changed.

    @property
    def public_url(self) -> str:
        """The template behind the tenants' issuers."""
        templates = {tenant.issuer.replace(tenant.slug, "{tenant}") for tenant in self.tenants.values()}
        (template,) = templates
        return template

    def run(self, *arguments: str) -> Any:
        """Runs `tessera … --json` and reads what it prints."""
        command = [*self._command, *arguments, "--json", *self._arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}"
        return json.loads(done.stdout)

    def _prepare(self, tenant: dict[str, Any]) -> Tenant:
        slug = ("--tenant", tenant["slug"])
        scopes = ("--scope", "notes:read", "--scope", "notes:write")
        self.run("resource", "create", *slug, "--identifier", self.audience, *scopes)
        client = self.run(
            *("client", "create", *slug, "--name", "Notes, tested", "--grant-type", "client_credentials", *scopes)
        )
        (machine,) = _machines(tenant["clients"])
        return Tenant(tenant["slug"], tenant["issuer"], machine, client)


def fetch(request: Request | str) -> dict[str, Any]:
    with urlopen(request, timeout=10) as answer:  # noqa: S310
        document: dict[str, Any] = json.load(answer)
        return document


def _machines(clients: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [client for client in clients if client["grant_types"] == ["client_credentials"]]


def _setting(name: str) -> str:
    value = os.environ.get(name)
    assert value, f"{name} is not set; README.md says how these tests are run"
    return value
