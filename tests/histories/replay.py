"""A script as text that plays it again: what a failed history prints.

The text is a test of its own: ``python -m pytest FILE`` plays it, and ``python -m tests.histories.replay FILE`` tells
its history too, from the checkout's root.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from tests.histories.play import play
from tests.histories.steps import Script

_TEXT = '''"""Plays one history again: python -m pytest {file}, or python -m tests.histories.replay {file}"""

from tests.histories.play import play
from tests.histories.steps import *

SCRIPT = Script(
    seed={script.seed!r},
    drain={script.drain!r},
    cutover={script.cutover!r},
    last={script.last!r},
    steps=(
{steps}    ),
    extras={script.extras!r},
)


def test_this_history_keeps_every_promise() -> None:
    play(SCRIPT)
'''


def as_text(script: Script, file: str = "test_again.py") -> str:
    """One line for each step."""
    steps = "".join(f"        {step!r},\n" for step in script.steps)
    return _TEXT.format(file=file, script=script, steps=steps)


def script_of(file: Path) -> Script:
    """The script in a file that ``as_text`` has written."""
    script = runpy.run_path(str(file))["SCRIPT"]
    assert isinstance(script, Script), f"{file} names no script"
    return script


def main(file: str) -> None:
    """Play it and tell its history; raises where a promise is broken."""
    played = play(script_of(Path(file)))
    for record in played.records:
        print(record)
    print(dict(sorted(played.figures.items())))


if __name__ == "__main__":
    main(sys.argv[1])
