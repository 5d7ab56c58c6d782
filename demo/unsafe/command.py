"""The command line: `python -m demo.unsafe`, or `make demo-unsafe`, which sets up what it needs."""

from __future__ import annotations

import argparse
from pathlib import Path

from demo import results, summary
from demo.picture import render_comparison
from demo.play import add_sizes, guard, play
from demo.screen import Screen
from demo.session import end_on_signals
from demo.story import Options
from demo.unsafe.comparison import NAMES, SHOWN, Comparison, explain, tabulate

EPILOG = """\
exit codes: 0 this project's order kept every promise and Fly's own broke one, which is what is to be shown,
1 this project's order broke one, 2 it could not be run, 3 Fly's own order happened to break none, 130 after Ctrl-C"""


def main() -> int:
    """Deploy in both orders, write the picture and the data, and judge."""
    options = build_parser().parse_args()
    end_on_signals()
    return guard(lambda: run(options, Screen()))


def build_parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.unsafe",
        description="The demo twice, with the same load: in this project's order, then in Fly's own.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_sizes(parser, out=Path("build/demo-unsafe"))
    return parser


def run(options: argparse.Namespace, screen: Screen) -> int:
    """Both demos, one after the other, each on parts of its own."""
    timelines = []
    for name, cutover in zip(NAMES, ("handoff", "overlap"), strict=True):
        screen.heading(f"=== {name} ===")
        timelines.append(play(Options(options.players, options.machines, cutover), screen))
    comparison = Comparison(*timelines)
    data = {"handoff": comparison.safe.to_json(), "overlap": comparison.unsafe.to_json()}
    pictures = render_comparison(comparison.safe, comparison.unsafe)
    show(comparison, results.write(options.out, "comparison", data, pictures), screen)
    return comparison.exit_code


def show(comparison: Comparison, files: list[Path], screen: Screen) -> None:
    """The figures side by side, where more of them are, and the verdict."""
    screen.heading("the same load, the same deploy, in two orders")
    for line in tabulate(comparison):
        screen.line(line)
    screen.line()
    screen.line(summary.row("see", ", ".join(str(path) for path in files)))
    screen.line()
    screen.verdict(explain(comparison), good=comparison.exit_code == SHOWN)
