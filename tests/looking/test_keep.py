"""Where timelines are kept: created once, beside the state or in a folder, and listed without being read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from providers.gates.store import StateStore, StoreError
from providers.timeline import shelves
from providers.timeline.keep import history, keep, read
from providers.timeline.names import entry_of, name_of
from providers.timeline.shelves import Bucket, Folder, ShelfError
from tests.bluegreen.memory_store import MemoryStore
from tests.looking import recorded


class Away(MemoryStore):
    """A store that cannot be asked, and one whose list lies."""

    async def create(self, key: str, body: bytes) -> bool:
        raise StoreError("S3 is away")


def run(test: Callable[[], Awaitable[None]]) -> None:
    anyio.run(test)


def bucket(store: StateStore) -> Bucket:
    return Bucket(store, "rooms-state", "prod/")


@pytest.mark.parametrize("kind", ["bucket", "folder"])
def test_what_is_kept_is_found_and_read(kind, tmp_path: Path) -> None:
    """By a list of names alone: when, which release, how it ended; newest first, and no more than asked for."""
    shelf = bucket(MemoryStore(now=lambda: 0.0)) if kind == "bucket" else Folder("rooms", tmp_path)

    async def test() -> None:
        assert await history(shelf, 10) == []
        for timeline in (recorded.success(), recorded.aborted(), recorded.rolled_back()):
            later = timeline.model_copy(update={"started_at": timeline.started_at + len(timeline.steps)})
            assert await keep(later, [shelf]) == f"{shelf.where}{name_of(later)}"
        entries = await history(shelf, 2)
        assert len(entries) == 2
        assert entries[0].at > entries[1].at
        assert {entry.ending for entry in await history(shelf, 10)} == {"deployed", "aborted", "rolled back"}
        kept = await read(shelf, entries[0].name)
        assert kept.ending == entries[0].ending

    run(test)


@pytest.mark.parametrize("kind", ["bucket", "folder"])
def test_a_timeline_is_never_written_over(kind, tmp_path: Path) -> None:
    shelf = bucket(MemoryStore(now=lambda: 0.0)) if kind == "bucket" else Folder("rooms", tmp_path)

    async def test() -> None:
        await keep(recorded.success(), [shelf])
        with pytest.raises(ShelfError):
            await keep(recorded.success(), [shelf])

    run(test)


def test_a_store_that_is_away_leaves_the_folder(tmp_path: Path) -> None:
    async def test() -> None:
        shelf = Folder("rooms", tmp_path)
        where = await keep(recorded.success(), [bucket(Away(now=lambda: 0.0)), shelf])
        assert where.startswith(str(tmp_path))
        assert [entry.ending for entry in await history(shelf, 5)] == ["deployed"]

    run(test)


def test_what_is_no_timeline_is_refused_with_its_name(tmp_path: Path) -> None:
    """Of another version, cut off, or somebody else's: it is said which, and what is wrong with it."""

    async def test() -> None:
        shelf = Folder("rooms", tmp_path)
        name = name_of(recorded.success())
        await shelf.create(name, b'{"version": 2}')
        with pytest.raises(ShelfError, match=r"deployed\.json is no timeline: version"):
            await read(shelf, name)
        await shelf.create("notes.txt", b"")
        assert [entry.name for entry in await history(shelf, 5)] == [name]

    run(test)


def test_a_folder_keeps_only_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "MOST_IN_FOLDER", 2)

    async def test() -> None:
        shelf, timeline = Folder("rooms", tmp_path), recorded.success()
        for later in range(4):
            await keep(timeline.model_copy(update={"started_at": timeline.started_at + later}), [shelf])
        entries = await history(shelf, 10)
        assert [entry.at.timestamp() - entries[-1].at.timestamp() for entry in entries] == [1.0, 0.0]

    run(test)
    assert not list(tmp_path.rglob(".part-*"))


def test_a_name_says_all_that_a_history_shows() -> None:
    """And nothing that is not one is taken for one."""
    timeline = recorded.rolled_back()
    entry = entry_of(name_of(timeline))
    assert entry is not None
    assert (entry.release, entry.ending) == (timeline.green, "rolled back")
    assert abs(entry.at.timestamp() - timeline.started_at) < 0.001
    assert entry_of("../../etc/passwd") is None
