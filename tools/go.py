"""Building programs from Go modules that a `go.mod` and its `go.sum` pin."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tools import child
from tools.cache import Unavailable
from tools.progress import Progress

LINK = "-s -w"
# Without cgo the build needs no C compiler, and the programs run wherever they are copied. A workspace and
# GOFLAGS of the user's could change what is built.
ENV = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": ""}


def is_here() -> bool:
    """Whether there is a `go` on PATH."""
    return shutil.which("go") is not None


@dataclass(frozen=True)
class Go:
    """The `go` command inside one module; what it writes on the way goes to `scratch`. `title` begins each line."""

    title: str
    module: Path
    scratch: Path

    def build(self, package: str, bin_dir: Path, link: str = "") -> None:
        """Build one program into `bin_dir`, showing its packages as they are compiled."""
        name = package.rpartition("/")[2]
        flags = ["-trimpath", "-ldflags", f"{LINK} {link}"]
        stale = self._list_stale(package, flags, Progress(f"{self.title}: fetching the sources of {name}"))
        progress = Progress(f"{self.title}: compiling {name}", total=len(stale))

        def heed(line: str) -> None:
            (progress.count if line in stale else progress.look)(line)

        self._run(["build", "-v", *flags, "-o", str(bin_dir / name), package], heed)
        progress.finish()

    def locate(self, module: str) -> Path:
        """Return the directory of a required module in the module cache, downloading it if need be."""
        lines: list[str] = []
        self._run(["mod", "download", "-json", module], lines.append)
        said = "\n".join(line for line in lines if not line.startswith("go: "))
        return Path(json.loads(said)["Dir"])

    def _list_stale(self, package: str, flags: list[str], progress: Progress) -> set[str]:
        """List the packages that a build would compile, fetching their sources first."""
        stale: set[str] = set()

        def heed(line: str) -> None:
            progress.look(line)
            stale.update([line] if line and not line.startswith("go: ") else [])

        shown = "{{if .Stale}}{{.ImportPath}}{{end}}"
        self._run(["list", "-deps", "-f", shown, *flags, package], heed)
        return stale

    def _run(self, arguments: list[str], heed: child.Heed) -> None:
        env = os.environ | ENV | {"GOTMPDIR": str(self.scratch)}
        try:
            child.run(["go", *arguments], heed, cwd=self.module, env=env)
        except child.ChildError as error:
            raise Unavailable("\n     ".join([f"{error}:", *error.lines[-5:]])) from error
