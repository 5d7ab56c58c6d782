"""The first way: an engine that is on PATH already."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.cache import Unavailable
from tools.engine.versions import Version
from tools.engine.ways import PROGRAMS

_ANSWER_SECONDS = 20.0


@dataclass(frozen=True)
class OnPath:
    """`pulumi` as the shell would find it, with its Python programs beside it or on PATH too."""

    needed: Version
    path: str

    @property
    def title(self) -> str:
        return f"`pulumi` {self.needed} or newer on PATH"

    def find(self) -> Path | None:
        try:
            return self.get()
        except Unavailable:
            return None

    def get(self) -> Path:
        pulumi = shutil.which("pulumi", path=self.path)
        if pulumi is None:
            raise Unavailable("there is no `pulumi` on PATH")
        version = _ask_version(pulumi)
        if not version.serves(self.needed):
            raise Unavailable(f"{pulumi} is {version}")
        return self._whole_dir(Path(pulumi))

    def _whole_dir(self, pulumi: Path) -> Path:
        """Return the directory with all programs; package managers may link only `pulumi` out of it."""
        missing = [name for name in PROGRAMS if shutil.which(name, path=self.path) is None]
        if not missing:
            return pulumi.parent
        beside = pulumi.resolve().parent
        absent = [name for name in missing if not os.access(beside / name, os.X_OK)]
        if absent:
            raise Unavailable(f"{pulumi} has no {absent[0]} beside it or on PATH")
        return beside


def _ask_version(pulumi: str) -> Version:
    env = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        answer = subprocess.run(
            [pulumi, "version"], env=env, capture_output=True, text=True, check=True, timeout=_ANSWER_SECONDS
        )
        return Version.parse(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise Unavailable(f"`{pulumi} version` gives no version: {error}") from error
