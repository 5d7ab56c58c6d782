"""One history as it goes on: the platform, up to two deployers, and who keeps the accounts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from anyio.abc import TaskGroup

from providers.bluegreen.deploy import CannotLook
from providers.bluegreen.holder import Holder
from providers.bluegreen.scene import Goal
from tests.bluegreen.virtual import Kit
from tests.histories.accounts import Accounts
from tests.histories.alone import Alone
from tests.histories.deployer import Run, State, execute
from tests.histories.hands import Hands
from tests.histories.judge import Judge
from tests.histories.outages import FailingStore
from tests.histories.process import Process
from tests.histories.specs import wanted
from tests.histories.steps import Script, Wants
from tests.histories.watch import Heard


@dataclass
class Driver:
    """``figures``: what happened how often."""

    script: Script
    kit: Kit
    store: FailingStore
    history: Heard
    accounts: Accounts
    tasks: TaskGroup
    hands: Hands = field(init=False)
    judge: Judge = field(init=False)
    state: State = field(default_factory=State)
    runs: dict[int, Run] = field(default_factory=dict)
    all_runs: list[Run] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.hands = Hands(self.kit, self.accounts, self.history)
        alone = Alone(self.kit.world, lambda who: str(self.runs[who].holder), self._holds)
        self.history.listeners.append(alone.hear)
        self.judge = Judge(self.kit, self.history, self.accounts, self.hands, alone)
        self.hands.boot("well")

    def _holds(self, description: str) -> bool:
        """Of a lease granted with its machine the simulator does not say whose it is; it is renewed at once."""
        return any(str(run.holder) == description for run in self.alive())

    def alive(self) -> list[Run]:
        return [run for _, run in sorted(self.runs.items()) if run.alive]

    def free(self, who: int) -> int | None:
        """This deployer, or the other one, if its last run is over."""
        busy = {run.who for run in self.alive()}
        return next((one for one in (who, 1 - who) if one not in busy), None)

    def begin(self, who: int, wants: Wants) -> Run:
        """A new run of a deployer whose last one is over."""
        spec = wanted(wants, self.script.drain, self.script.cutover, self.script.extras)
        if "approval" in self.script.extras:  # people approve what waits, whoever asks, and for whatever
            spec = spec.model_copy(update={"approved_release": self.state.pending})
        goal: Goal = "destroy" if wants == "destroy" else "deploy"
        holder = Holder(f"deployer-{who}@histories", self.now())
        run = self.runs[who] = Run(who, spec, goal, self.now(), Process(who), holder)
        self.all_runs.append(run)
        self.judge.begun(run)
        self.figures["runs"] += 1
        self.tasks.start_soon(execute, self.kit, self.state, run, self._ended)
        return run

    def _ended(self, run: Run) -> None:
        told = "refused" if isinstance(run.ended, CannotLook) else str(run.ended and run.ended.ending)
        self.figures[f"runs {told}"] += 1
        self.figures.update({f"fault {fault}": count for fault, count in run.process.met.items()})
        self.judge.ended(run)

    def now(self) -> float:
        return self.kit.world.clock.now()

    def make_well(self) -> None:
        """No trouble from here on, but what deployers make themselves."""
        self.hands.make_well()
        self.mend_store()

    def mend_store(self) -> None:
        self.accounts.outage_ended_at = self.now()
        self.store.act("up")

    def not_ours_to_answer(self) -> Iterable[str]:
        """Ids of machines that others have changed, or that could not save in an outage."""
        return {*self.history.excused, *self.accounts.unsaved}
