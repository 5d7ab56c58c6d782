"""Errors of steps: what they are told as, and which of them prove nothing."""

from __future__ import annotations

from collections.abc import Iterator

from providers.bluegreen.model import Phase
from providers.bluegreen.outcome import Failure
from providers.fly import Ambiguous, Conflict, FlyError, Lapsed


class GateFailed(Exception):
    """A check that must hold does not. ``reasons`` are told to the user as they are."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = reasons
        super().__init__("; ".join(reasons))


class NotYet(Exception):
    """The condition of a poll does not hold yet; ``str()`` says what was found instead."""


class AwaitingApproval(Exception):
    """Green is verified, and people have to say yes: no failure, and no reason to go on."""


class TakenOver(Exception):
    """Another run has this deploy now. ``reason`` names it; this one has nothing to decide any more."""

    def __init__(self, phase: Phase, step: str, reason: str) -> None:
        self.failure = Failure(phase, step, (reason,))
        super().__init__(reason)


class StepFailed(Exception):
    """A step could not be done."""

    def __init__(self, phase: Phase, step: str, reasons: tuple[str, ...]) -> None:
        self.failure = Failure(phase, step, reasons)
        super().__init__("; ".join(reasons))


class Interrupted(StepFailed):
    """Somebody asked the run to stop: what it was doing did not fail."""


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors inside of an exception group, which concurrent work raises."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def only(error: BaseException, *kinds: type[Exception]) -> bool:
    """Whether nothing but ``kinds`` went wrong."""
    return all(isinstance(leaf, kinds) for leaf in leaves(error))


def ambiguous(error: BaseException) -> bool:
    """Whether the step may have happened all the same: then only looking tells."""
    return only(error, Ambiguous, Lapsed)


def conflicts(error: BaseException) -> bool:
    """Whether anything was refused for a conflict: a lost lease is one of its causes."""
    return any(isinstance(leaf, Conflict) for leaf in leaves(error))


def reasons(error: BaseException) -> tuple[str, ...]:
    """One line for each thing that went wrong, without a traceback."""
    return tuple(line for leaf in leaves(error) for line in _told(leaf))


def _told(error: BaseException) -> tuple[str, ...]:
    if isinstance(error, GateFailed):
        return error.reasons
    if isinstance(error, (FlyError, NotYet)):
        return (str(error),)
    return (f"unexpected {type(error).__name__}: {error}",)
