"""`python -m demo.local`: local Fly and S3 on the dev stack's ports, until Ctrl-C."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from demo.local import CHECKOUT, CREDENTIALS, PASSPHRASE, NotReady, Platform, local_platform
from demo.session import end_on_signals
from demo.stack_config import ports_of, read_dev_config

NEXT = """\
  pulumi stack init dev
  pulumi up -s dev                                              # v1
  curl -H 'Host: rooms.fly.dev' {proxy}/version
  pulumi preview -s dev -c image=registry.fly.io/rooms:v2       # the rollout that would run
  pulumi up -s dev -c image=registry.fly.io/rooms:v2            # v2
"""


def main() -> int:
    """Serve until Ctrl-C or SIGTERM; exit code 1 when a part does not start, or ends."""
    end_on_signals()
    with tempfile.TemporaryDirectory(prefix="bluegreen-local-") as scratch:
        try:
            with local_platform(Path(scratch), ports_of(read_dev_config())) as platform:
                print(describe(platform, Path(scratch)), flush=True)
                wait_for_the_end_of_a_child()
        except NotReady as error:
            print(f"{error}; is another `make local` running?", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nlocal Fly and local S3 have ended, and all that they held", file=sys.stderr)
            return 0
    print("a part has ended by itself, so all of it has", file=sys.stderr)
    return 1


def describe(platform: Platform, scratch: Path) -> str:
    """Where the parts are, and what to type into another terminal to use them."""
    state = scratch / "pulumi"
    state.mkdir()
    pulumi = shutil.which("pulumi")
    programs = [CHECKOUT / ".venv" / "bin", *([Path(pulumi).parent] if pulumi else [])]
    exports = CREDENTIALS | {"PULUMI_BACKEND_URL": f"file://{state}", "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE}
    return "\n".join(
        [
            f"Machines API  {platform.api_url}/v1",
            f"proxy         {platform.proxy_url}  (Host: rooms.fly.dev)",
            f"S3            {platform.s3_url}",
            f"history       {platform.history}",
            "\nIn another terminal, in the checkout; the stack's state ends with this command:\n",
            f'  export PATH="{os.pathsep.join(map(str, programs))}:$PATH"',
            *(f"  export {name}={shlex.quote(value)}" for name, value in exports.items()),
            NEXT.format(proxy=platform.proxy_url),
            "Ctrl-C ends it all.",
        ]
    )


def wait_for_the_end_of_a_child() -> None:
    """Return when any child has ended by itself; leave it to its owner to reap it."""
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)


if __name__ == "__main__":
    sys.exit(main())
