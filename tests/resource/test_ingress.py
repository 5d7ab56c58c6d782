"""Addresses and certificates: the provider against the simulated API, over HTTP."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from demo.local import CHECKOUT, CREDENTIALS
from demo.local.process import Child
from providers import claims
from providers.bluegreen import journal
from providers.ingress import FlyIngressProvider
from providers.ingress_made import Made
from providers.provisioning import IngressFailed

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
    monkeypatch.setattr(claims, "_claimed", {})
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

    def destroy(self, made: Any) -> None:
        """A later run of Pulumi, in a process of its own, deletes the resource."""
        claims._claimed.clear()
        PROVIDER.delete(made.id, made.outs)

    def machine(self, record: str) -> None:
        """A machine of ours that records what was made of the ingress."""
        release = "1-0123456789-abcd"
        metadata = {
            journal.COMPONENT: self.app,
            journal.RELEASE: release,
            journal.INGRESS: record,
        }
        config = {"image": "registry.fly.io/rooms:v1", "metadata": metadata}
        self.post(f"/{self.app}/machines", name=f"{self.app}-g1-ams-1", config=config, skip_launch=True)

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
    site.destroy(made)
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
    site.destroy(made)
    assert (site.exists(), site.there(), site.certificate()) == (True, {"v4"}, 200)


def test_an_app_with_machines_is_never_deleted(site: Site) -> None:
    """Its addresses go, the app and somebody's machine stay."""
    made = PROVIDER.create(site.props("v6"))
    site.post(f"/{site.app}/machines", config={"image": "registry.fly.io/rooms:v1"}, skip_launch=True)
    site.destroy(made)
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


def test_the_old_name_lets_go_of_what_the_new_one_has_and_gives_back_later(site: Site) -> None:
    """Renamed without an alias: created anew, then deleted under the old name, in one run. The app keeps all of it;
    what the old name had made is the new one's, as the machines record it, and goes with the new one.
    """
    site.post("", name=site.app, org_slug="personal")
    old = PROVIDER.create(site.props("v6", certificates=(HOST,)))
    claims._claimed.clear()
    site.machine(Made.of_state(old.outs).text)
    new = PROVIDER.create(site.props("v6", certificates=(HOST,)))
    PROVIDER.delete(old.id, old.outs)
    assert (site.there(), site.certificate()) == ({"v6"}, 200)
    assert Made.of_state(new.outs) == Made.of_state(old.outs)
    site.destroy(new)
    assert (site.exists(), site.there(), site.certificate()) == (True, set(), 404)


def test_the_new_name_gives_back_what_it_wants_no_longer(site: Site) -> None:
    """Renamed and changed at once: an address and a certificate that the old name made, and nobody wants now."""
    old = PROVIDER.create(site.props("v6", "v4", certificates=(HOST,)))
    site.machine(Made.of_state(old.outs).text)
    PROVIDER.create(site.props("v6"))
    PROVIDER.delete(old.id, old.outs)
    assert (site.there(), site.certificate()) == ({"v6"}, 404)


def test_what_no_machine_records_stays_and_is_named(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    """The new name cannot know who made it, so it is taken for somebody else's: nothing is lost, and it is said."""
    old = PROVIDER.create(site.props("v6", certificates=(HOST,)))
    new = PROVIDER.create(site.props("v6", certificates=(HOST,)))
    PROVIDER.delete(old.id, old.outs)
    assert (
        f"that app, {old.outs['own_ips'][0]}, {HOST} was made here, so a destroy leaves it"
        in capfd.readouterr().err
    )
    site.destroy(new)
    assert (site.exists(), site.there(), site.certificate()) == (True, {"v6"}, 200)


def test_any_other_delete_gives_back(site: Site) -> None:
    """The negative control: another app's ingress was created in the same run, and this app's deployment."""
    made = PROVIDER.create(site.props("v6"))
    claims._claimed.clear()
    claims.claim("ingress", "another-app")
    claims.claim("deployment", site.app)
    PROVIDER.delete(made.id, made.outs)
    assert not site.exists()


@pytest.mark.parametrize(
    "made", [Made(), Made(True), Made(True, ["203.0.113.1", "2001:db8::2"], [HOST, "*.example.com"])]
)
def test_a_record_is_read_as_it_was_written(made: Made) -> None:
    """Nothing, the app alone, and all there can be."""
    assert Made.parse(made.text) == made


def test_a_record_that_somebody_has_written_says_nothing() -> None:
    """Words that are neither the app, nor addresses, nor hostnames."""
    assert Made.parse("apple 203.0.113 ; none") == Made(certificates=["203.0.113"])


def test_what_was_made_before_a_call_failed_is_recorded(site: Site) -> None:
    """The app and its first address, in Pulumi's state although `up` fails: the next one goes on from there."""
    with pytest.raises(IngressFailed, match=r"unknown type v9") as refused:
        PROVIDER.create(site.props("v6", "v9"))
    reached = refused.value.reached
    assert reached
    assert Made.of_state(reached.outputs).app
    assert PROVIDER.diff(site.app, dict(reached.outputs), site.props("v6")).changes
    after = PROVIDER.update(site.app, dict(reached.outputs), site.props("v6"))
    assert Made.of_state(after.outs) == Made.of_state(reached.outputs)
    assert site.there() == {"v6"}


def test_a_call_that_failed_before_anything_was_made_records_nothing(site: Site) -> None:
    """The negative control: Pulumi's state stays as it was."""
    site.post("", name=site.app, org_slug="personal")
    with pytest.raises(IngressFailed) as refused:
        PROVIDER.create(site.props("v9"))
    assert refused.value.reached is None


def test_a_refused_call_is_told_without_a_token(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app, the call and its request id; negative control of the tests above, too."""
    monkeypatch.setenv("FLY_API_TOKEN", "wrong-token-77")
    with pytest.raises(IngressFailed, match=r"ingress of .*401.*request id") as refused:
        PROVIDER.create(site.props("v6"))
    assert "wrong-token-77" not in str(refused.value)
    monkeypatch.delenv("FLY_API_TOKEN")
    with pytest.raises(IngressFailed, match="FLY_API_TOKEN is not set"):
        PROVIDER.create(site.props("v6"))
