"""The timeline says what happened, when, and to whom."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.picture.phases import list_rows
from demo.summary import describe_window, headline
from demo.timeline import BIN_SECONDS, Machine, Steps, Timeline, build
from demo.timeline.traffic import fill_bins, squeeze
from tests.demo.history import EPOCH, LIVES, V1, V2, History, make_ack, make_evidence, make_log, tell_handoff


@pytest.fixture(scope="module")
def timeline() -> Timeline:
    return build(make_evidence())


def find(timeline: Timeline, name: str) -> Machine:
    return next(machine for machine in timeline.machines if machine.name == name)


def round_times(steps: Steps) -> list[tuple[float, int]]:
    """To milliseconds: times since 1970 have lost the rest."""
    return [(round(at, 3), value) for at, value in steps]


def test_an_old_machine_goes_through_its_states_in_order(timeline: Timeline) -> None:
    """Blue is created, started, healthy, routed, cordoned, stopping and stopped, one after the other."""
    states = find(timeline, "rooms-g1-ams-1").states
    assert [span.name for span in states] == [
        "created", "started", "healthy", "routed", "cordoned", "stopping", "stopped",
    ]  # fmt: skip
    assert all(before.end == after.start for before, after in pairwise(states))


def test_a_machine_is_routed_once_the_proxy_knows_it(timeline: Timeline) -> None:
    """What the API was told counts for users when the proxy has learned it, not before."""
    healthy, routed = find(timeline, "rooms-g2-ams-1").states[-2:]
    assert (healthy.name, routed.name) == ("healthy", "routed")
    assert routed.start == pytest.approx(2.8)


def test_a_life_ends_when_the_machine_is_destroyed(timeline: Timeline) -> None:
    """The last state of a destroyed machine ends there; that of a living one lasts to the timeline's end."""
    assert find(timeline, "rooms-g1-iad-1").states[-1].end == pytest.approx(3.0)
    assert find(timeline, "rooms-g2-iad-1").states[-1].end == pytest.approx(timeline.end)


def test_routed_traffic_follows_the_proxy(timeline: Timeline) -> None:
    """Each release has as many routed machines as the proxy routes to, at the moments when it learns them."""
    blue, green = timeline.releases
    assert round_times(blue.routed) == [(-6.3, 2), (2.2, 0)]
    assert round_times(green.routed) == [(2.8, 2)]


def test_sockets_are_counted_and_requests_are_not_sockets(timeline: Timeline) -> None:
    """A WebSocket counts from its opening to its close, a plain request only among the requests."""
    blue, green = timeline.releases
    assert round_times(blue.sockets) == [(-4.0, 1), (2.15, 0)]
    assert round_times(green.sockets) == [(2.9, 1)]
    assert (sum(blue.requests), sum(green.requests)) == (2, 1)


def test_acknowledgements_are_counted_in_their_bin(timeline: Timeline) -> None:
    """Each acknowledged edit stands in the bin of its time and its release, those of guests included."""
    blue, green = timeline.releases
    assert (sum(blue.acks), sum(green.acks)) == (2, 1)
    at = [timeline.start + number * BIN_SECONDS for number, count in enumerate(green.acks) if count]
    assert at == [pytest.approx(3.0)]


def test_time_zero_is_the_start_of_the_second_rollout(timeline: Timeline) -> None:
    """The rollout that it is about begins at 0, and the timeline where the first `up` began."""
    assert timeline.releases[1].phases[0].start == 0
    assert timeline.start == pytest.approx(-10)
    assert [command.name for command in timeline.commands] == ["pulumi up v1", "pulumi up v2"]


def test_the_window_opens_at_the_first_cordon_and_lasts_as_measured(timeline: Timeline) -> None:
    """The handoff window is the deployment's own figure, placed where blue was first cordoned."""
    assert timeline.window is not None
    assert timeline.window.start == pytest.approx(2.0)
    assert timeline.window.seconds == pytest.approx(0.9)


def test_the_window_is_told_in_its_parts(timeline: Timeline) -> None:
    """Drain, proof, stop, commit and route follow each other without a gap, and are the window together."""
    parts = [(part.name, round(part.start, 3)) for part in timeline.parts]
    assert parts == [("drain", 2.0), ("proof", 2.2), ("stop", 2.35), ("commit", 2.5), ("route", 2.6)]
    assert all(before.end == after.start for before, after in pairwise(timeline.parts))
    assert timeline.window is not None
    assert timeline.parts[-1].end == timeline.window.end
    assert describe_window(timeline) == (
        "0.90 s = drain 0.20 + proof 0.15 + stop 0.15 + commit 0.10 + route 0.30"
    )


def test_a_proof_after_the_stop_is_told_after_it() -> None:
    """A cluster that drains by its stop signal is proven when it has stopped, and the parts say so."""
    stopped = make_evidence()
    outputs = dict(stopped.rollouts[1].outputs)
    outputs["proven"] = outputs["proven"] | {"started_at": EPOCH + 2.52, "seconds": 0.03}
    second = replace(stopped.rollouts[1], outputs=outputs)
    parts = build(replace(stopped, rollouts=(stopped.rollouts[0], second))).parts
    assert [part.name for part in parts] == ["drain", "stop", "proof", "commit", "route"]


