"""From a tenant's slug to its issuer and published keys (OpenID Connect Discovery 1.0 §4, RFC 8414 §3).

No tenant is listed anywhere: a slug is a tenant when its issuer's discovery document answers. Answers are kept in
bounded caches, so that a tenant made a moment ago works and a stranger who guesses slugs costs little.
"""

import json
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from jwt import PyJWKClient

SLUG = re.compile(r"[a-z0-9](?:-?[a-z0-9]){0,62}")
"""A tenant's slug. Its length is checked apart: 1 to 63 characters, as a DNS label's."""

PLACEHOLDER = "{tenant}"
DOCUMENT_LIMIT = 64 * 1024
"""Bytes of a discovery document that are read at most."""


class IssuerUnavailable(Exception):
    """The issuer can't be asked just now; whether the tenant exists is not known."""


@dataclass(frozen=True)
class Issuer:
    """A tenant's issuer: the exact `iss` of its tokens, and the keys that verify them."""

    slug: str
    url: str
    keys: PyJWKClient = field(compare=False)


class Template:
    """A text that holds `{tenant}` exactly once, read in both directions."""

    def __init__(self, text: str) -> None:
        if text.count(PLACEHOLDER) != 1:
            raise ValueError(f"{text!r} must hold {PLACEHOLDER} exactly once")
        self._prefix, self._suffix = text.rstrip("/").split(PLACEHOLDER)

    def fill(self, slug: str) -> str:
        return f"{self._prefix}{slug}{self._suffix}"

    def slug_of(self, text: str) -> str | None:
        """The slug that makes this template into `text`, if a valid one does."""
        if not (text.startswith(self._prefix) and text.endswith(self._suffix)):
            return None
        slug = text[len(self._prefix) : len(text) - len(self._suffix)]
        return slug if len(slug) <= 63 and SLUG.fullmatch(slug) else None


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """An issuer answers itself; a redirect is an error."""


class IssuerDirectory:
    """Finds issuers by slug. One per process; safe to share between threads."""

    def __init__(
        self,
        public_url: Template,
        *,
        capacity: int = 1024,
        lifetime: float = 300,
        unknown_lifetime: float = 15,
        jwks_lifetime: float = 300,
        jwks_cooldown: float = 30,
        timeout: float = 3,
        parallel_fetches: int = 4,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._public_url = public_url
        self._lifetime, self._unknown_lifetime = lifetime, unknown_lifetime
        self._jwks_lifetime, self._jwks_cooldown = jwks_lifetime, jwks_cooldown
        self._timeout, self._now = timeout, now
        self._capacity = capacity
        self._lock = threading.Lock()
        # Two caches, so that guessed slugs can't push known tenants out. Values: (good until, …).
        self._known: OrderedDict[str, tuple[float, Issuer]] = OrderedDict()
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._fetches = threading.BoundedSemaphore(parallel_fetches)
        self._open = build_opener(_NoRedirect).open

    def slug_of(self, issuer_url: str) -> str | None:
        """Whose issuer this would be, by its form alone."""
        return self._public_url.slug_of(issuer_url)

    def find(self, slug: str) -> Issuer | None:
        """The tenant's issuer, or None where no such tenant exists. Raises IssuerUnavailable."""
        with self._lock:
            kept = self._known.get(slug)
            if kept:
                self._known.move_to_end(slug)
                if kept[0] > self._now():
                    return kept[1]
            if self._unknown.get(slug, 0) > self._now():
                return None
        try:
            jwks_uri = self._discover(slug)
        except IssuerUnavailable:
            if kept:  # Known before: keep serving through an outage.
                return kept[1]
            raise
        return self._keep(slug, jwks_uri)

    def _keep(self, slug: str, jwks_uri: str | None) -> Issuer | None:
        with self._lock:
            if jwks_uri is None:
                self._known.pop(slug, None)
                self._unknown[slug] = self._now() + self._unknown_lifetime
                _shrink(self._unknown, self._capacity)
                return None
            self._unknown.pop(slug, None)
            kept = self._known.get(slug)
            if kept and kept[1].keys.uri == jwks_uri:
                issuer = kept[1]  # Its keys are cached already.
            else:
                keys = PyJWKClient(
                    jwks_uri,
                    lifespan=self._jwks_lifetime,
                    cooldown_duration=self._jwks_cooldown,
                    timeout=self._timeout,
                )
                issuer = Issuer(slug, self._public_url.fill(slug), keys)
            self._known[slug] = (self._now() + self._lifetime, issuer)
            _shrink(self._known, self._capacity)
            return issuer

    def _discover(self, slug: str) -> str | None:
        """Asks the issuer for its `jwks_uri`; None when it says that no such tenant exists."""
        issuer = self._public_url.fill(slug)
        if not self._fetches.acquire(blocking=False):
            raise IssuerUnavailable("too many look-ups at once")
        try:
            with self._open(f"{issuer}/.well-known/openid-configuration", timeout=self._timeout) as answer:
                document = json.loads(answer.read(DOCUMENT_LIMIT))
        except HTTPError as error:
            error.close()
            if error.code == 404:
                return None
            raise IssuerUnavailable(f"discovery answered {error.code}") from error
        except (OSError, HTTPException, ValueError) as error:
            raise IssuerUnavailable("discovery did not answer") from error
        finally:
            self._fetches.release()
        # OpenID Connect Discovery 1.0 §4.3: the document must speak of the issuer that was asked.
        if not isinstance(document, dict) or document.get("issuer") != issuer:
            raise IssuerUnavailable("discovery speaks of another issuer")
        jwks_uri = document.get("jwks_uri")
        if not isinstance(jwks_uri, str) or not jwks_uri.startswith(("https://", "http://")):
            raise IssuerUnavailable("discovery names no jwks_uri")
        return jwks_uri


def _shrink(cache: OrderedDict[str, Any], capacity: int) -> None:
    while len(cache) > capacity:
        cache.popitem(last=False)
