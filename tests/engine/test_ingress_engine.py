"""Addresses and certificates beside a deployment, by the real engine."""

from __future__ import annotations

import pytest

from tests.engine.fronts import front
from tests.engine.stack import Stack
from tests.engine.test_real_engine import ok

pytestmark = pytest.mark.long

HOST = "play.example.com"
TOLD = ("create_app", "request_certificate", "delete_certificate", "stop", "delete_app")


@pytest.mark.saver
def test_another_apps_ingress_is_ready_before_the_old_app_goes(stack: Stack) -> None:
    """`app` is renamed, its hostname stays: the new app has it before anything is taken from the old one, which is then
    drained, and goes last, with its addresses and certificate.
    """
    with front(stack.platform.proxy_url) as url:
        ok(stack.up(public_url=f"{url}/rooms", ingress={"ips": ["v6"], "certificates": [HOST]}))
        before = stack.mark()
        ok(stack.up(app="halls", public_url=f"{url}/halls"))
    asked = stack.history("request", before)
    told = [(r["action"], r["app"]) for r in asked if r["action"] in TOLD]
    assert told == [
        ("create_app", None),
        ("request_certificate", "halls"),
        ("stop", "rooms"),
        ("stop", "rooms"),
        ("delete_app", "rooms"),
    ]
    assert set(stack.machines()) == {"halls-g1-ams-1", "halls-g1-iad-1"}
    assert sorted(stack.outputs()["ingress"]["certificates"]) == [HOST]


@pytest.mark.saver
def test_an_app_that_cannot_be_drained_keeps_its_ingress(stack: Stack) -> None:
    """Blue does not save, so the rename fails and the old app serves: with its address and certificate, which also the
    way back to its name leaves with it. The new app goes, which nobody has used.
    """
    unsaved = {"drain": {"type": "stop"}, "stop_config": {"signal": "SIGUSR2", "timeout": "10s"}}
    with front(stack.platform.proxy_url) as url:
        ok(stack.up(public_url=f"{url}/rooms", ingress={"ips": ["v6"], "certificates": [HOST]}, **unsaved))
        ingress, before = stack.outputs()["ingress"], stack.mark()
        refused = stack.up(app="halls", public_url=f"{url}/halls")
        assert refused.returncode != 0
        assert "aborted in drain-old" in refused.stdout
        ok(stack.up(app="rooms", public_url=f"{url}/rooms"))
    taken = [(r["action"], r["app"]) for r in stack.changes_since(before) if "delete" in r["action"]]
    assert taken == [("delete_app", "halls")]
    assert stack.outputs()["ingress"] == ingress
    assert set(stack.machines()) == {"rooms-g1-ams-1", "rooms-g1-iad-1"}
