"""python -m examples.rooms --host 127.0.0.1 --port 8080"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import time

from examples.rooms.log import say, start_log
from examples.rooms.server import run
from examples.rooms.settings import Settings


def main() -> int:
    """Exit 0 when everything was saved, 1 when another owner came before, 2 when it cannot be started like this."""
    started_at = time.time()
    arguments = read_arguments()
    try:
        settings = Settings.from_env(os.environ, started_at)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    start_log()
    try:
        saved = asyncio.run(run(settings, arguments.host, arguments.port, arguments.private_port))
    except OSError as error:
        print(f"cannot listen on {arguments.host}: {error}", file=sys.stderr)
        return 2
    say("stopped", saved=saved)
    # The interpreter's last garbage collection walks all of boto3: 0.2 s of the handoff window, 0.02 s so.
    gc.freeze()
    return 0 if saved else 1


def read_arguments() -> argparse.Namespace:
    """The addresses to listen on."""
    parser = argparse.ArgumentParser(
        prog="examples.rooms", description="Multiplayer rooms, one machine of them."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one (%(default)s)")
    parser.add_argument(
        "--private-port",
        type=int,
        default=8081,
        help="for the deployer alone; 0 takes a free one (%(default)s)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
