"""The committed table of the matrix: how it is written, read and compared."""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from difflib import unified_diff
from pathlib import Path

from tests.faults.network import FAULTS
from tests.faults.scenario import LETTERS, REFUSED
from tests.faults.sections import BROKEN, NOT_OF_IT, SECTIONS, Played

FILE = Path(__file__).with_name("matrix.txt")
MARK = "## "


def legend() -> str:
    """What the letters and the headings stand for."""
    endings = "  ".join(f"{letter} {ending}" for ending, letter in LETTERS.items())
    faults = "\n".join(f"  {fault.short:5}{fault.name}" for fault in FAULTS)
    return (
        "Every call of a deployment x every fault, once, or for ever (at that call's method and path, until the run's\n"
        "end). Cell: how that run ended / how the next one ended, which meets no fault. The run after that changes\n"
        f"nothing, everywhere. Written by `make faults`.\n\n"
        f"{endings}\n{REFUSED} refused to decide, nothing changed  {NOT_OF_IT} no such fault here  {BROKEN} broken\n"
        'A killed run has no ending: there the cell is how the next one ended. A fault that is "as" another one has\n'
        "no cell of its own: a deployment cannot tell them apart (test_columns.py).\n\n"
        f"{faults}\n"
    )


def read() -> dict[str, list[str]]:
    """The committed lines of each section."""
    _, *parts = FILE.read_text(encoding="utf-8").split(f"\n{MARK}")
    sections = (part.rstrip("\n").split("\n") for part in parts)
    return {title: lines for title, *lines in sections}


def difference(title: str, played: Played) -> str:
    """How a section that was played differs from the committed one; "" where it does not."""
    committed = read().get(title, [])
    return "\n".join(unified_diff(committed, played.lines, f"{FILE.name}: {title}", "played", lineterm=""))


def write() -> int:
    """Play all and write the file. Answers how many promises are broken, which are told on stderr."""
    with ProcessPoolExecutor() as pool:
        all_played = dict(zip(SECTIONS, pool.map(play, SECTIONS), strict=True))
    parts = ("\n".join((MARK + title, *played.lines)) for title, played in all_played.items())
    FILE.write_text("\n".join((legend(), *(f"{part}\n" for part in parts))), encoding="utf-8")
    broken = [line for played in all_played.values() for line in played.broken]
    sys.stderr.write("".join(f"{line}\n" for line in broken))
    return len(broken)


def play(title: str) -> Played:
    """Play one section, where a process has only its title."""
    return SECTIONS[title].play()
