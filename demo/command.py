"""The command line: `python -m demo`, or `make demo`, which sets up what it needs."""

from __future__ import annotations

import argparse
from pathlib import Path

from demo import results, summary
from demo.picture import render
from demo.play import add_sizes, guard, play
from demo.screen import Screen
from demo.session import end_on_signals
from demo.story import Options
from demo.timeline import Timeline

EPILOG = """\
exit codes: 0 every promise was kept, 1 an acknowledged edit is missing or doubled or a room had two owners,
2 the demo could not be run, 130 after Ctrl-C"""


def main() -> int:
    """Tell the story, write the picture and the data, and judge."""
    options = build_parser().parse_args()
    end_on_signals()
    return guard(lambda: run(options, Screen()))


def build_parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="Deploy v1 of a multiplayer app, then v2 while players edit, on local Fly and S3.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_sizes(parser, out=Path("build/demo"))
    parser.add_argument(
        "--cutover",
        choices=("handoff", "overlap"),
        default="handoff",
        help="overlap is Fly's own order, which breaks promises (%(default)s)",
    )
    return parser


def run(options: argparse.Namespace, screen: Screen) -> int:
    """The whole demo; 0 when every promise was kept."""
    timeline = play(Options(options.players, options.machines, options.cutover), screen)
    show(timeline, results.write(options.out, "timeline", timeline.to_json(), render(timeline)), screen)
    return 0 if timeline.verdict.passed else 1


def show(timeline: Timeline, files: list[Path], screen: Screen) -> None:
    """The figures, where more of them are, and the verdict."""
    screen.heading("what came of it")
    for line in summary.summarise(timeline):
        screen.line(line)
    screen.line(summary.row("see", ", ".join(str(path) for path in files)))
    screen.line()
    screen.verdict(summary.headline(timeline), good=timeline.verdict.passed)
    screen.line(summary.explain(timeline))
