"""The command line: `python -m demo`, or `make demo`, which sets up what it needs."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import anyio

from demo import results, summary
from demo.local import NotReady, local_platform
from demo.screen import Screen
from demo.session import end_on_signals
from demo.stack import PulumiFailed
from demo.story import NotReached, Options, Story
from demo.timeline import Evidence, Timeline, build
from examples.players import RoomsUnread

EPILOG = """\
exit codes: 0 every promise was kept, 1 an acknowledged edit is missing or doubled or a room had two owners,
2 the demo could not be run, 130 after Ctrl-C"""


def main() -> int:
    """Tell the story, write the picture and the data, and judge."""
    options = build_parser().parse_args()
    end_on_signals()
    screen = Screen()
    code = 2
    try:
        timeline = build(play(Options(options.players, options.machines, options.cutover), screen))
        show(timeline, results.write(options.out, timeline), screen)
        return 0 if timeline.verdict.passed else 1
    except* KeyboardInterrupt:
        print("\ninterrupted; everything that was started has ended", file=sys.stderr)
        code = 130
    except* (NotReady, NotReached, PulumiFailed, RoomsUnread, OSError) as failures:
        for failure in flatten(failures):
            print(f"the demo could not go on: {failure}", file=sys.stderr)
    return code


def build_parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="Deploy v1 of a multiplayer app, then v2 while players edit, on local Fly and S3.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--players", type=read_count, default=50, metavar="N", help="how many edit (%(default)s)")
    add("--machines", type=read_count, default=2, metavar="N", help="in each of two regions (%(default)s)")
    add("--cutover", choices=("handoff", "overlap"), default="handoff",
        help="overlap is Fly's own order, which breaks promises (%(default)s)")  # fmt: skip
    add("--out", type=Path, default=Path("build/demo"), metavar="FOLDER",
        help="where picture and data go (%(default)s)")  # fmt: skip
    return parser


def read_count(text: str) -> int:
    """A whole number above 0."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def play(options: Options, screen: Screen) -> Evidence:
    """Run the parts, and the story on them; when this returns, or fails, all of them have ended."""
    with tempfile.TemporaryDirectory(prefix="bluegreen-demo-") as scratch:
        folder = Path(scratch)
        screen.heading("local Fly and local S3 start")
        with local_platform(folder) as platform:
            screen.line(
                f"  Machines API {platform.api_url}, proxy {platform.proxy_url}, S3 {platform.s3_url}"
            )
            return anyio.run(Story(options, platform, folder, screen).tell)


def show(timeline: Timeline, files: list[Path], screen: Screen) -> None:
    """The figures, where more of them are, and the verdict."""
    screen.heading("what came of it")
    for line in summary.summarise(timeline):
        screen.line(line)
    screen.line(summary.row("see", ", ".join(str(path) for path in files)))
    screen.line()
    screen.verdict(summary.headline(timeline), good=timeline.verdict.passed)
    screen.line(summary.explain(timeline))


def flatten(failures: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The exceptions in a group, and in the groups in it."""
    found: list[BaseException] = []
    for failure in failures.exceptions:
        found += flatten(failure) if isinstance(failure, BaseExceptionGroup) else [failure]
    return found
