"""The virtual environment: when it is made anew, and when it is left alone."""

import importlib.util
from pathlib import Path

import pytest

from tools import child, venv

LOCK = "anyio==4.0.0 \\\n    --hash=sha256:00\n"


class FakePrograms:
    """Stands for `python -m venv` and pip: makes the files they would, or fails at the one it is told to."""

    def __init__(self, fails_at: str = "") -> None:
        self.fails_at = fails_at
        self.ran: list[str] = []

    def run(self, argv: list[str], _heed: child.Heed, *, cwd: Path) -> None:
        name = argv[2]
        self.ran.append(name)
        if name == self.fails_at:
            raise child.ChildError(f"{name} failed")
        if name == "venv":
            write_python(cwd / ".venv")


def write_python(directory: Path) -> Path:
    python = directory / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.touch(mode=0o755)
    return python


@pytest.fixture
def lock_file(tmp_path: Path) -> Path:
    path = tmp_path / "requirements-dev.txt"
    path.write_text(LOCK)
    return path


def make(lock_file: Path, monkeypatch: pytest.MonkeyPatch, fails_at: str = "") -> list[str]:
    """Make the environment current with fake programs, and return which of them ran."""
    programs = FakePrograms(fails_at)
    monkeypatch.setattr(child, "run", programs.run)
    venv.ensure(lock_file.parent / ".venv", lock_file)
    return programs.ran


def test_a_current_environment_is_left_alone(lock_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run makes nothing."""
    assert make(lock_file, monkeypatch) == ["venv", "pip"]
    assert make(lock_file, monkeypatch) == []


def test_a_changed_lock_file_makes_it_anew(lock_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New pins mean a new environment."""
    make(lock_file, monkeypatch)
    lock_file.write_text(LOCK.replace("4.0.0", "4.0.1"))
    assert make(lock_file, monkeypatch) == ["venv", "pip"]


def test_a_half_made_environment_is_made_anew(lock_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When pip failed or was cut short, the next run starts over."""
    with pytest.raises(child.ChildError):
        make(lock_file, monkeypatch, fails_at="pip")
    assert make(lock_file, monkeypatch) == ["venv", "pip"]


def test_an_environment_whose_python_is_gone_is_made_anew(
    lock_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the system's Python was replaced under it, the environment is not trusted."""
    make(lock_file, monkeypatch)
    python = lock_file.parent / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("python-that-was-removed")
    assert make(lock_file, monkeypatch) == ["venv", "pip"]


def test_a_python_without_pip_is_refused_with_the_way_out(
    lock_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's bare Python is named, with the package that is missing and the other way out."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(venv.Refused, match=r"python3-venv.* PYTHON3="):
        make(lock_file, monkeypatch)


def test_an_environment_that_is_a_link_is_refused_and_left_as_it_is(
    lock_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`venv --clear` would follow it, and empty an environment that others use."""
    shared = lock_file.parent / "shared"
    python = write_python(shared)
    (lock_file.parent / ".venv").symlink_to(shared)
    with pytest.raises(venv.Refused, match=r"is a link to .*shared"):
        make(lock_file, monkeypatch)
    assert python.exists()
