"""Scopes (RFC 6749 §3.3) as permissions."""

from collections.abc import Mapping

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from .authentication import access_of, tenant_of
from .errors import BearerError


class HasScope(BasePermission):
    """Demands the scope that the view's `required_scopes` names for the method. A method not named is refused."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        required: Mapping[str, str] = getattr(view, "required_scopes", {})
        scope = required.get("GET" if request.method == "HEAD" else str(request.method))
        if scope is None:
            return False
        if not (request.user and request.user.is_authenticated):
            return False
        if scope not in access_of(request).scopes:
            raise BearerError(
                tenant_of(request).slug, "insufficient_scope", f"The token lacks the scope {scope}.", scope=scope
            )
        return True
