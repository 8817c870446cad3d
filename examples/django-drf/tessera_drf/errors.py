"""Errors as `{"error", "error_description"}`, with the challenge that RFC 6750 §3 asks for."""

from rest_framework import status
from rest_framework.exceptions import APIException


class BearerError(APIException):
    """A token that is refused: 403 where it lacks a scope, 401 else."""

    def __init__(self, realm: str, error: str, description: str, *, scope: str | None = None) -> None:
        super().__init__({"error": error, "error_description": description})
        lacks_scope = error == "insufficient_scope"
        self.status_code = status.HTTP_403_FORBIDDEN if lacks_scope else status.HTTP_401_UNAUTHORIZED
        # In the challenge stand RFC 6750's codes only, so that a client's library understands it.
        challenge = {
            "realm": realm,
            "error": error if lacks_scope else "invalid_token",
            "error_description": description,
            "scope": scope,
        }
        # DRF's handler sends this as WWW-Authenticate. Values are ours and hold no quotes.
        self.auth_header = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in challenge.items() if value)


class ServiceUnavailable(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    wait = 5

    def __init__(self) -> None:
        super().__init__(
            {"error": "temporarily_unavailable", "error_description": "The tenant's keys can't be fetched just now."}
        )
