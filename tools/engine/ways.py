"""The ways to an engine, in order, and what to say when none of them works."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tools.cache import Say, Unavailable

PROGRAMS = (
    "pulumi",
    "pulumi-language-python",
    "pulumi-language-python-exec",
    "pulumi-resource-pulumi-python",
)
"""What a Python project with dynamic resources needs of an engine."""


class NoEngine(Exception):
    """No way gives an engine; the message lists them all, each with its reason."""


class Way(Protocol):
    """One way to an engine."""

    @property
    def title(self) -> str:
        """What the way is, for a person."""

    def find(self) -> Path | None:
        """Return the bin directory if it is there already. No network, under a second."""

    def get(self) -> Path:
        """Return the bin directory, made now if need be; Unavailable if that fails."""


def provide(ways: Sequence[Way], say: Say) -> Path:
    """Return the bin directory of the first engine that is there, else of the first that can be got.

    Looking comes first for all ways: a run with a full cache asks no network. NoEngine if nothing works.
    """
    for way in ways:
        found = way.find()
        if found is not None:
            return found
    return _get_first(ways, say)


def _get_first(ways: Sequence[Way], say: Say) -> Path:
    reasons: list[tuple[str, str]] = []
    for way in ways:
        try:
            return way.get()
        except Unavailable as error:
            reasons.append((way.title, str(error)))
            say(f"not by {way.title}: {error}")
    raise NoEngine(explain(reasons))


def explain(reasons: Sequence[tuple[str, str]]) -> str:
    """Render (title, reason) pairs as the one error that a person reads."""
    listed = [f"  {place}. {title}\n     {reason}" for place, (title, reason) in enumerate(reasons, start=1)]
    head = "No Pulumi engine. Any one of these ways is enough; each failed for the reason under it:"
    return "\n".join([head, *listed])
