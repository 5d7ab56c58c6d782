"""Proofs of saved state that need no manifest, over real processes; and what is said where there is none at all."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Phase
from providers.bluegreen.outcome import Ending
from providers.bluegreen.report import outcome_text
from tests.handover.kit import BY_REQUEST, TWO_REGIONS, V1, V2, Deployer, take_out
from tests.handover.local_fly import APP

pytestmark = [pytest.mark.anyio, pytest.mark.long]

EXITS = """
import os, sys
print("asked about", os.environ["BLUEGREEN_RELEASE"], "on", os.environ["BLUEGREEN_MACHINES"])
sys.exit(int(sys.argv[1]))
"""


@dataclass
class Service:
    """Somebody else's service that knows whether everything is saved."""

    url: str = ""
    knows: Callable[[], bool] = lambda: True
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.asked.append(self.headers.get("authorization", ""))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"saved": true}' if service.knows() else b'{"saved": false}')

        def log_message(self, *_: object) -> None:
            """Nothing on the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.url = f"http://127.0.0.1:{server.server_port}/saved"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


def by_marker(key: str) -> dict[str, Any]:
    return {"state_proof": {"type": "marker", "key": key}}


def by_http(service: Service) -> dict[str, Any]:
    expect = {"json": {"saved": True}}
    headers = {"authorization": "Bearer of-the-service"}
    return {"state_proof": {"type": "http", "url": service.url, "headers": headers, "expect": expect}}


def by_command(code: int) -> dict[str, Any]:
    argv = [sys.executable, "-I", "-S", "-c", EXITS, str(code)]
    return {"state_proof": {"type": "command", "argv": argv}}


async def assert_blue_goes_on(deployer: Deployer, before: dict[str, int]) -> None:
    """The same processes with their memory, and nobody else."""
    assert deployer.fly.processes(1) == before
    assert set(deployer.fly.machines()) == deployer.names(1)
    await deployer.until_routed(deployer.names(1))
    assert await deployer.contents("room-01") == ["promised"]


async def fail_to_prove(deployer: Deployer, proof: dict[str, Any], bad: dict[str, Any] | None = None) -> str:
    """Serve v1 with an edit in its memory, and deploy v2, which has to fail at the proof: the reasons."""
    await deployer.serve(V1, **proof, **BY_REQUEST)
    with deployer.seat("room-01") as seat:
        seat.edit("promised")
    before = deployer.fly.processes(1)
    outcome = await deployer.deploy(V2, **(bad or proof), **BY_REQUEST)
    assert outcome.ending is Ending.ABORTED
    assert outcome.failure
    assert outcome.failure.phase is Phase.DRAIN_OLD
    await assert_blue_goes_on(deployer, before)
    return " ".join(outcome.failure.reasons)


@pytest.mark.parametrize("drain", [{}, BY_REQUEST], ids=["stop", "request"])
async def test_an_object_that_is_written_since_the_drain_began_is_a_proof(
    deployer: Deployer, drain: dict[str, Any]
) -> None:
    """Of each machine its own; whether the app stays alive for it or not."""
    deployer.regions = TWO_REGIONS
    marker = by_marker("manifests/{release}/{machine_id}.json")
    await deployer.serve(V1, **marker, **drain)
    with deployer.seat("room-01") as seat:
        seat.edit("promised")
    outcome = await deployer.serve(V2, **marker, **drain)
    assert [proof.objects for proof in outcome.proofs] == [1, 1]
    assert await deployer.contents("room-01") == ["promised"]


async def test_an_object_from_before_the_drain_proves_nothing(deployer: Deployer) -> None:
    """It is there, and nobody has written it since."""
    deployer.saved.put("marker", b"of another day")
    told = await fail_to_prove(deployer, by_marker("marker"))
    assert f"{deployer.saved.prefix}marker was not written since the drain began" in told


async def test_a_service_that_knows_can_prove_it(deployer: Deployer, service: Service) -> None:
    """It is asked once the old machines have saved, for each of them; and only what it answers counts."""
    deployer.regions = TWO_REGIONS
    service.knows = lambda: len(deployer.saved.keys("manifests/")) == 2
    await deployer.serve(V1, **by_http(service), **BY_REQUEST)
    assert not service.knows()
    await deployer.serve(V2, **by_http(service), **BY_REQUEST)
    assert service.asked == ["Bearer of-the-service"] * 2


async def test_a_service_that_says_no_fails_the_gate(deployer: Deployer, service: Service) -> None:
    """The failure shows what it answered; blue goes on with its memory."""
    service.knows = lambda: False
    told = await fail_to_prove(deployer, by_http(service))
    assert "expected saved to be true, got false" in told
    assert "of-the-service" not in " ".join([told, *deployer.said])


async def test_without_the_gate_the_service_is_not_asked(
    deployer: Deployer, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: it would have said no."""
    take_out(monkeypatch, Do.PROVE_SAVED)
    service.knows = lambda: False
    await deployer.serve(V1, **by_http(service), **BY_REQUEST)
    await deployer.serve(V2, **by_http(service), **BY_REQUEST)
    assert service.asked == []


@pytest.mark.saver
async def test_a_command_can_prove_it_without_any_store(deployer: Deployer) -> None:
    """It is told which release and machine it is asked about; what it says is shown."""
    first = await deployer.serve(V1, state_store=None, **by_command(0))
    await deployer.serve(V2, state_store=None, **by_command(0))
    assert first.serving
    asked = {f"asked about {first.serving.release} on {machine.id}" for machine in first.serving.machines}
    assert set(deployer.lines("state proof | ")) == asked


async def test_a_command_that_fails_fails_the_gate(deployer: Deployer) -> None:
    """Its exit code is in the failure; blue goes on with its memory."""
    assert "exited with code 3" in await fail_to_prove(deployer, by_command(0), by_command(3))


@pytest.mark.saver
async def test_without_any_store_the_deploy_works_and_says_what_it_does_not_promise(
    deployer: Deployer,
) -> None:
    """The plan says it before, and the output afterwards."""
    await deployer.serve(V1, state_store=None)
    plan = await deployer.plan(V2, state_store=None)
    assert "note: blue has no state_store; that it exits with 0 is the only evidence" in plan
    outcome = await deployer.serve(V2, state_store=None)
    assert "saved state not proven" in outcome_text(APP, outcome)
