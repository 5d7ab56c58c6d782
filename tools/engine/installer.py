"""The second way: the SDK's own installer, in a process of its own because it knows no deadline."""

import sys
from dataclasses import dataclass
from pathlib import Path

from tools import child
from tools.cache import Say, Slot, Unavailable, name_platform
from tools.engine.versions import Version
from tools.engine.ways import PROGRAMS
from tools.progress import Progress

_DOWNLOAD_SECONDS = 300.0


@dataclass(frozen=True)
class Installer:
    """The official release of exactly the SDK's version. Needs the SDK in the Python that runs this."""

    needed: Version
    cache: Path
    checkout: Path
    say: Say

    title = "the SDK's own installer (pulumi.automation.PulumiCommand.install)"

    def find(self) -> Path | None:
        return self.slot().find()

    def get(self) -> Path:
        return self.slot().fill(self._install, self.say)

    def slot(self) -> Slot:
        return Slot(self.cache, f"{self.needed}-release-{name_platform()}", PROGRAMS)

    def _install(self, directory: Path) -> None:
        argv = [sys.executable, "-m", "tools.engine.sdk_install", str(directory), str(self.needed)]
        progress = Progress("engine: the SDK's installer")
        try:
            child.run(argv, progress.look, cwd=self.checkout, seconds=_DOWNLOAD_SECONDS)
        except child.ChildError as error:
            raise Unavailable(error.lines[-1] if error.lines else str(error)) from error
        progress.finish()
