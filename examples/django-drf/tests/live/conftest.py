from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from tests.client import Api

from .tessera import Tenant, Tessera


@pytest.fixture(scope="session")
def tessera() -> Tessera:
    return Tessera()


@pytest.fixture
def acme(tessera: Tessera) -> Tenant:
    return tessera.tenants["acme"]


@pytest.fixture
def globex(tessera: Tessera) -> Tenant:
    return tessera.tenants["globex"]


@pytest.fixture
def api(tessera: Tessera, settings: Settings, db: Any) -> Api:
    """The service as a client sees it. Its caches are empty."""
    settings.TESSERA_PUBLIC_URL = tessera.public_url
    settings.API_AUDIENCE = tessera.audience
    settings.TENANT_HOST = "{tenant}.localtest"
    return Api(Client(), "{tenant}.localtest")
