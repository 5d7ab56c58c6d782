"""The virtual environment: `python -m tools.venv` makes .venv from requirements-dev.txt, if need be.

Current means: made here from this lock file, and its Python still works. The mark that says so is written
last, so an environment whose making was cut short is made anew.
"""

import fcntl
import hashlib
import importlib.util
import os
import re
import sys
from pathlib import Path

from tools import child
from tools.progress import Progress

_CHECKOUT = Path(__file__).resolve().parents[1]
_PIP = (
    "-m",
    "pip",
    "install",
    "--require-hashes",
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar=off",
)
_PINNED = re.compile(r"^[a-zA-Z0-9][^ ]*==", re.MULTILINE)
_PIP_COUNTED = ("Collecting ", "Ignoring ")
_NO_ENSUREPIP = (
    "This Python ({python}) cannot make virtual environments with pip: its ensurepip module is missing.\n"
    "On Debian and Ubuntu: apt-get install python3-venv. Or name another one: make PYTHON3=/path/to/python3 …"
)


class Refused(Exception):
    """The environment cannot be made; the message says what to do."""


def ensure(directory: Path, lock_file: Path) -> None:
    """Make the environment in `directory` current. Two runs at a time: the second waits for the first."""
    with lock_file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        requirements = held.read()
        if not is_current(directory, requirements):
            _make(directory, lock_file, requirements)
            _mark_path(directory).write_text(describe(directory, requirements))


def is_current(directory: Path, requirements: str) -> bool:
    """Whether `directory` holds a whole environment for this lock file's text."""
    mark, python = _mark_path(directory), directory / "bin" / "python"
    return (
        mark.exists() and os.access(python, os.X_OK) and mark.read_text() == describe(directory, requirements)
    )


def describe(directory: Path, requirements: str) -> str:
    """Describe an environment: where it is (it cannot be moved), of which Python, from which lock file."""
    digest = hashlib.sha256(requirements.encode()).hexdigest()
    return f"{directory}\n{(directory / 'bin' / 'python').resolve()}\n{digest}\n"


def _mark_path(directory: Path) -> Path:
    return directory / "current"


def _make(directory: Path, lock_file: Path, requirements: str) -> None:
    if directory.is_symlink():  # `venv --clear` follows it, and empties an environment that others use
        raise Refused(
            f"{directory} is a link to {directory.resolve()}, which is not this checkout's; remove the link"
        )
    if importlib.util.find_spec("ensurepip") is None:
        raise Refused(_NO_ENSUREPIP.format(python=sys.executable))
    progress = Progress(f"{directory.name}: installing", total=len(_PINNED.findall(requirements)))

    def heed(line: str) -> None:
        (progress.count if line.startswith(_PIP_COUNTED) else progress.look)(line)

    child.run([sys.executable, "-m", "venv", "--clear", str(directory)], heed, cwd=lock_file.parent)
    python = str(directory / "bin" / "python")
    child.run([python, *_PIP, "-r", str(lock_file)], heed, cwd=lock_file.parent)
    progress.finish()


def main() -> int:
    """Make the environment current; exit code 1 with the reason if it cannot be, 130 after Ctrl-C."""
    child.end_on_sigterm()
    try:
        ensure(_CHECKOUT / ".venv", _CHECKOUT / "requirements-dev.txt")
    except Refused as error:
        print(error, file=sys.stderr)
        return 1
    except child.ChildError as error:
        print("\n".join([*error.lines, f".venv could not be made: {error}"]), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
