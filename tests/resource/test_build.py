"""The image's build: what counts as its source, and what the command does, with a stand-in for Docker."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pulumi
import pytest

pytest.importorskip("pulumi_command")

from components.build import SCRIPT, source_hash
from components.schema import Build
from demo.local import CHECKOUT

DIGEST = "sha256:" + "cd" * 32
DOCKER = f"""#!/bin/sh
# Knows what was pushed by a file, and writes down each of its arguments.
printf '%s\\n' "$@" >> "$PUSHED.argv"
case "$*" in
  *'imagetools inspect'*) test -e "$PUSHED" && echo {DIGEST} ;;
  *'buildx build'*) echo 'step 1 of 9'; test -z "$FAILS" && touch "$PUSHED" ;;
esac
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A context with a Dockerfile, a program and something that Docker is not sent."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "app"
    (folder / "logs").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "server.py").write_text("print('v1')\n")
    (folder / ".dockerignore").write_text("# noise\nlogs\n**/*.tmp\n!keep.tmp\n")
    return folder


BUILD = Build(image="registry.fly.io/my-game", context="app")


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda folder: (folder / "server.py").write_text("print('v2')\n"), True),
        (lambda folder: (folder / "new.py").write_text(""), True),
        (lambda folder: (folder / "server.py").rename(folder / "other.py"), True),
        (lambda folder: (folder / "server.py").chmod(0o755), True),
        (lambda folder: (folder / "link").symlink_to("server.py"), True),
        (lambda folder: (folder / "Dockerfile").write_text("FROM scratch AS new\n"), True),
        (lambda folder: (folder / "keep.tmp").write_text("kept"), True),
        (lambda folder: (folder / "logs" / "today").write_text("noise"), False),
        (lambda folder: (folder / "cache.tmp").write_text("noise"), False),
        (lambda folder: os.utime(folder / "server.py", (1, 1)), False),
    ],
)
def test_the_hash_changes_with_what_docker_would_send(
    source: Path, change: Callable[[Path], object], differs: bool
) -> None:
    """Content, names, links and who may execute count; times and what .dockerignore names do not."""
    before = source_hash(BUILD)
    change(source)
    assert (source_hash(BUILD) != before) == differs


@pytest.mark.parametrize(
    ("path", "differs"), [("server.py", True), ("logs/server.py", False), ("__pycache__/server.pyc", False)]
)
def test_a_list_of_what_is_sent_ignores_all_else_at_any_depth(source: Path, path: str, differs: bool) -> None:
    """`*` names what is below folders, too; an exception is of the context's own files alone."""
    (source / ".dockerignore").write_text("*\n!*.py\n")
    (source / path).parent.mkdir(exist_ok=True)
    before = source_hash(BUILD)
    (source / path).write_text("print('v2')\n")
    assert (source_hash(BUILD) != before) == differs


def test_the_hash_is_the_same_in_another_checkout(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop and CI plan the same: no path of the machine is in it."""
    before = source_hash(BUILD)
    elsewhere = source.parent / "elsewhere"
    elsewhere.mkdir()
    shutil.copytree(source, elsewhere / "app")
    monkeypatch.chdir(elsewhere)
    assert source_hash(BUILD) == before


def test_without_a_dockerfile_nothing_is_built(source: Path) -> None:
    """The message names the file that was looked for."""
    with pytest.raises(pulumi.RunError, match=r"there is no app/Dockerfile\.prod"):
        source_hash(BUILD.model_copy(update={"dockerfile": "Dockerfile.prod"}))


def run(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command, as pulumi-command runs it, with the stand-in first on PATH."""
    docker = folder / "bin" / "docker"
    docker.parent.mkdir(exist_ok=True)
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    environment = {
        "PATH": f"{docker.parent}:{os.environ['PATH']}",
        "PUSHED": str(folder / "pushed"),
        "FAILS": "",
        "BLUEGREEN_IMAGE": "localhost:5000/my-game:src-0123",
        "BLUEGREEN_DOCKERFILE": "Dockerfile",
        "BLUEGREEN_PLATFORM": "linux/amd64",
    }
    argv = ["/bin/sh", "-c", SCRIPT]
    return subprocess.run(
        argv, cwd=folder, env=environment | variables, text=True, capture_output=True, check=False
    )


def test_the_command_builds_pushes_and_prints_the_digest_alone(tmp_path: Path) -> None:
    """What Docker says goes to stderr: stdout is the image. Once pushed, the same source is not built again."""
    first = run(tmp_path)
    assert (first.returncode, first.stdout) == (0, f"localhost:5000/my-game@{DIGEST}")
    assert "step 1 of 9" in first.stderr
    again = run(tmp_path)
    assert (again.stdout, "step 1" in again.stderr) == (first.stdout, False)


def test_a_failed_build_fails_and_names_no_image(tmp_path: Path) -> None:
    """Nothing is deployed then."""
    failed = run(tmp_path, FAILS="yes")
    assert failed.returncode != 0
    assert failed.stdout == ""


def test_no_value_is_read_by_the_shell(tmp_path: Path) -> None:
    """A Dockerfile with a hostile name is an argument, and nothing else."""
    hostile = "Docker file; touch owned; $(touch owned)"
    assert run(tmp_path, BLUEGREEN_DOCKERFILE=hostile).returncode == 0
    assert hostile in (tmp_path / "pushed.argv").read_text().splitlines()
    assert not (tmp_path / "owned").exists()


@pytest.mark.skipif(
    not shutil.which("pulumi-resource-command"), reason="the plugin of pulumi-command is not on PATH"
)
def test_the_real_plugin_runs_the_command(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the engine, the plugin, and the stand-in for Docker: the output is the pinned image."""
    program = f"""
import sys; sys.path.insert(0, {str(CHECKOUT)!r})
import pulumi
from components.build import build_image
from components.schema import Build
pulumi.export("image", build_image("app", Build(image="localhost:5000/my-game", context="app"), None))
"""
    (source.parent / "__main__.py").write_text(program)
    (source.parent / "Pulumi.yaml").write_text("name: build\nruntime: python\n")
    run(source)  # writes the stand-in
    monkeypatch.setenv("PATH", f"{source / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("PUSHED", str(source.parent / "pushed"))
    monkeypatch.setenv("FAILS", "")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{source.parent}")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "opens-the-state")
    for argv in (["stack", "init", "test"], ["up", "--yes", "--skip-preview"]):
        subprocess.run(["pulumi", *argv, "--non-interactive"], cwd=source.parent, check=True, timeout=120)
    told = subprocess.run(
        ["pulumi", "stack", "output", "image"], cwd=source.parent, check=True, capture_output=True, text=True
    )
    assert told.stdout.strip() == f"localhost:5000/my-game@{DIGEST}"
