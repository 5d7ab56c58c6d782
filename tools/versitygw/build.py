"""The build: once for each change of what is pinned."""

import hashlib
import os
import shutil
from pathlib import Path

from tools import go
from tools.cache import Say, Slot, Unavailable, choose_root, name_platform

PROGRAM = "versitygw"
_PACKAGE = "github.com/versity/versitygw/cmd/versitygw"
_MODULE = Path(__file__).parent
_FIRST_WORDS = "building versitygw once from its Go modules: about 1.5 min on 2 cores"


def provide(say: Say) -> Path:
    """Return the program, built now if need be. Unavailable when there is none and it cannot be built."""
    found = choose_slot().find()
    if found is None and not go.is_here():
        raise Unavailable("there is no `go` on PATH to build versitygw with")
    return (found or choose_slot().fill(lambda directory: _build(directory, say), say)) / PROGRAM


def choose_slot() -> Slot:
    """The place for this recipe: anything that changes what is built changes the key."""
    pins = [(_MODULE / name).read_text() for name in ("go.mod", "go.sum")]
    recipe = repr((_PACKAGE, go.LINK, go.ENV, *pins))
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:10]
    root = choose_root(os.environ, PROGRAM)
    return Slot(root, f"{name_platform()}-{digest}", (PROGRAM,))


def _build(directory: Path, say: Say) -> None:
    say(_FIRST_WORDS)
    bin_dir, scratch = directory / "bin", directory / "scratch"
    bin_dir.mkdir(parents=True)
    scratch.mkdir()
    go.Go(PROGRAM, _MODULE, scratch).build(_PACKAGE, bin_dir)
    shutil.rmtree(scratch)
