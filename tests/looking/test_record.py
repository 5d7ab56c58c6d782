"""Timelines of deployments in virtual time: what is in them, and that they are bounded."""

from __future__ import annotations

import pytest

from providers.bluegreen.events import Event, Kind
from providers.bluegreen.outcome import Ending
from providers.timeline import record, watched
from providers.timeline.lanes import groups, reached, stretches
from providers.timeline.model import Timeline
from providers.timeline.names import entry_of, name_of
from providers.timeline.page import render
from tests.bluegreen.virtual import V1, Kit, simulate
from tests.bluegreen.worlds import spec
from tests.looking import recorded

ENDINGS = pytest.mark.parametrize("made", [recorded.success, recorded.aborted, recorded.rolled_back])


@ENDINGS
def test_a_timeline_is_read_as_it_was_written(made) -> None:
    timeline = made()
    assert Timeline.model_validate_json(timeline.model_dump_json()) == timeline
    assert len(timeline.model_dump_json()) < 20_000


@ENDINGS
def test_phases_follow_each_other_without_a_gap(made) -> None:
    """From the beginning to the end; every step is inside of its phase."""
    timeline = made()
    edges = [timeline.started_at, *(span.ended_at for span in timeline.phases)]
    assert [span.started_at for span in timeline.phases] == edges[:-1]
    assert edges[-1] == timeline.ended_at
    spans = {span.name: span for span in timeline.phases}
    for step in timeline.steps:
        span = spans[step.phase]
        assert span.started_at <= step.started_at <= step.started_at + step.seconds <= span.ended_at + 1e-6


def test_a_success_has_its_evidence() -> None:
    """Tests, proofs, the commit point, the window, and who served from when to when."""
    timeline = recorded.success()
    assert (timeline.ending, timeline.succeeded, timeline.failure) == ("deployed", True, None)
    assert [test.name for test in timeline.tests] == ["answers"]
    assert sum(proof.rooms for proof in timeline.proofs) == 2
    assert [step.name for step in timeline.steps if step.commit] == ["record green as the owner of the state"]
    (window,) = timeline.windows
    assert window.closed_at is not None
    blue, green = groups(timeline)
    assert (blue.role, green.role) == ("blue", "green")
    (before,), (after,) = list(reached(blue, timeline.ended_at)), list(reached(green, timeline.ended_at))
    assert before.start == timeline.started_at
    assert before.end == window.opened_at
    assert window.opened_at < after.start <= window.closed_at
    assert after.end == timeline.ended_at
    assert [look.state for look in blue.machines[0].looks][-1] == "destroyed"
    kinds = [stretch.kind for stretch in stretches(blue.machines[0], timeline.ended_at)]
    assert kinds == ["routed", "draining", "changing", "stopped"]


def test_a_failure_has_its_reasons() -> None:
    """Which gate, which machine, what was found; and that blue was reached again."""
    timeline = recorded.aborted()
    assert timeline.ending == "aborted"
    assert timeline.failure is not None
    (failed,) = [step for step in timeline.steps if step.reasons]
    assert failed.gate
    assert failed.reasons == timeline.failure.reasons
    assert "rooms/gone.json is not in the store" in failed.reasons[0]
    blue = groups(timeline)[0]
    assert len(list(reached(blue, timeline.ended_at))) == 2
    assert timeline.next_command == "pulumi up"


def test_a_rollback_has_two_windows() -> None:
    timeline = recorded.rolled_back()
    assert timeline.ending == "rolled back"
    there, back = timeline.windows
    assert there.closed_at is not None
    assert there.closed_at < back.opened_at
    assert any(
        stretch.ill for machine in timeline.machines for stretch in stretches(machine, timeline.ended_at)
    )


def test_a_first_deploy_and_a_destroy_have_pages_as_well() -> None:
    """One has no blue, the other no green; what their names say is read back."""

    async def test(kit: Kit) -> None:
        first, _ = await recorded.heard(kit, spec(image=V1))
        last, _ = await recorded.heard(kit, spec(image=V1), goal="destroy")
        assert first is not None
        assert last is not None
        assert (first.blue, last.green) == (None, None)
        assert "first deploy" in render(first)
        assert (last.ending, entry_of(name_of(last)) is not None) == ("destroyed", True)
        assert "destroyed" in render(last)

    simulate(test)


def test_a_run_that_changes_nothing_leaves_nothing() -> None:
    async def test(kit: Kit) -> None:
        await recorded.heard(kit, spec(image=V1))
        timeline, outcome = await recorded.heard(kit, spec(image=V1))
        assert (timeline, outcome.ending) == (None, Ending.UNCHANGED)

    simulate(test)


def test_it_is_bounded_and_says_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a deployment is, and whatever it says."""
    for kind in record.MOST:
        monkeypatch.setitem(record.MOST, kind, 1)
    monkeypatch.setattr(watched, "MOST_MACHINES", 1)
    monkeypatch.setattr(watched, "MOST_LOOKS", 1)

    async def test(kit: Kit) -> None:
        timeline, _ = await recorded.heard(kit, spec(image=V1))
        assert timeline is not None
        assert len(timeline.steps) == len(timeline.phases) == len(timeline.machines) == 1
        assert len(timeline.machines[0].looks) == 1
        assert {"steps", "phases", "machines", "looks"} <= timeline.left_out.keys()

    simulate(test)


def test_every_text_goes_through_the_scrubber() -> None:
    """What was said, what failed, what a test found: nothing is kept as it came."""
    recorder = record.Recorder("rooms", lambda text: "[scrubbed]")

    async def test(kit: Kit) -> None:
        kit.runtime.script("rooms-g1-*", kit.app(healthy_after=1000.0))
        await recorded.heard(kit, spec(image=V1, deadlines={"verify": "5s"}), recorder.hear)
        recorder.hear(Event(Kind.NOTE, 1.0, "a line"))
        timeline = recorder.timeline()
        assert timeline is not None
        assert timeline.failure is not None
        texts = {line.text for line in timeline.lines} | set(timeline.failure.reasons) | {timeline.serving}
        texts |= {machine.name for machine in timeline.machines} | {step.name for step in timeline.steps}
        assert texts == {"[scrubbed]"}

    simulate(test)
