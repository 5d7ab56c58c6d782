"""Who listens beside the console: whatever becomes of a timeline, the deployment ends as it would without."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from providers.audience import audience
from providers.bluegreen.deploy import CannotLook
from providers.bluegreen.events import Event, Kind, lines
from providers.bluegreen.model import Phase, Release
from providers.bluegreen.scene import Intent, Scene
from providers.timeline.keep import history
from providers.timeline.shelves import Folder
from tests.bluegreen.worlds import serving, spec, world

SPEC = spec(state_store=None, secret_env={"API_KEY": "canary-of-a-secret"})
BEGINS = Event(
    Kind.PHASE,
    10.0,
    phase=Phase.CREATE_NEW,
    number=1,
    of=5,
    scene=Scene(
        Intent("deploy", SPEC, Release(2, SPEC.digest), Release(1, "0" * 10), "handoff"),
        world(serving(SPEC, 1)),
    ),
)


def listen(*events: Event, error: Exception | None = None) -> list[str]:
    """A deployment that tells these events; what people were told beside it."""
    said: list[str] = []

    async def deployment() -> None:
        async with audience(SPEC, lines(said.append)) as hear:
            for event in events:
                hear(event)
            if error:
                raise error

    anyio.run(deployment)
    return said


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_look_leaves_nothing(in_a_folder: Path) -> None:
    """A preview and a refresh tell no event."""
    assert listen() == []
    assert list(in_a_folder.iterdir()) == []


def test_a_run_that_is_broken_off_leaves_what_it_had(in_a_folder: Path) -> None:
    """What broke it is raised as it was; what was said in it is there, without its secrets."""
    with pytest.raises(CannotLook, match="the API is away"):
        listen(BEGINS, Event(Kind.NOTE, 11.0, "key: canary-of-a-secret"), error=CannotLook("the API is away"))
    (kept,) = anyio.run(history, Folder("rooms"), 5)
    assert kept.ending == "no ending"
    text = (in_a_folder / ".bluegreen" / "rooms" / kept.name).read_text()
    assert "key: [secret]" in text
    assert "canary" not in text


def test_a_timeline_that_cannot_be_kept_is_one_line(in_a_folder: Path) -> None:
    (in_a_folder / ".bluegreen").write_text("somebody's own file")
    (line,) = listen(BEGINS)
    assert line.startswith("timeline: not kept: .bluegreen/rooms/")


def test_a_listener_that_fails_is_nobodys_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorder with a bug costs the timeline, and nothing else."""
    monkeypatch.setattr("providers.timeline.record.Recorder.timeline", lambda self: 1 / 0)
    assert listen(BEGINS) == ["timeline: not kept: division by zero"]
