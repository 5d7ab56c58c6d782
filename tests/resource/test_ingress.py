"""Addresses and certificates: the provider against the simulated API, over HTTP."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from demo.local import CHECKOUT, CREDENTIALS
from demo.local.process import Child
from providers.ingress import FlyIngressProvider, IngressFailed

IMAGES = str(CHECKOUT / "demo" / "local" / "images.toml")
HOST = "play.example.com"
TOKEN = CREDENTIALS["FLY_API_TOKEN"]
PROVIDER: Any = FlyIngressProvider()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    ready = tmp_path_factory.mktemp("fly") / "ready.json"
    options = ["--token", TOKEN, "--catalog", IMAGES, "--ready-file", str(ready), "--no-rate-limits"]
    fly = Child("local Fly", "simulator", options, {})
    try:
        yield fly.wait_ready(ready)["api"]
    finally:
        fly.end()


@pytest.fixture
def site(address: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("FLY_API_TOKEN", TOKEN)
    with httpx.Client(
        base_url=f"{address}/v1", headers={"authorization": f"Bearer {TOKEN}"}, trust_env=False
    ) as client:
        yield Site(client, address, f"app-{zlib.crc32(request.node.name.encode()):x}")


class Site:
    """An app of its own for each test, looked at by plain HTTP."""

    def __init__(self, client: httpx.Client, address: str, app: str) -> None:
        self.client, self.address, self.app = client, address, app

    def props(self, *ips: str, certificates: tuple[str, ...] = ()) -> dict[str, Any]:
        return {
            "app": self.app,
            "org": "personal",
            "api_url": self.address,
            "ips": [*ips],
            "certificates": [*certificates],
        }

    def there(self) -> set[str]:
        """The kinds of the app's addresses."""
        ips = self.client.get(f"/apps/{self.app}/ip_assignments").json()["ips"]
        return {"shared_v4" if it["shared"] else "v6" if ":" in it["ip"] else "v4" for it in ips}

    def certificate(self) -> int:
        return self.client.get(f"/apps/{self.app}/certificates/{HOST}").status_code

    def exists(self) -> bool:
        return self.client.get(f"/apps/{self.app}").status_code == 200

    def post(self, path: str, **body: Any) -> None:
        self.client.post(f"/apps{path}", json=body).raise_for_status()


def test_what_is_missing_is_made_and_taken_back_with_the_app(site: Site) -> None:
    """A new app gets its addresses and certificate before any machine is there; destroyed, nothing is left."""
    made = PROVIDER.create(site.props("shared_v4", "v6", certificates=(HOST,)))
    assert site.there() == {"shared_v4", "v6"}
    assert sorted(made.outs["addresses"].values()) == ["shared_v4", "v6"]
    assert made.outs["certificate_status"] == {HOST: "pending_validation"}
    assert made.outs["dns_requirements"][HOST]
    PROVIDER.delete(made.id, made.outs)
    assert not site.exists()


def test_a_change_touches_what_changed_and_the_second_run_nothing(site: Site) -> None:
    """One address more, the certificate gone; whatever equals what is there makes no diff."""
    before = PROVIDER.create(site.props("v6", certificates=(HOST,))).outs
    assert not PROVIDER.diff(site.app, before, before).changes
    news = site.props("v6", "v4")
    assert PROVIDER.diff(site.app, before, news).changes
    after = PROVIDER.update(site.app, before, news).outs
    assert site.there() == {"v6", "v4"}
    assert site.certificate() == 404
    assert set(before["addresses"]) < set(after["addresses"])
    PROVIDER.update(site.app, after, site.props("v6"))
    assert site.there() == {"v6"}


def test_what_was_there_is_used_and_stays(site: Site) -> None:
    """An app, an address and a certificate that somebody else made outlive a destroy."""
    site.post("", name=site.app, org_slug="personal")
    site.post(f"/{site.app}/ip_assignments", type="v4")
    site.post(f"/{site.app}/certificates/acme", hostname=HOST)
    made = PROVIDER.create(site.props("v4", "v6", certificates=(HOST,)))
    assert (site.there(), made.outs["app_created"]) == ({"v4", "v6"}, False)
    PROVIDER.delete(made.id, made.outs)
    assert (site.exists(), site.there(), site.certificate()) == (True, {"v4"}, 200)


def test_an_app_with_machines_is_never_deleted(site: Site) -> None:
    """Its addresses go, the app and somebody's machine stay."""
    made = PROVIDER.create(site.props("v6"))
    site.post(f"/{site.app}/machines", config={"image": "registry.fly.io/rooms:v1"}, skip_launch=True)
    PROVIDER.delete(made.id, made.outs)
    assert (site.exists(), site.there()) == (True, set())
    assert len(site.client.get(f"/apps/{site.app}/machines").json()) == 1


def test_a_refresh_sees_what_was_taken_by_hand_and_up_brings_it_back(site: Site) -> None:
    """An address that was released is drift; an app that is gone is gone."""
    made = PROVIDER.create(site.props("v6"))
    site.client.delete(f"/apps/{site.app}/ip_assignments/{next(iter(made.outs['addresses']))}")
    seen = PROVIDER.read(made.id, made.outs).outs
    assert seen["addresses"] == {}
    assert PROVIDER.diff(made.id, seen, site.props("v6")).changes
    PROVIDER.update(made.id, seen, site.props("v6"))
    assert site.there() == {"v6"}
    site.client.delete(f"/apps/{site.app}", params={"force": "true"})
    assert PROVIDER.read(made.id, seen).id is None


def test_another_app_is_a_replacement(site: Site) -> None:
    """Addresses belong to an app."""
    props = site.props("v6")
    assert PROVIDER.diff(site.app, props, props | {"app": "other"}).replaces == ["app"]


def test_a_refused_call_is_told_without_a_token(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app, the call and its request id; negative control of the tests above, too."""
    monkeypatch.setenv("FLY_API_TOKEN", "wrong-token-77")
    with pytest.raises(IngressFailed, match=r"ingress of .*401.*request id") as refused:
        PROVIDER.create(site.props("v6"))
    assert "wrong-token-77" not in str(refused.value)
    monkeypatch.delenv("FLY_API_TOKEN")
    with pytest.raises(IngressFailed, match="FLY_API_TOKEN is not set"):
        PROVIDER.create(site.props("v6"))
