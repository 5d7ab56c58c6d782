"""From what a deployment tells to its timeline. Everything is bounded, and every text goes through the scrubber."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from providers.bluegreen import report
from providers.bluegreen.events import Event, Kind
from providers.bluegreen.lifecycle import Do
from providers.bluegreen.model import Proof, Role, TestResult
from providers.bluegreen.outcome import Outcome
from providers.bluegreen.scene import Intent
from providers.timeline.model import (
    FailureSeen,
    Line,
    PhaseSpan,
    ProofSeen,
    StepSpan,
    TestSeen,
    Timeline,
    Window,
)
from providers.timeline.watched import Watched

MOST = {"steps": 400, "lines": 300, "proofs": 300, "tests": 100, "reasons": 50, "phases": 50, "windows": 10}
NO_ENDING = "no ending"
OPENS = f"{Do.CORDON} ({Role.BLUE})"
"""With this step the handoff window opens: it is the first that takes anything away from users."""
CLOSES = str(Do.PROVE_ROUTED)


class Recorder:
    """A listener. ``scrub`` hides secrets in a text and cuts it.

    It keeps what may grow with a deployment's length (what is waited for is not kept), and knows no more of the
    deployment than its events.
    """

    def __init__(self, app: str, scrub: Callable[[str], str]) -> None:
        self._app, self._scrub = app, scrub
        self._watched = Watched(scrub)
        self._intent: Intent | None = None
        self._phases: list[PhaseSpan] = []
        self._steps: list[StepSpan] = []
        self._lines: list[Line] = []
        self._step_at = 0.0
        self._ended_at = 0.0
        self._windows: list[Window] = []
        self._outcome: Outcome | None = None
        self._left_out: Counter[str] = Counter()

    def hear(self, event: Event) -> None:
        """Take one event in."""
        self._ended_at = event.at
        if event.scene:
            self._intent = self._intent or event.scene.intent
            self._watched.see(event.scene, event.at)
        if event.text and event.kind in (Kind.NOTE, Kind.FAILED):
            self._keep("lines", self._lines, Line(at=event.at, text=self._scrub(event.text)))
        heed = {
            Kind.PHASE: self._phase,
            Kind.STEP: self._step,
            Kind.DONE: self._done,
            Kind.FAILED: self._done,
            Kind.ENDED: self._end,
        }.get(event.kind)
        if heed:
            heed(event)

    def _phase(self, event: Event) -> None:
        assert event.phase is not None
        self._close_phase(event.at)
        span = PhaseSpan(name=event.phase, number=event.number, started_at=event.at, ended_at=event.at)
        self._keep("phases", self._phases, span)

    def _close_phase(self, at: float) -> None:
        if self._phases:
            self._phases[-1] = self._phases[-1].model_copy(update={"ended_at": at})

    def _step(self, event: Event) -> None:
        self._step_at = event.at
        if event.step == OPENS and not self._is_open():
            self._keep("windows", self._windows, Window(opened_at=event.at))

    def _is_open(self) -> bool:
        return bool(self._windows) and self._windows[-1].closed_at is None

    def _done(self, event: Event) -> None:
        assert event.phase is not None
        failed = event.kind is Kind.FAILED
        span = StepSpan(
            phase=event.phase,
            name=self._scrub(event.step),
            started_at=self._step_at,
            seconds=event.took_s or 0.0,
            gate=event.gate,
            commit=event.commit,
            machines=len(event.machines),
            reasons=self._texts(event.awaited) if failed else (),
        )
        self._keep("steps", self._steps, span)
        if self._is_open() and not failed and event.step.startswith(CLOSES):
            self._windows[-1] = self._windows[-1].model_copy(update={"closed_at": event.at})

    def _end(self, event: Event) -> None:
        self._close_phase(event.at)
        self._outcome = event.outcome

    def timeline(self) -> Timeline | None:
        """``None`` where nothing has begun: a look is no deployment."""
        if self._intent is None:
            return None
        self._close_phase(self._ended_at)
        intent, outcome = self._intent, self._outcome
        return Timeline(
            app=self._app,
            goal=intent.goal,
            cutover=intent.cutover,
            blue=str(intent.blue) if intent.blue else None,
            green=None if intent.goal == "destroy" else str(intent.release),
            started_at=self._phases[0].started_at if self._phases else self._ended_at,
            ended_at=self._ended_at,
            phases=tuple(self._phases),
            steps=tuple(self._steps),
            machines=tuple(self._watched.lines()),
            windows=tuple(self._windows) if intent.cutover == "handoff" else (),
            lines=tuple(self._lines),
            **(self._of(outcome) if outcome else _broken_off()),
            left_out=dict(self._left_out + self._watched.left_out),
        )

    def _of(self, outcome: Outcome) -> dict[str, Any]:
        failure = outcome.failure
        return {
            "ending": str(outcome.ending),
            "succeeded": outcome.succeeded,
            "serving": self._scrub(report.serving_text(outcome)),
            "proofs": self._some("proofs", map(self._proof, outcome.proofs)),
            "tests": self._some("tests", map(self._test, outcome.tests)),
            "failure": failure
            and FailureSeen(
                phase=failure.phase, step=self._scrub(failure.step), reasons=self._texts(failure.reasons)
            ),
            "next_command": "" if outcome.succeeded and not outcome.pending else outcome.next_command,
            "api_calls": outcome.api_calls,
        }

    def _proof(self, proof: Proof) -> ProofSeen:
        return ProofSeen(**asdict(replace(proof, faults=self._texts(proof.faults))))

    def _test(self, test: TestResult) -> TestSeen:
        return TestSeen(**asdict(replace(test, summary=self._scrub(test.summary))))

    def _texts(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        return self._some("reasons", map(self._scrub, texts))

    def _keep(self, kind: str, kept: list[Any], one: Any) -> None:
        if len(kept) < MOST[kind]:
            kept.append(one)
        else:
            self._left_out[kind] += 1

    def _some(self, kind: str, found: Any) -> tuple[Any, ...]:
        every = tuple(found)
        if len(every) > MOST[kind]:
            self._left_out[kind] += len(every) - MOST[kind]
        return every[: MOST[kind]]


def _broken_off() -> dict[str, Any]:
    return {"ending": NO_ENDING, "succeeded": False, "serving": "which cluster serves was not told"}
