"""The service as its clients see it."""

from dataclasses import dataclass
from typing import Any

from django.test import Client


@dataclass
class Answer:
    status: int
    body: Any
    challenge: str | None

    @property
    def error(self) -> tuple[int, str]:
        return self.status, self.body["error"]


@dataclass
class Api:
    client: Client
    host: str

    def get(self, tenant: str, path: str, token: str | None = None) -> Answer:
        return self.get_at(self.host.replace("{tenant}", tenant), path, token)

    def get_at(self, host: str, path: str, token: str | None = None) -> Answer:
        return _read(self.client.get(path, headers=_headers(host, token)))

    def post(self, tenant: str, path: str, token: str, body: dict[str, Any]) -> Answer:
        headers = _headers(self.host.replace("{tenant}", tenant), token)
        return _read(self.client.post(path, body, content_type="application/json", headers=headers))


def _headers(host: str, token: str | None) -> dict[str, str]:
    return {"Host": host} | ({"Authorization": f"Bearer {token}"} if token is not None else {})


def _read(response: Any) -> Answer:
    return Answer(response.status_code, response.json(), response.headers.get("WWW-Authenticate"))
