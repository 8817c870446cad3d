"""The tenant of a request, taken from its host and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import DisallowedHost, ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, JsonResponse

from .issuers import Issuer, IssuerDirectory, IssuerUnavailable, Template


@dataclass(frozen=True)
class Tenant:
    """The tenant that a request is for. Views reach it as `request.tenant`."""

    issuer: Issuer
    directory: IssuerDirectory

    @property
    def slug(self) -> str:
        return self.issuer.slug


class TenantRequest(HttpRequest):
    """A request that has passed the middleware; only types need this class."""

    tenant: Tenant


class TenancyMiddleware:
    """Sets `request.tenant`, or answers: 404 for a host that no tenant owns, 503 when that can't be found out."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        try:
            self._host = Template(settings.TENANT_HOST)
            self._directory = IssuerDirectory(Template(settings.TESSERA_PUBLIC_URL))
        except ValueError as error:
            raise ImproperlyConfigured(f"TENANT_HOST or TESSERA_PUBLIC_URL: {error}") from error

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            issuer = self._find_issuer(request)
        except IssuerUnavailable:
            answer = _error(503, "temporarily_unavailable", "The tenant's issuer can't be reached; try again shortly.")
            answer["Retry-After"] = "5"
            return answer
        if issuer is None:
            return _error(404, "tenant_not_found", "No tenant lives at this host.")
        request.tenant = Tenant(issuer, self._directory)  # type: ignore[attr-defined]
        return self._get_response(request)

    def _find_issuer(self, request: HttpRequest) -> Issuer | None:
        try:
            host = request.get_host().rsplit(":", 1)[0].lower().removesuffix(".")
        except DisallowedHost:
            return None
        # The slug's form is checked before anything is fetched for it.
        slug = self._host.slug_of(host)
        return self._directory.find(slug) if slug else None


def _error(status: int, error: str, description: str) -> HttpResponse:
    answer = JsonResponse({"error": error, "error_description": description}, status=status)
    answer["Cache-Control"] = "no-store"
    return answer
