"""One Pulumi stack of the checkout's own project, run by the real engine against local Fly and local S3."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from demo.engine import engine_alone
from demo.local import CHECKOUT, Platform
from demo.session import end_session
from demo.stack_config import PROJECT, lead_to, read_dev_config
from tests.engine.backend import new_stack, read_outputs, read_state
from tests.engine.watching import watch

DEADLINE_S = 120
SAVER = Path(__file__).with_name("saver.toml")
"""The catalogue with a small app under the names of the example's images."""


@dataclass
class Stack:
    """A stack of ``project`` in a folder of its own: backend, engine home, a copy of the dev stack's configuration.

    S3 may be others' too: what is saved has a prefix.
    """

    platform: Platform
    folder: Path
    project: Path = CHECKOUT
    config: dict[str, Any] = field(init=False)
    environ: dict[str, str] = field(init=False)
    prefix: str = field(init=False)

    def __post_init__(self) -> None:
        self.config = lead_to(read_dev_config(), self.platform, machines=1, cutover="handoff")
        self.config["state_store"]["prefix"] = self.prefix = f"{uuid.uuid4().hex}/"
        self.file = self.folder / "project" / "stacks" / "Pulumi.test.yaml"
        self.environ = self.platform.environ | engine_alone(self.folder)

    def ask_nothing(self) -> None:
        """What the dev stack asks of the example app, a small one does not know."""
        self.config |= {"tests": [], "rehearsal": None}

    def init(self) -> None:
        """`stack init` writes the stack's file, and knows no --config-file: so not in the checkout."""
        (self.folder / "project").mkdir()
        shutil.copy(self.project / "Pulumi.yaml", self.folder / "project")
        new_stack(self.folder)

    def run(self, *argv: str, **changes: Any) -> subprocess.CompletedProcess[str]:
        """``pulumi …`` with the configuration, changed for good by ``changes``; stdout and stderr together."""
        return self._pulumi(*argv, *self._configured(changes), stderr=subprocess.STDOUT)

    def watch(self, *argv: str, ci: bool = False, **changes: Any) -> subprocess.CompletedProcess[str]:
        """The same in a terminal, each line as often as it is drawn. ``ci``: a terminal that is CI's."""
        command = ["pulumi", *argv, *self._configured(changes)]
        return watch(command, self.project, self.environ, ci=ci)

    def _configured(self, changes: Mapping[str, Any]) -> tuple[str, ...]:
        """Options that name the stack and its file, which is written anew."""
        self.config |= changes
        told = yaml.safe_load(self.file.read_text())
        told["config"] = {
            f"{PROJECT}:{key}": value for key, value in self.config.items() if value is not None
        }
        self.file.write_text(yaml.safe_dump(told))
        return ("--stack", "test", "--config-file", str(self.file))

    def set_secret(self, path: str, value: str) -> None:
        """What a user does: ``pulumi config set --secret --path``."""
        options = ("--secret", "--path", "--stack", "test", "--config-file", str(self.file))
        self._plain("config", "set", *options, path, value)
        key = path.partition(".")[0]
        self.config[key] = yaml.safe_load(self.file.read_text())["config"][f"{PROJECT}:{key}"]

    def up(self, **changes: Any) -> subprocess.CompletedProcess[str]:
        return self.run("up", "--yes", "--skip-preview", **changes)

    def preview(self, **changes: Any) -> subprocess.CompletedProcess[str]:
        return self.run("preview", **changes)

    def outputs(self) -> dict[str, Any]:
        return read_outputs(self.folder)

    def state(self) -> str:
        """The whole state, as it is stored."""
        return json.dumps(read_state(self.folder))

    def _plain(self, *argv: str, cwd: Path | None = None) -> str:
        done = self._pulumi(*argv, cwd=cwd)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _pulumi(
        self, *argv: str, cwd: Path | None = None, stderr: int = subprocess.PIPE
    ) -> subprocess.CompletedProcess[str]:
        """In a session of its own: a provider whose `pulumi` was killed would go on as an orphan."""
        command = ["pulumi", *argv, "--non-interactive"]
        with subprocess.Popen(
            command,
            cwd=cwd or self.project,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                told, complained = process.communicate(timeout=DEADLINE_S)
            finally:
                end_session(process.pid)
        return subprocess.CompletedProcess(command, process.returncode, told, complained)

    def history(self, kind: str, after: int = 0) -> list[dict[str, Any]]:
        """The simulator's records of one kind."""
        records = map(json.loads, self.platform.history.read_text().splitlines())
        return [record for record in records if record["kind"] == kind and record["n"] > after]

    def changes_since(self, after: int) -> list[Mapping[str, Any]]:
        """The requests that could change something, after record ``after``."""
        return [record for record in self.history("request", after) if record["method"] != "GET"]

    def mark(self) -> int:
        """The number of the newest record."""
        return len(self.platform.history.read_text().splitlines())

    def machines(self) -> dict[str, dict[str, Any]]:
        """The last record of each machine that exists, by name."""
        last = {record["name"]: record for record in self.history("machine")}
        return {name: record for name, record in last.items() if record["state"] != "destroyed"}
