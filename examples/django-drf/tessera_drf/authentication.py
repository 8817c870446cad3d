"""Bearer tokens (RFC 6750) of the request's tenant."""

from dataclasses import dataclass
from typing import Any, Literal, cast

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from .errors import BearerError, ServiceUnavailable
from .issuers import IssuerUnavailable
from .tenancy import Tenant, TenantRequest
from .tokens import AccessToken, TokenRefused, verify_access_token


@dataclass(frozen=True)
class Principal:
    """Who is asking: a person, or a program where `subject` is the client itself. `request.user` in a view."""

    subject: str
    is_authenticated: Literal[True] = True


class TesseraAuthentication(BaseAuthentication):
    """`request.user` becomes a `Principal`, `request.auth` an `AccessToken`."""

    def authenticate(self, request: Request) -> tuple[Principal, AccessToken] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        tenant = tenant_of(request)
        try:
            access = verify_access_token(token.strip(), tenant.issuer, settings.API_AUDIENCE, tenant.directory)
        except TokenRefused as refused:
            raise BearerError(tenant.slug, refused.error, refused.description) from refused
        except IssuerUnavailable as error:
            raise ServiceUnavailable from error
        return Principal(access.subject), access

    def authenticate_header(self, request: Request) -> str:
        # RFC 6750 §3.1: without a token the challenge names no error.
        return f'Bearer realm="{tenant_of(request).slug}"'


def tenant_of(request: Request) -> Tenant:
    return cast(TenantRequest, request._request).tenant


def access_of(request: Request) -> AccessToken:
    """The verified token of an authenticated request."""
    access: Any = request.auth
    if not isinstance(access, AccessToken):
        raise TypeError("the view lacks TesseraAuthentication or IsAuthenticated")
    return access
