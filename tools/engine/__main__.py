"""Print the engine's bin directory; get the engine first if there is none. See the package's docstring."""

import os
import sys
from pathlib import Path

from tools.cache import Say, choose_root
from tools.child import end_on_sigterm
from tools.engine.go_build import GoBuild
from tools.engine.installer import Installer
from tools.engine.on_path import OnPath
from tools.engine.versions import read_sdk_pin
from tools.engine.ways import NoEngine, Way, provide

_CHECKOUT = Path(__file__).resolve().parents[2]


def list_ways(say: Say) -> list[Way]:
    """List the ways in the order in which they are tried."""
    needed = read_sdk_pin((_CHECKOUT / "requirements.txt").read_text())
    cache = choose_root(os.environ, "engine")
    return [
        OnPath(needed, os.environ.get("PATH", os.defpath)),
        Installer(needed, cache, _CHECKOUT, say),
        GoBuild(needed, cache, Path(__file__).parent, say),
    ]


def main() -> int:
    """Print the directory; exit code 1 if no way works, 130 after Ctrl-C."""
    end_on_sigterm()
    try:
        print(provide(list_ways(_say), _say))
    except NoEngine as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        _say("interrupted; what was compiled so far is kept for the next run")
        return 130
    return 0


def _say(text: str) -> None:
    print(f"engine: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