def test_tests_and_proof_stand_where_they_were_made(timeline: Timeline) -> None:
    """Each test has its name and its time, and the proof its figures and its moment."""
    spans = [(test.name, round(test.start, 3), round(test.seconds, 3)) for test in timeline.tests]
    assert spans == [("version", 1.2, 0.02), ("smoke", 1.3, 0.6)]
    proof = timeline.proof
    assert proof is not None
    assert (proof.rooms, proof.objects, proof.bytes) == (1, 1, 4096)
    assert (round(proof.start, 3), round(proof.end, 3)) == (2.2, 2.3)


def test_tests_and_proof_are_rows_below_their_phases(timeline: Timeline) -> None:
    """The picture's first panel shows them by name, each in the phase that it belongs to."""
    assert [row.text for row in list_rows(timeline)] == [
        "create-new  0.90 s",
        "verify  1.10 s",
        "test version passed  0.02 s",
        "test smoke passed  0.60 s",
        "drain-old  0.50 s",
        "proof: 1 rooms, 1 objects, 4,096 bytes saved  0.10 s",
        "switch-routes  0.40 s",
    ]


def test_overlap_has_no_window_but_the_time_of_both() -> None:
    """Where both clusters were routed at once no window is made up, and it is told how long both served."""
    timeline = build(make_evidence(window=None))
    assert (timeline.window, timeline.parts, timeline.proof) == (None, (), None)
    assert timeline.overlap is not None
    assert timeline.overlap.start == pytest.approx(1.5)
    assert timeline.overlap.end == pytest.approx(2.5)
    assert describe_window(timeline) == "none with cutover overlap: both clusters served for 1.00 s"
    assert headline(timeline) == "1 players, 3 acknowledged edits, 0 lost"


def test_a_handoff_has_no_time_of_both(timeline: Timeline) -> None:
    """Clusters that follow each other never serve at once."""
    assert timeline.overlap is None


def test_a_missing_edit_is_in_the_verdict_and_in_the_headline() -> None:
    """An acknowledged edit that is not in its room is lost, and the first line says so."""
    timeline = build(make_evidence(lost=2))
    assert (timeline.verdict.lost, timeline.verdict.passed) == (2, False)
    assert headline(timeline) == "1 players, 3 acknowledged edits, 2 lost — handoff window 0.90 s"
    assert [sum(release.lost) for release in timeline.releases] == [1, 1]
    assert [dot.lost for dot in timeline.dots] == [True, True]


def test_dots_are_the_edits_around_the_switch() -> None:
    """Edits far from the window are not among the dots, and players keep one row each."""
    acks = [make_ack(1, -3.0, V1), make_ack(2, 1.9, V1), make_ack(1, 3.0, V2, "bob")]
    timeline = build(make_evidence(log=make_log(*acks)))
    assert [(dot.player, dot.release) for dot in timeline.dots] == [(0, V1), (1, V2)]


def test_the_data_is_plain_json_with_the_verdict(timeline: Timeline) -> None:
    """What is written reads back as it is, and says whether the promises were kept."""
    data = timeline.to_json()
    assert json.loads(json.dumps(data)) == json.loads(json.dumps(data | {"passed": True}))
    assert {machine["name"] for machine in data["machines"]} == set(LIVES)


def test_a_machine_that_flaps_keeps_its_gaps() -> None:
    """Health that comes and goes before routing shows as it was, not smoothed over."""
    history = tell_handoff()
    history.machine(1.5, "rooms-g2-ams-1", "started", cordoned=True, healthy=False)
    history.machine(1.7, "rooms-g2-ams-1", "started", cordoned=True, healthy=True)
    states = find(build(make_evidence(history)), "rooms-g2-ams-1").states
    assert [span.name for span in states] == ["created", "started", "healthy", "started", "healthy", "routed"]


@given(st.lists(st.floats(-5, 5)), st.floats(-4, 0), st.floats(0.1, 4))
def test_no_time_is_counted_twice_or_dropped(times: list[float], start: float, end: float) -> None:
    """Every time between start and end stands in one bin, and no other time does."""
    assert sum(fill_bins(times, start, end)) == sum(start <= at <= end for at in times)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 3))))
def test_squeezed_steps_have_the_same_value_at_any_time(steps: list[tuple[int, int]]) -> None:
    """Leaving out the steps that change nothing changes no value."""
    ordered = [(float(at), value) for at, value in sorted(steps, key=lambda step: step[0])]
    squeezed = squeeze(ordered)
    for moment in range(52):
        last = [value for at, value in ordered if at <= moment][-1:]
        kept = [value for at, value in squeezed if at <= moment][-1:]
        assert (kept or [0]) == (last or [0])


def test_an_empty_cluster_is_no_machine() -> None:
    """A history in which a machine was never routed has no step for it."""
    history = History()
    history.live("rooms-g1-ams-1")
    history.live("rooms-g2-ams-1")
    timeline = build(make_evidence(history))
    assert [release.routed for release in timeline.releases] == [(), ()]
