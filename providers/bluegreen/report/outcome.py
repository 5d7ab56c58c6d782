"""How a deployment ended, as people read it: who serves, what was proven, why it failed, and what to run next."""

from __future__ import annotations

from providers.bluegreen.outcome import Ending, Outcome
from providers.bluegreen.report.counted import cluster_text

_NEXT = {
    Ending.ABORTED: "Mend the cause.",
    Ending.UNFINISHED: "The commit point is passed; the next run does the rest.",
    Ending.ROLLED_BACK: "The state is back with the release before. Mend the cause.",
    Ending.TAKEN_OVER: "This run has changed nothing since. Once the other one has ended:",
    Ending.UNKNOWN: "Nothing was destroyed for it; the next run looks again, and finishes or undoes.",
}


def serving_text(outcome: Outcome) -> str:
    """Which cluster serves, in every ending."""
    if outcome.ending is Ending.TAKEN_OVER:
        return "another run decides which cluster serves"
    if outcome.ending is Ending.UNKNOWN:
        return "which cluster serves is unknown"
    if outcome.serving:
        return f"serving: {cluster_text(outcome.serving)}"
    if outcome.owner:
        return f"release {outcome.owner} owns the state; none of its machines is known to be routed"
    return "nothing serves"


def outcome_text(app: str, outcome: Outcome) -> str:
    """One line for a success; for a failure what serves, why, and the next command."""
    if outcome.pending:
        return (
            f"{app}: green {outcome.pending} is verified and unrouted; {serving_text(outcome)}\n"
            f"  Next: set approved_release to {outcome.pending}, then {outcome.next_command}"
        )
    if outcome.failure is None:
        return f"{app}: {outcome.ending}; {serving_text(outcome)}{_figures(outcome)}"
    failure = outcome.failure
    lines = [
        f'{app}: {outcome.ending} in {failure.phase}, at "{failure.step}"; {serving_text(outcome)}',
        *(f"  - {reason}" for reason in failure.reasons),
        f"  {_NEXT[outcome.ending]} Next: {outcome.next_command}",
    ]
    return "\n".join(lines)


def _figures(outcome: Outcome) -> str:
    window = f"; handoff window {outcome.window_s:.2f} s" if outcome.window_s is not None else ""
    tests = f"; {len(outcome.tests)} tests passed" if outcome.tests else ""
    return f"{window}{_proven(outcome)}{tests}"


def _proven(outcome: Outcome) -> str:
    """What was proven of blue's state; a handoff without any proof says so."""
    proofs = outcome.proofs
    if not proofs:
        return "; saved state not proven" if outcome.window_s is not None else ""
    rooms, objects = sum(proof.rooms for proof in proofs), sum(proof.objects for proof in proofs)
    return f"; proven saved: {rooms} rooms, {objects} objects, {sum(proof.bytes for proof in proofs):,} bytes"
