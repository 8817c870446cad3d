"""The service and a running Tessera, with nothing between them but the issuer's address."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from tests.client import Api

from .tessera import Tenant, Tessera


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Header, claims and signature, unverified."""
    header, claims, signature = token.split(".")
    return _decode(header), _decode(claims), signature


def joined(header: dict[str, Any], claims: dict[str, Any], signature: str) -> str:
    return f"{_encode(header)}.{_encode(claims)}.{signature}"


def _encode(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _decode(part: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return value


@pytest.fixture
def token(tessera: Tessera, acme: Tenant) -> str:
    """Acme's, for the notes service, with both scopes."""
    return acme.token(resource=tessera.audience, scope="notes:read notes:write")


def test_a_token_is_taken_at_its_tenants_host(api: Api, acme: Tenant, token: str) -> None:
    answer = api.get("acme", "/whoami", token)
    assert answer.status == 200, answer.body
    assert (answer.body["tenant"], answer.body["client_id"]) == ("acme", acme.notes["client_id"])
    assert answer.body["scope"] == "notes:read notes:write"
    assert UUID(answer.body["tenant_id"])


def test_a_token_of_another_tenant_is_refused(api: Api, tessera: Tessera, globex: Tenant, token: str) -> None:
    answer = api.get("globex", "/whoami", token)
    assert answer.error == (401, "wrong_tenant")
    assert answer.challenge is not None and 'error="invalid_token"' in answer.challenge
    assert api.get("globex", "/whoami", globex.token(resource=tessera.audience)).status == 200


def test_notes_belong_to_their_tenant(api: Api, tessera: Tessera, globex: Tenant, token: str) -> None:
    assert api.post("acme", "/notes", token, {"text": "ours"}).status == 201
    theirs = globex.token(resource=tessera.audience, scope="notes:read")
    assert [note["text"] for note in api.get("acme", "/notes", token).body["results"]] == ["ours"]
    assert api.get("globex", "/notes", theirs).body["results"] == []


def test_a_missing_scope_is_named(api: Api, tessera: Tessera, acme: Tenant) -> None:
    reader = acme.token(resource=tessera.audience, scope="notes:read")
    assert api.get("acme", "/notes", reader).status == 200
    assert api.post("acme", "/notes", reader, {"text": "no"}).error == (403, "insufficient_scope")


def test_a_token_for_another_audience_is_refused(api: Api, acme: Tenant) -> None:
    """The quickstart's machine client names no resource, so that its token isn't meant for this service."""
    assert api.get("acme", "/whoami", acme.token(acme.machine)).error == (401, "invalid_token")


@pytest.mark.parametrize("host", ["initech.localtest", "acme.evil.test", "a--b.localtest"])
def test_an_unknown_host_gets_a_clear_answer(api: Api, token: str, host: str) -> None:
    assert api.get_at(host, "/whoami", token).error == (404, "tenant_not_found")


def test_changed_tokens_are_refused(api: Api, token: str) -> None:
    header, claims, signature = parts(token)
    for forged in (
        "garbage",
        token[:-8] + "AAAAAAAA",
        joined(header | {"alg": "none"}, claims, ""),
        joined(header | {"alg": "none"}, claims, signature),
        joined(header | {"alg": "HS256"}, claims, signature),
        joined(header, claims | {"sub": "somebody-else"}, signature),
        joined(header, claims | {"exp": claims["exp"] + 3600}, signature),
    ):
        assert api.get("acme", "/whoami", forged).error == (401, "invalid_token"), forged
    assert api.get("acme", "/whoami", token).status == 200


def test_an_expired_token_is_refused(api: Api, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api.get("acme", "/whoami", token).status == 200
    expiry = datetime.fromtimestamp(parts(token)[1]["exp"], UTC)

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Later":
            return cls.fromtimestamp((expiry + timedelta(seconds=11)).timestamp(), tz)

    monkeypatch.setattr("jwt.api_jwt.datetime", Later)
    answer = api.get("acme", "/whoami", token)
    assert answer.error == (401, "invalid_token")
    assert "expired" in answer.body["error_description"]


def test_a_rotation_disturbs_nobody(api: Api, tessera: Tessera, acme: Tenant, token: str) -> None:
    assert api.get("acme", "/whoami", token).status == 200
    before = acme.key_ids()
    tessera.run("key", "rotate", "--tenant", "acme")
    deadline = time.monotonic() + 10
    while acme.key_ids() == before:
        assert time.monotonic() < deadline, "the new key was not published"
        time.sleep(0.2)
    assert before <= acme.key_ids(), "a key went away before what it signed had expired"
    newer = acme.token(resource=tessera.audience)
    for service in (api, Api(Client(), api.host)):  # With the keys it had, and with keys fetched anew.
        assert service.get("acme", "/whoami", token).status == 200
        assert service.get("acme", "/whoami", newer).status == 200
