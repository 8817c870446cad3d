from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.client import Api

from .issuer import AUDIENCE, StandIn, Tenant


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    stand_in = StandIn()
    yield stand_in
    stand_in.stop()


@pytest.fixture
def acme(stand_in: StandIn) -> Tenant:
    return stand_in.add("acme")


@pytest.fixture
def globex(stand_in: StandIn) -> Tenant:
    return stand_in.add("globex")


@pytest.fixture
def api(stand_in: StandIn, acme: Tenant, globex: Tenant, settings: Settings, db: Any) -> Api:
    """The service as a client sees it, with tenants acme and globex. Its caches are empty."""
    settings.TESSERA_PUBLIC_URL = stand_in.public_url
    settings.API_AUDIENCE = AUDIENCE
    settings.TENANT_HOST = "{tenant}.notes.test"
    return Api(Client(), "{tenant}.notes.test")
