"""The SDK's own installer as a way to the engine: what it makes is kept, what it says is passed on."""

import subprocess
from pathlib import Path
from urllib.error import URLError

import pytest

from tools import child
from tools.cache import Unavailable
from tools.engine import sdk_install
from tools.engine.installer import Installer
from tools.engine.versions import Version
from tools.engine.ways import PROGRAMS


@pytest.fixture
def way(tmp_path: Path) -> Installer:
    return Installer(Version(3, 259, 0), tmp_path, tmp_path, lambda _: None)


def test_what_was_installed_is_found_again(way: Installer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The release is installed once; after that it is there."""

    def install(argv: list[str], _heed: child.Heed, *, cwd: Path, seconds: float) -> None:
        bin_dir = Path(argv[-2]) / "bin"
        bin_dir.mkdir(parents=True)
        for name in PROGRAMS:
            (bin_dir / name).touch(mode=0o755)

    monkeypatch.setattr(child, "run", install)
    assert way.find() is None
    assert way.get() == way.find()


def test_a_failed_installation_gives_its_last_words_as_the_reason(
    way: Installer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is what the installer said last, or that it was too slow, and no engine is kept."""

    def fail(*_argv: object, **_options: object) -> None:
        raise child.ChildError("python ended with 1", ["downloading", "error: no such release"])

    monkeypatch.setattr(child, "run", fail)
    with pytest.raises(Unavailable, match=r"^error: no such release$"):
        way.get()
    assert way.find() is None


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (URLError("no route"), "URLError: <urlopen error no route>"),
        (
            subprocess.CalledProcessError(1, ["sh"], output=b"step 1\nerror: disk full\n\n"),
            "error: disk full",
        ),
        (subprocess.CalledProcessError(7, ["sh"]), "Command '['sh']' returned non-zero exit status 7."),
    ],
)
def test_an_error_of_the_installer_is_one_line(error: Exception, line: str) -> None:
    """Whatever goes wrong in the installer is said in one line, its script's own words first."""
    assert sdk_install.describe(error).endswith(line)
