"""From hosts to tenants: what is asked of the issuer, what is remembered, and what an outage does."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from pytest_django.fixtures import Settings

from tessera_drf.issuers import IssuerDirectory, IssuerUnavailable, Template
from tessera_drf.tenancy import TenancyMiddleware
from tests.client import Api

from .issuer import StandIn, Tenant


class Watch:
    """A clock that stands until it is set forth."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def directory(stand_in: StandIn, acme: Tenant, watch: Watch) -> IssuerDirectory:
    return IssuerDirectory(Template(stand_in.public_url), capacity=3, lifetime=60, unknown_lifetime=10, now=watch)


def discoveries(stand_in: StandIn, slug: str) -> int:
    return stand_in.asked[f"/t/{slug}/.well-known/openid-configuration"]


@pytest.mark.parametrize(
    "host",
    [
        "initech.notes.test",
        "notes.test",
        ".notes.test",
        "acme.notes.test.evil.com",
        "evil.com",
        "a.acme.notes.test",
        "acme.notes.best",
    ],
)
def test_an_unknown_host_gets_a_clear_answer(api: Api, acme: Tenant, host: str) -> None:
    answer = api.get_at(host, "/whoami", acme.token())
    assert answer.error == (404, "tenant_not_found")
    assert answer.body["error_description"]


@pytest.mark.parametrize("host", ["acme.notes.test:8000", "ACME.notes.test", "acme.notes.test."])
def test_a_hosts_spelling_does_not_matter(api: Api, acme: Tenant, host: str) -> None:
    assert api.get_at(host, "/whoami", acme.token()).status == 200


@pytest.mark.parametrize("slug", ["-a", "a-", "a--b", "a_b", "a.b", "%2e%2e", "a" * 64, "a-" * 32 + "a", "é"])
def test_nothing_is_fetched_for_what_is_no_slug(api: Api, stand_in: StandIn, slug: str) -> None:
    assert api.get(slug, "/whoami").error == (404, "tenant_not_found")
    assert not stand_in.asked


def test_a_known_tenant_is_asked_for_once_in_a_lifetime(
    directory: IssuerDirectory, stand_in: StandIn, watch: Watch
) -> None:
    first = directory.find("acme")
    assert first is not None and first == directory.find("acme")
    assert discoveries(stand_in, "acme") == 1
    watch.time += 61
    renewed = directory.find("acme")
    assert renewed is not None and renewed.keys is first.keys
    assert discoveries(stand_in, "acme") == 2


def test_an_unknown_tenant_is_remembered_for_a_moment(
    directory: IssuerDirectory, stand_in: StandIn, watch: Watch
) -> None:
    for _ in range(5):
        assert directory.find("initech") is None
    assert discoveries(stand_in, "initech") == 1
    stand_in.add("initech")
    watch.time += 11
    assert directory.find("initech") is not None


def test_guessed_slugs_push_no_tenant_out(directory: IssuerDirectory, stand_in: StandIn) -> None:
    directory.find("acme")
    for number in range(20):
        assert directory.find(f"guess{number}") is None
    directory.find("acme")
    assert discoveries(stand_in, "acme") == 1
    assert len(directory._unknown) == 3


def test_the_least_used_tenant_leaves_first(directory: IssuerDirectory, stand_in: StandIn) -> None:
    for slug in ("a", "b", "c", "acme"):
        stand_in.add(slug)
    for slug in ("a", "b", "c", "a", "acme", "a"):
        directory.find(slug)
    assert list(directory._known) == ["c", "acme", "a"]


def test_a_deleted_tenant_is_gone_after_a_lifetime(directory: IssuerDirectory, stand_in: StandIn, watch: Watch) -> None:
    assert directory.find("acme")
    del stand_in.tenants["acme"]
    watch.time += 61
    assert directory.find("acme") is None


def test_an_outage_leaves_known_tenants_working(directory: IssuerDirectory, stand_in: StandIn, watch: Watch) -> None:
    assert directory.find("acme")
    stand_in.broken = 503
    watch.time += 61
    assert directory.find("acme")
    with pytest.raises(IssuerUnavailable):
        directory.find("globex")


def test_an_outage_is_no_unknown_tenant(api: Api, acme: Tenant, stand_in: StandIn) -> None:
    stand_in.broken = 503
    assert api.get("acme", "/whoami", acme.token()).error == (503, "temporarily_unavailable")
    stand_in.broken = None
    assert api.get("acme", "/whoami", acme.token()).status == 200


def test_keys_that_cannot_be_fetched_are_no_bad_token(api: Api, acme: Tenant, stand_in: StandIn) -> None:
    assert api.get("acme", "/whoami").error == (401, "unauthorized")
    stand_in.broken = 500
    assert api.get("acme", "/whoami", acme.token()).error == (503, "temporarily_unavailable")


@pytest.mark.parametrize(
    "changes",
    [{"issuer": "https://elsewhere.example.com"}, {"jwks_uri": None}, {"jwks_uri": "file:///etc/passwd"}],
    ids=str,
)
def test_a_strange_discovery_document_is_not_believed(
    directory: IssuerDirectory, stand_in: StandIn, changes: dict[str, str | None]
) -> None:
    stand_in.discovery_changes = changes
    with pytest.raises(IssuerUnavailable):
        directory.find("acme")


def test_a_redirect_is_not_followed(directory: IssuerDirectory, stand_in: StandIn) -> None:
    stand_in.broken = 302
    with pytest.raises(IssuerUnavailable):
        directory.find("acme")
    assert not stand_in.asked["/elsewhere"]


@pytest.mark.parametrize("name", ["TESSERA_PUBLIC_URL", "TENANT_HOST"])
@pytest.mark.parametrize("value", ["https://id.example.com", "{tenant}.{tenant}.example.com", ""])
def test_a_template_names_the_tenant_once(settings: Settings, name: str, value: str) -> None:
    setattr(settings, name, value)
    with pytest.raises(ImproperlyConfigured):
        TenancyMiddleware(lambda request: HttpResponse())


def test_templates_read_both_ways() -> None:
    for text in ("http://localhost:8080/t/{tenant}", "https://{tenant}.id.example.com", "https://{tenant}.id.example/"):
        template = Template(text)
        assert template.slug_of(template.fill("a-1")) == "a-1"
    template = Template("https://{tenant}.id.example.com")
    assert template.slug_of("https://a.b.id.example.com") is None
    assert template.slug_of("https://a/?.id.example.com") is None
    assert template.slug_of("https://a\n.id.example.com") is None
