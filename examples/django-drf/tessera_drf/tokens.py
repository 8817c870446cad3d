"""From a bearer token to what it says (RFC 9068 §4, RFC 8725), verified with nothing but the issuer's published keys.

A token verified here is good until its `exp`, five minutes by default: a revocation in between is not seen. Ask the
issuer's introspection endpoint (RFC 7662) where that matters.
"""

from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

import jwt

from .issuers import Issuer, IssuerDirectory, IssuerUnavailable

ALGORITHMS = ("ES256", "RS256", "PS256", "EdDSA")
"""Asymmetric ones only, fixed here and never taken from the token (RFC 8725 §3.1)."""

CLAIMS = ("iss", "sub", "aud", "exp", "iat", "jti", "client_id", "tenant", "tenant_id")
LEEWAY = 10
"""Seconds by which this machine's clock and the issuer's may differ."""


class TokenRefused(Exception):
    """Why a token is refused: a code for programs and a sentence for the developer who reads it."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error, self.description = error, description


@dataclass(frozen=True)
class AccessToken:
    """What a verified token says."""

    subject: str
    tenant: str
    tenant_id: UUID
    client_id: str
    scopes: frozenset[str]
    claims: dict[str, Any]


def verify_access_token(token: str, issuer: Issuer, audience: str, directory: IssuerDirectory) -> AccessToken:
    """Verifies `token` for the tenant of `issuer`.

    Raises TokenRefused, or IssuerUnavailable when the keys can't be fetched.
    """
    header, claimed_issuer = _peek(token)
    if claimed_issuer != issuer.url:
        _refuse_issuer(claimed_issuer, issuer, directory)
    # RFC 9068 §4: an ID token, signed by the same keys, is no access token.
    if str(header.get("typ", "")).lower().removeprefix("application/") != "at+jwt":
        raise TokenRefused("invalid_token", "The token is not an access token: its typ must be at+jwt.")
    kid, algorithm = header.get("kid"), header.get("alg")
    if algorithm not in ALGORITHMS or not isinstance(kid, str):
        raise TokenRefused("invalid_token", "The token is not signed by an accepted algorithm and a named key.")
    try:
        claims = jwt.decode(
            token,
            _find_key(issuer, kid),
            algorithms=ALGORITHMS,
            issuer=issuer.url,
            audience=audience,
            leeway=LEEWAY,
            options={"require": list(CLAIMS)},
        )
    except jwt.ExpiredSignatureError as error:
        raise TokenRefused("invalid_token", "The token has expired.") from error
    except jwt.InvalidAudienceError as error:
        raise TokenRefused(
            "invalid_token", f"The token is for another audience; ask for it with resource={audience}."
        ) from error
    except jwt.PyJWTError as error:
        raise TokenRefused("invalid_token", "The token's signature or claims are not valid.") from error
    if claims["tenant"] != issuer.slug:
        _refuse_tenant(issuer)
    return _read(claims)


def _peek(token: str) -> tuple[dict[str, Any], object]:
    """Header and `iss`, unverified: they choose the words of a refusal, nothing else."""
    try:
        seen = jwt.decode_complete(token, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise TokenRefused("invalid_token", "The token is not a JWT.") from error
    return seen["header"], seen["payload"].get("iss")


def _refuse_issuer(claimed: object, issuer: Issuer, directory: IssuerDirectory) -> NoReturn:
    if isinstance(claimed, str) and directory.slug_of(claimed) not in (None, issuer.slug):
        _refuse_tenant(issuer)
    raise TokenRefused("invalid_token", "The token comes from an issuer that this service does not know.")


def _refuse_tenant(issuer: Issuer) -> NoReturn:
    raise TokenRefused(
        "wrong_tenant", f"The token belongs to another tenant; this host takes tokens of {issuer.url} only."
    )


def _find_key(issuer: Issuer, kid: str) -> jwt.PyJWK:
    try:
        return issuer.keys.get_signing_key(kid)
    except jwt.PyJWKClientConnectionError as error:
        raise IssuerUnavailable("the issuer's keys can't be fetched") from error
    except jwt.PyJWKClientError as error:
        raise TokenRefused("invalid_token", "The token is signed by a key that its issuer does not publish.") from error
    except (jwt.PyJWTError, OSError, ValueError) as error:  # Not a key set, or cut short.
        raise IssuerUnavailable("the issuer's keys can't be read") from error


def _read(claims: dict[str, Any]) -> AccessToken:
    try:
        return AccessToken(
            subject=str(claims["sub"]),
            tenant=str(claims["tenant"]),
            tenant_id=UUID(claims["tenant_id"]),
            client_id=str(claims["client_id"]),
            scopes=frozenset(str(claims.get("scope", "")).split()),
            claims=claims,
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise TokenRefused("invalid_token", "The token's claims are not well-formed.") from error
