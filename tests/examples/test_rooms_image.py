"""The example's image, as far as it can be looked at without Docker: what is copied suffices, and obeys."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.build import _ignored, _sent
from tests.examples.machines import CHECKOUT

SOURCE = CHECKOUT / "examples" / "rooms"
LINES = [
    line.partition(" ")
    for line in (SOURCE / "Dockerfile").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
PINNED = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def said(instruction: str) -> list[str]:
    """The arguments of each line with this instruction."""
    return [arguments for name, _, arguments in LINES if name == instruction]


def pins(path: Path) -> dict[str, str]:
    return dict(PINNED.findall(path.read_text(encoding="utf-8")))


def copied(image: Path) -> None:
    """Do the COPY lines, below the working directory."""
    workdir = image / said("WORKDIR")[0].lstrip("/")
    for arguments in said("COPY"):
        *patterns, target = arguments.split()
        (workdir / target).mkdir(parents=True, exist_ok=True)
        for path in (path for pattern in patterns for path in SOURCE.glob(pattern)):
            shutil.copy(path, workdir / target)


def installed(packages: Path) -> None:
    """What the image's requirements name, and nothing else that is installed here."""
    packages.mkdir()
    for name in pins(SOURCE / "requirements.txt"):
        found = distribution(name)
        tops = {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            (packages / top).symlink_to(str(found.locate_file(top)))


def first_words(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Where it listens; what it says instead, where it does not."""
    assert process.stdout
    lines: list[str] = []
    for line in process.stdout:
        if '"listening"' in line:
            return dict(json.loads(line))
        lines.append(line)
    raise AssertionError("".join(lines))


@contextmanager
def container(folder: Path, **env: str) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """The image's process on free ports, without the checkout or its packages in reach."""
    copied(folder)
    installed(folder / "packages")
    argv = json.loads(said("ENTRYPOINT")[0])
    assert argv.pop(0) == "python"
    with subprocess.Popen(
        [sys.executable, "-S", *argv, "--port", "0", "--private-port", "0"],
        cwd=folder / said("WORKDIR")[0].lstrip("/"),
        env={"PYTHONPATH": str(folder / "packages"), "PATH": os.defpath, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            listening = first_words(process)
            yield process, listening["port"], listening["private_port"]
        finally:
            process.kill()


def test_the_image_is_pinned_runs_as_nobody_and_gets_its_signals() -> None:
    """A base tag with its patch version, hashes of all that is installed, no root, and no shell before the app."""
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+", said("FROM")[0])
    assert "--require-hashes" in said("RUN")[0]
    user, _, group = said("USER")[0].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert json.loads(said("ENTRYPOINT")[0])[:3] == ["python", "-m", "examples.rooms"]
    assert said("CMD") == []


def test_the_image_has_the_versions_that_are_tested_here() -> None:
    """No package at another version than in the environment of these tests: `make lock` writes both."""
    image, tested = pins(SOURCE / "requirements.txt"), pins(CHECKOUT / "requirements-dev.txt")
    assert {"boto3", "websockets"} <= image.keys()
    assert image.items() <= tested.items()


def test_docker_is_sent_what_is_copied_and_nothing_else() -> None:
    """Or the image would be built, and rolled out, anew for a file that is not in it."""
    sent = {path for path in _sent(SOURCE, _ignored(SOURCE, "Dockerfile")) if (SOURCE / path).is_file()}
    patterns = [pattern for arguments in said("COPY") for pattern in arguments.split()[:-1]]
    assert sent == {path.name for pattern in patterns for path in SOURCE.glob(pattern)}
    assert {"__main__.py", "requirements.txt"} <= sent


def test_what_is_copied_starts_answers_on_both_families_and_ends_on_sigterm(tmp_path: Path) -> None:
    """Fly's proxy comes over IPv4 and the deployer's tunnel over IPv6; `/version` names the machine."""
    with container(tmp_path, FLY_MACHINE_ID="148e21ea7d5e38") as (process, public, private):
        for host in ("127.0.0.1", "[::1]"):
            answers = httpx.get(f"http://{host}:{public}/version", trust_env=False).json()
            assert answers["machine_id"] == "148e21ea7d5e38"
            assert httpx.get(f"http://{host}:{public}/health", trust_env=False).status_code == 200
            drain = httpx.get(f"http://{host}:{private}/drain", trust_env=False).json()
            assert drain["state"] == "serving"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_package_that_is_left_out_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: nothing comes from the environment of these tests."""
    here = dict(pins(SOURCE / "requirements.txt"))
    monkeypatch.setattr(f"{__name__}.pins", lambda _: {k: v for k, v in here.items() if k != "websockets"})
    with pytest.raises(AssertionError, match="No module named 'websockets'"), container(tmp_path):
        pytest.fail("it has started")
