"""The engine's own files of a stack, in the folder that is its backend: a new stack is copied, its state is read.

`pulumi stack init`, `export` and `output` say the same; each takes 0.3 to 0.5 CPU-s, and there would be ninety of them.
"""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from demo.engine import engine_alone

STACK = "test"


def new_stack(folder: Path) -> None:
    """What `pulumi stack init` does in ``folder / "project"``, with the backend in ``folder``."""
    for name, content in _initialized((folder / "project" / "Pulumi.yaml").read_text()).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


@cache
def _initialized(project_file: str) -> dict[str, bytes]:
    """The files that it makes for such a project, by their names: made once in a process."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "project" / "stacks").mkdir(parents=True)
        (folder / "project" / "Pulumi.yaml").write_text(project_file)
        command = ["pulumi", "stack", "init", STACK, "--non-interactive"]
        environ = os.environ | engine_alone(folder)
        subprocess.run(command, cwd=folder / "project", env=environ, check=True, capture_output=True)
        made = (*folder.rglob(f"Pulumi.{STACK}.yaml"), *folder.glob(".pulumi/**/*"))
        return {str(file.relative_to(folder)): file.read_bytes() for file in made if file.is_file()}


def read_state(folder: Path) -> dict[str, Any]:
    """As `pulumi stack export` shows it, secrets encrypted."""
    (file,) = folder.glob(f".pulumi/stacks/*/{STACK}.json")
    told = json.loads(file.read_text())
    return {"version": told["version"], "deployment": told["checkpoint"]["latest"]}


def read_outputs(folder: Path) -> dict[str, Any]:
    """The stack's outputs; an encrypted one as it is stored."""
    resources = read_state(folder)["deployment"]["resources"]
    found: dict[str, Any] = next(one for one in resources if one["type"] == "pulumi:pulumi:Stack")["outputs"]
    return found
