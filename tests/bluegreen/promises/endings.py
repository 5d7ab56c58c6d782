"""What has to hold when a run has ended: by itself, or killed (then there is no outcome)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from providers.bluegreen.outcome import Ending, Outcome
from tests.bluegreen.promises.told import Told


@dataclass(frozen=True)
class End:
    """The end of one run. ``lost``: acknowledged edits that nobody has any more; ``leased``: names of machines on which
    a lease is held. ``killed``: it did not end by itself; else, without an outcome, it refused to decide anything.
    """

    outcome: Outcome | None
    lost: Collection[str] = ()
    leased: Collection[str] = ()
    killed: bool = False

    def says(self, *endings: Ending) -> bool:
        return self.outcome is not None and self.outcome.ending in endings


Check = Callable[[Told, End], str]
_WHOLE = (Ending.DEPLOYED, Ending.UNCHANGED, Ending.AWAITING_APPROVAL, Ending.ABORTED, Ending.ROLLED_BACK)


def the_claim_is_what_is_routed(told: Told, end: End) -> str:
    """An ending names one cluster. Where clusters overlap, an older one may be routed beside it."""
    if end.outcome is None or end.says(Ending.UNKNOWN):
        return ""
    serving = end.outcome.serving
    claimed = {machine.name for machine in serving.machines} if serving else set()
    beside_us = {told.machines[key]["name"] for key in told.excused}
    claimed, routed = claimed - beside_us, told.names(told.routed) - beside_us
    if claimed == routed or (claimed < routed and not told.rules.handoff):
        return ""
    return f"{end.outcome.ending} claims {sorted(claimed)}, routed are {sorted(routed)}"


def the_owner_is_what_the_store_says(told: Told, end: End) -> str:
    """Nobody owns it where the owner was destroyed on purpose."""
    if end.outcome is None or end.says(Ending.UNKNOWN, Ending.DESTROYED) or not told.owners:
        return ""
    if end.outcome.owner is None and not told.cluster(told.owners[-1]):
        return ""
    owner = str(end.outcome.owner)
    return "" if owner == told.owners[-1] else f"{owner} is said to own the state, and {told.owners[-1]} does"


def unknown_destroys_nothing(told: Told, end: End) -> str:
    """After its first failure, nothing that users ever reached."""
    gone = sorted(told.machines[key]["name"] for key in told.destroyed if key in told.ever_routed)
    return f"it says unknown, and has destroyed {gone}" if end.says(Ending.UNKNOWN) and gone else ""


def a_named_ending_leaves_a_whole_cluster(told: Told, end: End) -> str:
    """Once there was one, and it was not to be destroyed."""
    left = end.says(*_WHOLE) and told.ever_routed - told.unwanted and told.goal == "deploy" and not told.whole
    return "no whole cluster is routed" if left and not told.excused else ""


def success_leaves_nothing_else(told: Told, end: End) -> str:
    if not end.says(Ending.DEPLOYED, Ending.UNCHANGED):
        return ""
    expected = told.routed | told.excused
    rest = [machine for machine in told.existing() if machine["machine_id"] not in expected]
    left = sorted(m["name"] for m in rest if not (told.rules.warm and m["state"] == "stopped"))
    return f"{left} are left" if left else ""


def unchanged_changes_nothing(told: Told, end: End) -> str:
    return f"it says unchanged, and did {told.writes}" if end.says(Ending.UNCHANGED) and told.writes else ""


def no_decision_changes_nothing(told: Told, end: End) -> str:
    refused = end.outcome is None and not end.killed
    return f"it refused to decide anything, and did {told.writes}" if refused and told.writes else ""


def no_edit_is_lost(told: Told, end: End) -> str:
    """Clusters overlap only where apps keep no state."""
    lost = told.rules.handoff and end.lost
    return f"acknowledged edits are lost: {sorted(end.lost)}" if lost else ""


def no_lease_is_left(told: Told, end: End) -> str:
    return f"leases are left on {sorted(end.leased)}" if end.leased and not end.killed else ""


def no_secret_is_in_the_outcome(told: Told, end: End) -> str:
    shown = any(canary in repr(end.outcome) for canary in told.rules.canaries)
    return "a secret in the outcome" if shown else ""


ENDINGS: dict[str, Check] = {
    "the claim is what is routed": the_claim_is_what_is_routed,
    "the owner is what the store says": the_owner_is_what_the_store_says,
    "unknown destroys nothing": unknown_destroys_nothing,
    "a named ending leaves a whole cluster": a_named_ending_leaves_a_whole_cluster,
    "success leaves nothing else": success_leaves_nothing_else,
    "unchanged changes nothing": unchanged_changes_nothing,
    "no decision changes nothing": no_decision_changes_nothing,
    "no edit is lost": no_edit_is_lost,
    "no lease is left": no_lease_is_left,
    "no secret is in the outcome": no_secret_is_in_the_outcome,
}
