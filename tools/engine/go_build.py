"""The third way: build the engine from its published Go modules.

What is built and why from two modules:

- the CLI, its version set when linking: else `pulumi version` is empty and the Automation API refuses it;
- the Python language host out of the last SDK module that held it (v3.79.0): its own module is not published;
- the two scripts beside it out of the module cache, from the SDK module of the CLI's own version.

The old host ignores `runtime.options.virtualenv` and cannot do `pulumi about`, `pulumi install`, policy packs
and packages from source; everything that this project uses works.
"""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from tools import go
from tools.cache import Say, Slot, Unavailable, name_platform
from tools.engine.versions import Version, read_go_pin
from tools.engine.ways import PROGRAMS

CLI_MODULE = "github.com/pulumi/pulumi/pkg/v3"
_CLI = f"{CLI_MODULE}/cmd/pulumi"
_SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
_LANGUAGE_HOST = f"{_SDK_MODULE}/python/cmd/pulumi-language-python"
_VERSION_VARIABLE = f"{_SDK_MODULE}/go/common/version.Version"
_SCRIPTS = ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python")
_PINS = ("cli/go.mod", "cli/go.sum", "language-host/go.mod", "language-host/go.sum")
_RECIPE = repr((_CLI, _LANGUAGE_HOST, _VERSION_VARIABLE, _SCRIPTS, go.LINK, go.ENV))
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
        if not go.is_here():
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
        return Slot(self.cache, f"{self._read_pinned()}-built-{name_platform()}-{digest}", PROGRAMS)

    def _build(self, directory: Path) -> None:
        self.say(_FIRST_WORDS)
        bin_dir, scratch = directory / "bin", directory / "scratch"
        bin_dir.mkdir(parents=True)
        scratch.mkdir()
        cli, host = (go.Go("engine", self.modules / module, scratch) for module in ("cli", "language-host"))
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
