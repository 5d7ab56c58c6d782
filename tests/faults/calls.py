"""What a deployer calls, by names that stay the same from run to run: the rows of the matrix."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import httpx

from providers.bluegreen.model import Phase
from tests.bluegreen.virtual import Kit

_MACHINE = re.compile(r"/v1/apps/[^/]+/machines/([0-9a-f]+)")
_GENERATION = re.compile(r"-(g\d+-)")
FIRST_LOOK = "first look"
PHASES = frozenset(Phase)
SECOND_REGION = "-iad-"
FURTHER_CALLS = 2
Kind = Literal["read", "wait", "write"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What a call is, as far as its faults differ: to a wait 408 is an answer."""
READS = frozenset({"GET", "read", "head", "list"})


@dataclass(frozen=True)
class Call:
    """The ``nth`` call like this one within a phase. ``what`` holds a machine's name in place of its id."""

    phase: str
    method: str
    what: str
    nth: int

    def __str__(self) -> str:
        return f"{self.method} {self.what}{f' #{self.nth}' if self.nth > 1 else ''}"

    @property
    def reads(self) -> bool:
        return self.method in READS

    @property
    def kind(self) -> Kind:
        if self.what.endswith("/wait"):
            return "wait"
        return "read" if self.reads else "write"

    @property
    def repeats_another(self) -> bool:
        """A look at the second machine: each machine is looked at by itself, at the same time and in the same way,
        and a failed look changes nothing, so the first machine's row says it all. The same holds for the third call
        and all further ones of a poll, or of anything else that is done again and again. Changes have a row for each
        machine: there it matters which of them have been made.
        """
        return (self.reads and SECOND_REGION in self.what) or self.nth > FURTHER_CALLS


class Namer:
    """Names the calls of one run as they come."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._from = len(kit.said)
        self._seen: Counter[tuple[str, str, str]] = Counter()

    def name(self, request: httpx.Request) -> Call:
        key = (self._phase(), request.method, self._what(request))
        self._seen[key] += 1
        return Call(*key, self._seen[key])

    def _phase(self) -> str:
        return phase_of(self._kit.said[self._from :])

    def _what(self, request: httpx.Request) -> str:
        """As ``rooms-g2-ams-1/cordon``; for a create the name that it asks for."""
        path = request.url.path
        found = _MACHINE.match(path)
        if found:
            told = self._kit.promises.told.machines.get(found[1])
            return f"{short(told['name']) if told else found[1]}{path[found.end() :]}"
        if request.method == "POST" and path.endswith("/machines"):
            return f"machines {short(json.loads(request.content)['name'])}"
        return "machines" if path.endswith("/machines") else "app"


def phase_of(said: Sequence[str]) -> str:
    """The phase that a run is in, by the last of its lines that says so."""
    heads = (line.partition(": ")[0] for line in reversed(said))
    return next((head for head in heads if head in PHASES), FIRST_LOOK)


def short(name: str) -> str:
    """Without the app: ``g2-ams-1``."""
    found = _GENERATION.search(name)
    return name[found.start() + 1 :] if found else name
