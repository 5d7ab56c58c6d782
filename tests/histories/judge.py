"""What is asked after every step and at every end of a run, and what of it somebody else has to answer for."""

from __future__ import annotations

from dataclasses import dataclass, field

from providers.bluegreen.outcome import Ending, Outcome
from simulator.leases import find_lease
from simulator.world import find_route
from tests.bluegreen.promises import End
from tests.bluegreen.virtual import Kit
from tests.histories.accounts import Accounts
from tests.histories.alone import Alone
from tests.histories.deployer import Run
from tests.histories.hands import Hands
from tests.histories.watch import Heard

PROXY_LEARNS_S = 0.3


@dataclass
class Judge:
    """``alone``: the run that goes on, or went on, without any other beside it; only such a one answers for all that
    was done meanwhile. ``closed``: such a run at its end, until the proxy has learned of it.
    """

    kit: Kit
    history: Heard
    accounts: Accounts
    hands: Hands
    rule: Alone
    live: list[Run] = field(default_factory=list)
    alone: Run | None = None
    closed: Run | None = None

    def begun(self, run: Run) -> None:
        self.closed = None
        self.live = [other for other in self.live if other.alive]
        self.alone = None if self.live else run
        self.live.append(run)
        goals = {one.goal for one in self.live}
        self.kit.promises.begin("destroy" if "destroy" in goals else "deploy", run.spec.machine_count)
        self.kit.promises.told.wanted = min(one.spec.machine_count for one in self.live)

    def ended(self, run: Run) -> None:
        """At the moment of its end, before anything else happens."""
        outcome = run.ended if isinstance(run.ended, Outcome) else None
        if outcome and outcome.succeeded and outcome.serving:
            self.history.claimed |= {machine.id for machine in outcome.serving.machines}
        if run is self.alone:
            self.closed = run
            if outcome:
                self._check_claim(run, outcome)
                self._check_silence(run, outcome)
        if outcome and not outcome.succeeded:
            assert outcome.failure, f"{outcome.ending} without a failure"
            assert all(outcome.failure.reasons), f"{outcome.ending} without reasons"

    def _check_claim(self, run: Run, outcome: Outcome) -> None:
        """What it says that serves is what Fly routes, machine by machine, but for those changed by others since.

        Under overlap both clusters may be routed where it has not come to its end.
        """
        if outcome.ending is Ending.UNKNOWN:
            return
        claimed = {machine.id for machine in outcome.serving.machines} if outcome.serving else set()
        by_hand = self.history.let_in_by_hand
        routed = {m.id for m in self.hands.ours() if find_route(m) and not by_hand(m.id)}
        disputed = claimed ^ routed if self.kit.promises.told.rules.handoff else claimed - routed
        wrong = {key for key in disputed if self.history.changed.get(key, 0) < run.began}
        assert not wrong, f"{outcome.ending} claims {sorted(claimed)}, routed are {sorted(routed)}"
        if outcome.succeeded and outcome.ending is not Ending.AWAITING_APPROVAL:  # that says nothing of blue
            self.history.answered(run.began)

    def _check_silence(self, run: Run, outcome: Outcome) -> None:
        """No success where a machine was killed at its stop's deadline before it had saved."""
        unsaid = [key for key, at in self.accounts.unsaved.items() if at >= run.began]
        assert not (outcome.succeeded and unsaid), f"{outcome.ending}, and {unsaid} had not saved"

    def after_step(self) -> None:
        """Every promise that is read from single records, and those of the last end where it can be judged."""
        self.kit.promises.check()
        assert not self.rule.broken, "; ".join(self.rule.broken)
        run = self.closed
        if run is None or self.kit.world.clock.now() < run.ended_at + PROXY_LEARNS_S:
            return
        self.closed = None
        changed = max(self.history.changed.values(), default=0.0)
        if changed < run.began and not self.history.sick:
            outcome = run.ended if isinstance(run.ended, Outcome) else None
            self.kit.promises.end(End(outcome, self.lost(), self._leased(run)))

    def _leased(self, run: Run) -> list[str]:
        """Names of machines that it has not given back, although no call of its own met a fault."""
        held = [(m.name, find_lease(self.kit.world, m)) for m in self.hands.ours() if not run.process.met]
        return [name for name, lease in held if lease and lease.description == str(run.holder)]

    def lost(self) -> set[str]:
        """Acknowledged edits that nobody has any more, and that nobody was allowed to lose."""
        running = {m.id for m in self.kit.machines() if m.state in ("started", "stopping")}
        return self.accounts.lost(running)
