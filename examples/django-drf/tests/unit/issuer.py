"""A stand-in for Tessera: discovery and keys of some tenants, served by a thread, and tokens signed by them."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

AUDIENCE = "https://notes.example.com"


class Key:
    """An ES256 key with an id of its own."""

    def __init__(self) -> None:
        self.kid = uuid4().hex
        self.private = generate_private_key(SECP256R1())

    def public_jwk(self) -> dict[str, Any]:
        jwk: dict[str, Any] = jwt.algorithms.ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return jwk | {"kid": self.kid, "use": "sig", "alg": "ES256"}


@dataclass
class Tenant:
    slug: str
    issuer: str
    id: UUID = field(default_factory=uuid4)
    keys: list[Key] = field(default_factory=lambda: [Key()])

    def rotate(self) -> Key:
        """Publishes a new key, which signs from now on; the old ones stay published."""
        self.keys.insert(0, Key())
        return self.keys[0]

    def claims(self, **changes: Any) -> dict[str, Any]:
        """A good token's claims. A change to None leaves the claim out."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "018f4d5e-0000-7000-8000-000000000001",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 300,
            "jti": uuid4().hex,
            "client_id": "client-of-" + self.slug,
            "scope": "notes:read notes:write",
            "tenant": self.slug,
            "tenant_id": str(self.id),
        }
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(self, key: Key | None = None, typ: str = "at+jwt", **changes: Any) -> str:
        key = key or self.keys[0]
        return jwt.encode(self.claims(**changes), key.private, algorithm="ES256", headers={"typ": typ, "kid": key.kid})


class StandIn:
    """Serves `{address}/t/{slug}/…` for its tenants, and counts what it is asked."""

    def __init__(self) -> None:
        self.tenants: dict[str, Tenant] = {}
        self.asked: Counter[str] = Counter()
        self.broken: int | None = None
        """While set, every answer has this status."""
        self.discovery_changes: dict[str, Any] = {}
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stand_in._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Tests stay quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self.public_url = self.address + "/t/{tenant}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def add(self, slug: str) -> Tenant:
        self.tenants[slug] = Tenant(slug, f"{self.address}/t/{slug}")
        return self.tenants[slug]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked[request.path] += 1
        status, document = self._document(request.path)
        body = json.dumps(document).encode()
        request.send_response(self.broken or status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        if self.broken in (301, 302, 307):
            request.send_header("Location", self.address + "/elsewhere")
        request.end_headers()
        request.wfile.write(body)

    def _document(self, path: str) -> tuple[int, dict[str, Any]]:
        _, _, slug, *rest = [*path.split("/"), "", ""]
        tenant = self.tenants.get(slug)
        if tenant is None:
            return 404, {"error": "tenant_not_found"}
        if rest[0] == "jwks":
            return 200, {"keys": [key.public_jwk() for key in tenant.keys]}
        discovery = {"issuer": tenant.issuer, "jwks_uri": tenant.issuer + "/jwks"}
        return 200, discovery | self.discovery_changes
