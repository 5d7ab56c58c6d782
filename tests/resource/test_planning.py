"""What a preview says of a change, what it writes for CI, and what it asks of the app that serves."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anyio
import pytest

from providers import live
from providers.bluegreen.plan import rollout
from providers.bluegreen.resolve import resolve
from providers.bluegreen.scene import Scene
from providers.bluegreen.spec import Spec
from providers.changes import changes
from providers.live import Live, ask_live
from providers.plan_file import VARIABLE, write_plan
from providers.planning import Planned, plan_document, plan_text
from tests.bluegreen.worlds import serving, spec, world

CANARY = "canary-31aa"


def scene(old: Spec, new: Spec) -> Scene:
    observation = world(serving(old, 1))
    return Scene(resolve(new, observation), observation)


def test_a_change_is_told_with_values_where_nobody_minds_and_by_name_elsewhere() -> None:
    """Image, regions, sizes and durations; env and secrets by name; what may hold a token by its key."""
    old = spec(env={"KEPT": "1", "GONE": CANARY, "OTHER": CANARY}, secret_env={"KEY": f"{CANARY}-1"})
    new = spec(
        image="registry.fly.io/rooms:v2",
        regions={"ams": 2, "iad": 1},
        guest={"memory_mb": 512},
        env={"KEPT": "1", "OTHER": f"{CANARY}2", "NEW": CANARY},
        secret_env={"KEY": f"{CANARY}-2"},
        deadlines={"verify": "9m"},
        checks={"alive": {"type": "tcp", "port": 8080}},
        release_command={"argv": ["migrate", CANARY]},
    )
    told = changes(old, new)
    assert told == [
        "image: registry.fly.io/rooms:v1 → registry.fly.io/rooms:v2",
        "regions.ams: 1 → 2",
        "guest.memory_mb: 256 → 512",
        "env: -GONE, +NEW, ~OTHER",
        "secret_env: ~KEY [secret]",
        told[5],
        "deadlines.verify: 5m → 9m",
        "release_command: changed",
    ]
    assert told[5].startswith("checks.alive: none → type tcp, port 8080")
    assert CANARY not in "".join(told)
    assert changes(old, old) == []
    assert changes(None, new, ["image"]) == ["image: known only later"]
    assert "image: known only later" in changes(old, new, ["image"])


def test_a_change_without_steps_touches_no_machine_and_says_so() -> None:
    """Deadlines, tests and gates alone; and without any change there is nothing to say."""
    old, new = spec(), spec(deadlines={"verify": "9m"})
    same = scene(old, new)
    assert rollout(same) == []
    assert plan_text(Planned(same, [], None, changes(old, new))) == (
        "no machine is touched\n  change: deadlines.verify: 5m → 9m"
    )
    assert plan_text(Planned(same, [], None)) == ""


def test_the_document_holds_what_the_lines_say() -> None:
    """Changes, what is known only later, and what lives on the machines; a name that nobody knows yet is none."""
    old, new = spec(), spec(image="registry.fly.io/rooms:v2")
    this = scene(old, new)
    planned = Planned(this, rollout(this), Live(3, 7, 1, 2), changes(old, new, ["image"]), ["image"])
    document = json.loads(json.dumps(plan_document(planned)))
    assert (document["green"], document["known_later"]) == (None, ["image"])
    assert document["live"] == {"rooms": 3, "sockets": 7, "machines": 1, "of": 2}
    text = plan_text(planned)
    assert "→ green 2, known later" in text
    assert "live: 3 rooms and 7 sockets on the 1 of 2 machines that said so" in text
    assert "machines: created 2 (ams 1, iad 1); drained 2 (ams 1, iad 1); destroyed 2 (ams 1, iad 1)" in text


def test_the_plan_is_written_whole_or_said_not_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where somebody asked for it; a directory that cannot be written fails nothing."""
    monkeypatch.delenv(VARIABLE, raising=False)
    assert write_plan("rooms", {"version": 1}) == ""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "plans"))
    assert write_plan("rooms", {"version": 1}) == ""
    assert [file.name for file in (tmp_path / "plans").iterdir()] == ["rooms.json"]
    monkeypatch.setenv(VARIABLE, str(tmp_path / "plans" / "rooms.json"))
    assert VARIABLE in write_plan("rooms", {"version": 1})


@contextmanager
def app(answers: dict[str, bytes]) -> Iterator[str]:
    """An app whose machines answer so, by id; one without an answer never does."""
    over = threading.Event()

    class Machine(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers.get(self.headers["fly-force-instance-id"])
            if body is None:
                over.wait(10)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Machine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        over.set()
        server.shutdown()


def test_what_lives_on_the_machines_is_asked_for_a_moment_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that say it count; one that hangs, answers for another, or says nothing of it, fails nothing."""
    monkeypatch.setattr(live, "ASKED_FOR_S", 0.5)
    first, second = (machine.id for machine in serving(spec(), 1))

    def asked(answers: dict[str, bytes]) -> Live | None:
        with app(answers) as url:
            return anyio.run(ask_live, scene(of := spec(public_url=url), of))

    good = json.dumps({"machine_id": first, "rooms": 3, "sockets": 7}).encode()
    assert asked({first: good, second: good.replace(first.encode(), second.encode())}) == Live(6, 14, 2, 2)
    assert asked({first: good}) == Live(3, 7, 1, 2)
    assert asked({first: good, second: good}) == Live(3, 7, 1, 2)
    assert asked({first: json.dumps({"machine_id": first}).encode(), second: b"[]"}) is None
