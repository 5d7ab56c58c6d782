"""Getting versitygw: built once from pinned modules, and a clear word where it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.cache import Unavailable
from tools.versitygw.build import PROGRAM, choose_slot, provide


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache and a PATH of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "cache"


def write_program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_without_go_it_says_so(cache: Path) -> None:
    """Where there is no `go`, that is the reason, and nothing was tried."""
    with pytest.raises(Unavailable, match="no `go` on PATH"):
        provide(print)
    assert not cache.exists()


def test_what_was_built_is_used_without_go(cache: Path) -> None:
    """The cache is enough: no network, no compiler."""
    slot = choose_slot()
    assert slot.root == cache / "bluegreen-fly" / PROGRAM
    program = write_program(slot.root / slot.key / "bin" / PROGRAM, "exit 0")
    assert provide(print) == program


def test_a_build_that_fails_is_an_error_with_its_reason(tmp_path: Path) -> None:
    """The compiler's last words are told, and nothing is kept."""
    write_program(tmp_path / "bin" / "go", "echo no space left on device; exit 1")
    with pytest.raises(Unavailable, match="no space left on device"):
        provide(lambda _: None)
    assert choose_slot().find() is None
