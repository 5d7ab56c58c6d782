"""The third way: build the engine from its published Go modules.

What is built and why from two modules:

- the CLI, its version set when linking: else `pulumi version` is empty and the Automation API refuses it;
- the Python language host out of the last SDK module that held it (v3.79.0): its own module is not published;
- the two scripts beside it out of the module cache, from the SDK module of the CLI's own version.

The old host ignores `runtime.options.virtualenv` and cannot do `pulumi about`, `pulumi install`, policy packs
and packages from source; everything that this project uses works.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tools import child
from tools.engine.cache import Slot, name_platform
from tools.engine.versions import Version, read_go_pin
from tools.engine.ways import Say, Unavailable
from tools.progress import Progress

CLI_MODULE = "github.com/pulumi/pulumi/pkg/v3"
_CLI = f"{CLI_MODULE}/cmd/pulumi"
_SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
_LANGUAGE_HOST = f"{_SDK_MODULE}/python/cmd/pulumi-language-python"
_VERSION_VARIABLE = f"{_SDK_MODULE}/go/common/version.Version"
_SCRIPTS = ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python")
_LINK = "-s -w"
# Without cgo the build needs no C compiler, and the programs run wherever they are copied. A workspace and
# GOFLAGS of the user's could change what is built.
_ENV = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": ""}
_PINS = ("cli/go.mod", "cli/go.sum", "language-host/go.mod", "language-host/go.sum")
_RECIPE = repr((_CLI, _LANGUAGE_HOST, _VERSION_VARIABLE, _SCRIPTS, _LINK, _ENV))
_FIRST_WORDS = (
    "building the engine once from its Go modules: about 5 min on 2 cores, and 3.5 GB in Go's own caches "
    "(`go clean -cache -modcache` gives them back afterwards)"
)


@dataclass(frozen=True)
class GoBuild:
    """The engine that the go.mod files in `modules` pin."""

    needed: Version
    cache: Path
    modules: Path
    say: Say

    title = "a build from the engine's Go modules"

    def find(self) -> Path | None:
        return self.slot().find()

    def get(self) -> Path:
        if shutil.which("go") is None:
            raise Unavailable("there is no `go` on PATH")
        pinned = self._read_pinned()
        if not pinned.serves(self.needed):
            raise Unavailable(f"the pinned modules make {pinned}, the SDK needs {self.needed}")
        return self.slot().fill(self._build, self.say)

    def _read_pinned(self) -> Version:
        return read_go_pin((self.modules / "cli" / "go.mod").read_text(), CLI_MODULE)

    def slot(self) -> Slot:
        """The place for this recipe: anything that changes what is built changes the key."""
        pins = [(self.modules / name).read_text() for name in _PINS]
        digest = hashlib.sha256("\0".join([_RECIPE, *pins]).encode()).hexdigest()[:10]
        return Slot(self.cache, f"{self._read_pinned()}-built-{name_platform()}-{digest}")

    def _build(self, directory: Path) -> None:
        self.say(_FIRST_WORDS)
        bin_dir, scratch = directory / "bin", directory / "scratch"
        bin_dir.mkdir(parents=True)
        scratch.mkdir()
        cli, host = Go(self.modules / "cli", scratch), Go(self.modules / "language-host", scratch)
        cli.build(_CLI, bin_dir, f"-X {_VERSION_VARIABLE}=v{self._read_pinned()}")
        host.build(_LANGUAGE_HOST, bin_dir)
        sdk = cli.locate(_SDK_MODULE)
        for script in _SCRIPTS:
            _copy_program(sdk / script, bin_dir)
        shutil.rmtree(scratch)


def _copy_program(source: Path, bin_dir: Path) -> None:
    # Files in the module cache are read-only and not executable.
    target = bin_dir / source.name
    shutil.copyfile(source, target)
    target.chmod(0o755)


@dataclass(frozen=True)
class Go:
    """The `go` command inside one module; what it writes on the way goes to `scratch`."""

    module: Path
    scratch: Path

    def build(self, package: str, bin_dir: Path, link: str = "") -> None:
        """Build one program into `bin_dir`, showing its packages as they are compiled."""
        name = package.rpartition("/")[2]
        flags = ["-trimpath", "-ldflags", f"{_LINK} {link}"]
        stale = self._list_stale(package, flags, Progress(f"engine: fetching the sources of {name}"))
        progress = Progress(f"engine: compiling {name}", total=len(stale))

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
        env = os.environ | _ENV | {"GOTMPDIR": str(self.scratch)}
        try:
            child.run(["go", *arguments], heed, cwd=self.module, env=env)
        except child.ChildError as error:
            raise Unavailable("\n     ".join([f"{error}:", *error.lines[-5:]])) from error
