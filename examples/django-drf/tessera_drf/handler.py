"""Django REST framework's own refusals in the form of `errors`.

A module of its own: `rest_framework.views`, which this needs, imports the authentication class and with it `errors`.
"""

from typing import Any

from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.response import Response
from rest_framework.views import exception_handler as default_handler


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Set as `REST_FRAMEWORK["EXCEPTION_HANDLER"]`."""
    answer = default_handler(error, context)
    if answer is None:
        return None
    if isinstance(error, NotAuthenticated):
        answer.data = {"error": "unauthorized", "error_description": "Send a bearer token of this tenant."}
    elif isinstance(error, PermissionDenied):
        answer.data = {"error": "forbidden", "error_description": "This is not permitted."}
    return answer
