"""What the demo's programs share: their sizes as options, one telling on parts of its own, and how they end."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import anyio

from demo.local import NotReady, local_platform
from demo.screen import Screen
from demo.stack import PulumiFailed
from demo.story import NotReached, Options, Story
from demo.timeline import Timeline, build
from examples.players import RoomsUnread

NOT_RUN, INTERRUPTED = 2, 130


def add_sizes(parser: argparse.ArgumentParser, *, out: Path) -> None:
    """`--players`, `--machines` and `--out`."""
    add = parser.add_argument
    add("--players", type=read_count, default=50, metavar="N", help="how many edit (%(default)s)")
    add("--machines", type=read_count, default=2, metavar="N", help="in each of two regions (%(default)s)")
    add("--out", type=Path, default=out, metavar="FOLDER", help="where picture and data go (%(default)s)")


def read_count(text: str) -> int:
    """A whole number above 0."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def play(options: Options, screen: Screen) -> Timeline:
    """Run the parts, and the story on them; when this returns, or fails, all of them have ended."""
    with tempfile.TemporaryDirectory(prefix="bluegreen-demo-") as scratch:
        folder = Path(scratch)
        screen.heading("local Fly and local S3 start")
        with local_platform(folder) as platform:
            screen.line(
                f"  Machines API {platform.api_url}, proxy {platform.proxy_url}, S3 {platform.s3_url}"
            )
            return build(anyio.run(Story(options, platform, folder, screen).tell))


def guard(work: Callable[[], int]) -> int:
    """The exit code of `work`; NOT_RUN when a part of the demo fails, and INTERRUPTED after Ctrl-C."""
    code = NOT_RUN
    try:
        return work()
    except* KeyboardInterrupt:
        print("\ninterrupted; everything that was started has ended", file=sys.stderr)
        code = INTERRUPTED
    except* (NotReady, NotReached, PulumiFailed, RoomsUnread, OSError) as failures:
        for failure in flatten(failures):
            print(f"the demo could not go on: {failure}", file=sys.stderr)
    return code


def flatten(failures: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The exceptions in a group, and in the groups in it."""
    found: list[BaseException] = []
    for failure in failures.exceptions:
        found += flatten(failure) if isinstance(failure, BaseExceptionGroup) else [failure]
    return found
