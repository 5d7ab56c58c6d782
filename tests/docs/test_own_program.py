"""The README's program where a user would have it: beside copies of what it names, and nothing else of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from demo.local import CHECKOUT
from tests.docs.test_pages import blocks

MOCKS = """\
import pulumi

class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        print(args.typ, args.inputs.get("app"))
        return args.name, args.inputs
    def call(self, args):
        return {}

pulumi.runtime.set_mocks(Mocks(), preview=False)

@pulumi.runtime.test
def registered():
    import program
    return program.app.url

registered()
"""


def python(folder: Path, *argv: str) -> str:
    """What a program prints there, which finds its own folder and what is installed."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("FLY_", "PYTHONPATH"))
    }
    done = subprocess.run(
        [sys.executable, *argv],
        cwd=folder,
        env=environ,
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )
    return done.stdout + done.stderr


def test_the_readmes_program_needs_what_the_readme_says(tmp_path: Path) -> None:
    """`components/` and `providers/` beside it; with `bluegreen/`, the commands know an app by its name."""
    (program,) = (text for page, text in blocks("python") if page.name == "README.md")
    for name in ("components", "providers", "bluegreen"):
        shutil.copytree(CHECKOUT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    said = python(tmp_path, "-c", MOCKS)
    assert "pulumi-python:dynamic/fly:BlueGreenFlyApp my-game\n" in said, said
    assert "FLY_API_TOKEN" in python(tmp_path, "-m", "bluegreen", "status", "--app", "my-game")
    assert "--stack" in python(tmp_path, "-m", "bluegreen", "explain", "--app", "my-game")
