"""The installer's own process: `python -m tools.engine.sdk_install DIRECTORY VERSION`."""

import socket
import subprocess
import sys

from pulumi.automation import PulumiCommand
from semver import VersionInfo

_CONNECT_SECONDS = 10.0


def main(directory: str, version: str) -> int:
    """Install that version into `directory`; a failure is one line and exit code 1."""
    # The SDK opens its download without a timeout; where packets are dropped, that would hang for minutes.
    socket.setdefaulttimeout(_CONNECT_SECONDS)
    try:
        PulumiCommand.install(root=directory, version=VersionInfo.parse(version))
    except Exception as error:  # noqa: BLE001  the installer's errors have no common base, and each means: not this way
        print(describe(error))
        return 1
    return 0


def describe(error: Exception) -> str:
    """Say in one line why the installation failed; a script's own last words tell more than its exit code."""
    output = error.output if isinstance(error, subprocess.CalledProcessError) else b""
    said = (output or b"").decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(said) if line.strip()), f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
