"""Finding it, or having the system install it once."""

import os
import shutil
from pathlib import Path

from tools import child
from tools.cache import Say, Unavailable

PROGRAMS = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
_PACKAGE = "chromium-headless-shell"
_INSTALL = ["apt-get", "install", "--yes", "--no-install-recommends", _PACKAGE]
_FIRST_WORDS = "installing a headless Chromium once, from the system's packages: about 20 s"
_SECONDS = 300


def find() -> Path | None:
    """The browser on PATH, if there is one."""
    found = (shutil.which(name) for name in PROGRAMS)
    return next((Path(path) for path in found if path), None)


def provide(say: Say) -> Path:
    """The browser, installed now if need be. Unavailable, in one line, where that cannot be done."""
    found = find()
    if found:
        return found
    if not shutil.which("apt-get") or os.geteuid():
        raise Unavailable(
            f"none of {', '.join(PROGRAMS)} is on PATH, and only root can have apt-get install one"
        )
    say(_FIRST_WORDS)
    # An old list names versions that are gone: it is fetched anew first.
    for argv in (["apt-get", "update"], _INSTALL):
        try:
            child.run(argv, lambda line: None, cwd=Path("/"), env=_environ(), seconds=_SECONDS)
        except child.ChildError as error:
            raise Unavailable("; ".join([str(error), *error.lines[-1:]])) from error
    found = find()
    if found is None:
        raise Unavailable(f"{_PACKAGE} was installed, and is not on PATH")
    return found


def _environ() -> dict[str, str]:
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
