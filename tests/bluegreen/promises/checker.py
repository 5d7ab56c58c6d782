"""Reads a history and says which promises it breaks."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from tests.bluegreen.promises.endings import ENDINGS, End
from tests.bluegreen.promises.steps import STEPS
from tests.bluegreen.promises.told import Record, Rules, Told


class Broken(AssertionError):
    """Promises that do not hold: one line for each, with the number of the first record that breaks it."""


@dataclass
class Promises:
    """All promises over one world. ``without``: names of those that do not apply to it.

    What is broken is collected, not raised: a listener that raises would end a simulated machine instead of the test.
    """

    rules: Rules = field(default_factory=Rules)
    without: Collection[str] = ()
    first_broken: dict[str, str] = field(default_factory=dict)
    told: Told = field(init=False)

    def __post_init__(self) -> None:
        unknown = set(self.without) - STEPS.keys() - ENDINGS.keys()
        assert not unknown, f"no such promises: {unknown}"
        self.told = Told(self.rules)

    def begin(self, goal: str = "deploy", machines: int = 0) -> None:
        """A run begins that wants so many machines."""
        self.told.begin(goal, machines)

    def excuse(self, *machine_ids: str) -> None:
        """From here on somebody else changes these machines, or they fail by themselves."""
        self.told.excused.update(machine_ids)

    def read(self, record: Record) -> None:
        """One more record."""
        self.told.read(record)
        for name, holds in STEPS.items():
            if name not in self.without and (fault := holds(self.told, record)):
                self.first_broken.setdefault(name, f"{fault} (record {record.get('n', '?')})")

    def read_all(self, records: Iterable[Record]) -> None:
        """A whole history, or a further part of it."""
        for record in records:
            self.read(record)

    def end(self, end: End) -> None:
        """A run has ended, and the proxy has learned what it did. Raises ``Broken`` where any promise is."""
        for name, holds in ENDINGS.items():
            if name not in self.without and (fault := holds(self.told, end)):
                self.first_broken.setdefault(name, fault)
        self.check()

    def check(self) -> None:
        """Raises ``Broken`` where any promise is."""
        if self.first_broken:
            raise Broken("\n".join(f"{name}: {fault}" for name, fault in self.first_broken.items()))
