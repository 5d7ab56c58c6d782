"""What a planted bug is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One bug in our own code. ``old`` is there exactly once in ``file``; ``killer`` is the test that must fail."""

    about: str
    bug: str
    file: str
    old: str
    new: str
    killer: str

    @property
    def name(self) -> str:
        return f"{self.about}: {self.bug}"

    def apply(self, source: str) -> str:
        """The source with the bug. Raises ``ValueError`` where the table does not follow the code any more."""
        found = source.count(self.old)
        if found != 1:
            raise ValueError(
                f"{self.file} has {self.old!r} {found} times, not once: the mutant must follow the code"
            )
        return source.replace(self.old, self.new)
