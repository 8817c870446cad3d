"""The service against a stand-in for Tessera: which tokens and hosts it takes, and what it says to the others."""

import base64
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.client import Api

from .issuer import AUDIENCE, Key, StandIn, Tenant


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def assembled(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None = None) -> str:
    """A JWT that the library would refuse to make: unsigned, or with any bytes as HMAC secret."""
    text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    signature = hmac.digest(secret, text.encode(), "sha256") if secret else b""
    return f"{text}.{base64url(signature)}"


def test_a_token_is_taken_at_its_tenants_host(api: Api, acme: Tenant) -> None:
    answer = api.get("acme", "/whoami", acme.token())
    assert answer.status == 200
    assert (answer.body["tenant"], answer.body["tenant_id"]) == ("acme", str(acme.id))
    assert (answer.body["client_id"], answer.body["scope"]) == ("client-of-acme", "notes:read notes:write")


def test_a_token_of_another_tenant_is_refused(api: Api, acme: Tenant, globex: Tenant) -> None:
    answer = api.get("globex", "/whoami", acme.token())
    assert answer.error == (401, "wrong_tenant")
    assert globex.issuer in answer.body["error_description"]
    assert answer.challenge is not None
    assert answer.challenge.startswith('Bearer realm="globex", error="invalid_token"')


def test_a_token_that_only_claims_another_tenant_is_refused(api: Api, acme: Tenant, globex: Tenant) -> None:
    """Signed by acme's key, yet speaking for globex, in whole and in part."""
    assert api.get("globex", "/whoami", acme.token(iss=globex.issuer)).error == (401, "invalid_token")
    assert api.get("globex", "/whoami", acme.token(iss=globex.issuer, tenant="globex")).status == 401
    assert api.get("acme", "/whoami", acme.token(tenant="globex")).error == (401, "wrong_tenant")


def test_without_a_token_the_challenge_names_no_error(api: Api) -> None:
    answer = api.get("acme", "/whoami")
    assert answer.error == (401, "unauthorized")
    assert answer.challenge == 'Bearer realm="acme"'


@pytest.mark.parametrize(
    "change",
    [
        {"exp": int(time.time()) - 60},
        {"iat": int(time.time()) + 600},
        {"aud": "https://other.example.com"},
        {"aud": [f"{AUDIENCE}/", AUDIENCE.upper()]},
        {"iss": "https://elsewhere.example.com"},
        {"typ": "JWT"},
        {"typ": "logout+jwt"},
        {"tenant_id": "not a uuid"},
        {"tenant_id": 7},
        {"key": Key()},
        *({claim: None} for claim in ("iss", "sub", "aud", "exp", "iat", "jti", "client_id", "tenant", "tenant_id")),
    ],
    ids=str,
)
def test_a_flawed_token_is_refused(api: Api, acme: Tenant, change: dict[str, Any]) -> None:
    answer = api.get("acme", "/whoami", acme.token(**change))
    assert answer.error == (401, "invalid_token")
    assert answer.challenge is not None and 'error="invalid_token"' in answer.challenge
    assert api.get("acme", "/whoami", acme.token()).status == 200


@pytest.mark.parametrize("token", ["", "garbage", "a.b.c", "e30.e30.", "\x00", "tat_" + "A" * 64, "." * 1000])
def test_garbage_is_refused(api: Api, token: str) -> None:
    assert api.get("acme", "/whoami", token).error == (401, "invalid_token")


def test_algorithm_none_is_refused(api: Api, acme: Tenant) -> None:
    for name in ("none", "None", ""):
        header = {"alg": name, "typ": "at+jwt", "kid": acme.keys[0].kid}
        assert api.get("acme", "/whoami", assembled(header, acme.claims())).error == (401, "invalid_token")


def test_a_public_key_is_no_hmac_secret(api: Api, acme: Tenant) -> None:
    key = acme.keys[0]
    header = {"alg": "HS256", "typ": "at+jwt", "kid": key.kid}
    for encoding in (Encoding.DER, Encoding.PEM):
        secret = key.private.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
        forged = assembled(header, acme.claims(), secret)
        assert api.get("acme", "/whoami", forged).error == (401, "invalid_token")


def test_a_key_that_the_token_brings_along_is_not_used(api: Api, acme: Tenant) -> None:
    own = Key()
    headers = {"typ": "at+jwt", "kid": own.kid, "jwk": own.public_jwk(), "jku": "https://evil.example.com/jwks"}
    forged = jwt.encode(acme.claims(), own.private, algorithm="ES256", headers=headers)
    assert api.get("acme", "/whoami", forged).error == (401, "invalid_token")


def test_a_rotated_key_is_found_and_the_old_one_still_verifies(
    api: Api, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = acme.token()
    assert api.get("acme", "/whoami", before).status == 200
    acme.rotate()
    # An unknown key id makes the keys be fetched anew, though not more often than the cool-down allows.
    assert api.get("acme", "/whoami", acme.token()).error == (401, "invalid_token")
    now = time.monotonic
    monkeypatch.setattr("jwt.jwks_client.time.monotonic", lambda: now() + 31)
    assert api.get("acme", "/whoami", acme.token()).status == 200
    assert api.get("acme", "/whoami", before).status == 200


def test_unknown_key_ids_do_not_make_us_hammer_the_issuer(api: Api, acme: Tenant, stand_in: StandIn) -> None:
    assert api.get("acme", "/whoami", acme.token()).status == 200
    for _ in range(20):
        api.get("acme", "/whoami", acme.token(key=Key()))
    assert stand_in.asked["/t/acme/jwks"] == 1


def test_a_missing_scope_is_named(api: Api, acme: Tenant) -> None:
    reader = acme.token(scope="notes:read")
    assert api.get("acme", "/notes", reader).status == 200
    answer = api.post("acme", "/notes", reader, {"text": "no"})
    assert answer.error == (403, "insufficient_scope")
    assert answer.challenge is not None
    assert 'error="insufficient_scope"' in answer.challenge and 'scope="notes:write"' in answer.challenge
    assert api.get("acme", "/notes", acme.token(scope=None)).error == (403, "insufficient_scope")
    assert api.get("acme", "/notes", acme.token(scope="notes:reader")).error == (403, "insufficient_scope")
    assert api.get("acme", "/notes").error == (401, "unauthorized")


def test_notes_belong_to_their_tenant(api: Api, acme: Tenant, globex: Tenant) -> None:
    made = api.post("acme", "/notes", acme.token(), {"text": "ours", "tenant_id": str(globex.id), "author": "eve"})
    assert made.status == 201
    assert made.body["author"] == acme.claims()["sub"]
    assert [note["text"] for note in api.get("acme", "/notes", acme.token()).body["results"]] == ["ours"]
    assert api.get("globex", "/notes", globex.token()).body["results"] == []


def test_a_slug_that_somebody_else_got_shows_nothing_of_its_former_owner(
    api: Api, acme: Tenant, stand_in: StandIn
) -> None:
    assert api.post("acme", "/notes", acme.token(), {"text": "ours"}).status == 201
    successor = stand_in.add("acme")
    successor.keys = acme.keys
    assert api.get("acme", "/notes", successor.token()).body["results"] == []
