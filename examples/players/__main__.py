"""python -m examples.players --url http://127.0.0.1:PORT --host-header rooms.fly.dev --seconds 20"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys

from examples.players import Audit, Players, RoomsUnread, audit, read_rooms

PROGRESS_SECONDS = 1.0


def main() -> int:
    """Exit 0 when every promise was kept, 1 when one was broken, 2 when the rooms could not be read."""
    try:
        result = asyncio.run(play(read_arguments()))
    except RoomsUnread as error:
        print(f"not known: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result.to_json(), indent=2))
    return 0 if result.passed else 1


def read_arguments() -> argparse.Namespace:
    """Where to play, with how many players, for how long."""
    parser = argparse.ArgumentParser(
        prog="examples.players", description="Edit shared rooms, then audit them."
    )
    parser.add_argument("--url", required=True, help="the proxy, like http://127.0.0.1:8000")
    parser.add_argument("--host-header", default="rooms.fly.dev", help="the app to ask for (%(default)s)")
    parser.add_argument("--players", type=int, default=50, help="(%(default)s)")
    parser.add_argument("--rooms", type=int, default=12, help="(%(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=20, help="how long; Ctrl-C ends it earlier (%(default)s)"
    )
    parser.add_argument("--rate", type=float, default=5, help="edits a second and player (%(default)s)")
    parser.add_argument("--edges", default="", help="regions that the players come from, like ams,iad")
    return parser.parse_args()


async def play(arguments: argparse.Namespace) -> Audit:
    """Play, stop, read the rooms, and judge."""
    players = Players(
        arguments.url,
        arguments.host_header,
        arguments.players,
        arguments.rooms,
        edges=arguments.edges.split(","),
        edits_per_second=arguments.rate,
    )
    async with players:
        await show_progress(players, arguments.seconds)
        log = await players.stop()
    return audit(log, await read_rooms(players.url, players.host, players.rooms))


async def show_progress(players: Players, seconds: float) -> None:
    """One line a second on stderr, until the time is over or Ctrl-C."""
    enough = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, enough.set)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not await happened(enough, PROGRESS_SECONDS):
                now = players.counters
                print(
                    f"{now.connected} connected, {now.acked} acknowledged, {now.unacked} waiting, "
                    f"{now.reconnects} reconnects",
                    file=sys.stderr,
                )


async def happened(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event, at most so long; whether it happened."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()


if __name__ == "__main__":
    sys.exit(main())
