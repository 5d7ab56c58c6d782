"""Where programs that were got or built are kept: outside the checkout, whole or not at all."""

import fcntl
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

Say = Callable[[str], None]


class Unavailable(Exception):
    """This way gives no program; the message says why, in one line."""


def choose_root(env: Mapping[str, str], what: str) -> Path:
    """Return the cache's directory; as the XDG rules have it, a relative XDG_CACHE_HOME does not count."""
    named = Path(env.get("XDG_CACHE_HOME", ""))
    base = named if named.is_absolute() else Path.home() / ".cache"
    return base / "bluegreen-fly" / what


def name_platform() -> str:
    """Name this system and processor, e.g. `linux-x86_64`: machines of several kinds may share a home."""
    return f"{platform.system()}-{platform.machine()}".lower()


@dataclass(frozen=True)
class Slot:
    """The place of programs that belong together: `<root>/<key>/bin`."""

    root: Path
    key: str
    programs: tuple[str, ...]

    def find(self) -> Path | None:
        """Return the bin directory if all programs are in it."""
        bin_dir = self.root / self.key / "bin"
        whole = all(os.access(bin_dir / name, os.X_OK) for name in self.programs)
        return bin_dir if whole else None

    def fill(self, make: Callable[[Path], None], say: Say) -> Path:
        """Have `make(directory)` write the programs, then move them into place at once; returns the bin directory.

        A run that dies on the way leaves a `.part-` directory, which the next one removes. Unavailable if a
        program is missing.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with _hold(self.root / f"{self.key}.lock", say):
            return self.find() or self._make_whole(make)

    def _make_whole(self, make: Callable[[Path], None]) -> Path:
        for left_over in self.root.glob(f"{self.key}.part-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f"{self.key}.part-", dir=self.root) as part:
            made = Slot(Path(part), "made", self.programs)
            make(made.root / made.key)
            if made.find() is None:
                raise Unavailable("what it made lacks some of " + ", ".join(self.programs))
            shutil.rmtree(self.root / self.key, ignore_errors=True)
            (made.root / made.key).rename(self.root / self.key)
        return self.root / self.key / "bin"


@contextmanager
def _hold(lock: Path, say: Say) -> Iterator[None]:
    """Hold a file's lock; the system frees it when the holder dies, however that happens."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is getting the same; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
