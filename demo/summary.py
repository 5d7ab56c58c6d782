"""What came of a run, for a person. Pure."""

from __future__ import annotations

from demo.timeline import Span, Timeline, Verdict


def headline(timeline: Timeline) -> str:
    """The result in one line."""
    verdict = timeline.verdict
    window = f" — handoff window {timeline.window.seconds:.2f} s" if timeline.window else ""
    return (
        f"{timeline.players} players, {verdict.acknowledged:,} acknowledged edits, {_losses(verdict)}{window}"
    )


def summarise(timeline: Timeline) -> list[str]:
    """The figures, in lines."""
    verdict = timeline.verdict
    rows = [
        ("edits", f"{verdict.acknowledged:,} acknowledged, {verdict.found:,} found, {verdict.lost} lost, "
                  f"{verdict.duplicated} duplicated, {verdict.moved} at another place"),
        ("players", ", ".join(f"{release.players} of {timeline.players} answered by {release.version}"
                              for release in timeline.releases)),
        ("rooms", f"{verdict.rooms_with_two_owners} with two owners"),
        ("window", describe_window(timeline)),
        ("gap", describe_gap(verdict)),
        ("phases", describe_phases(timeline.releases[-1].phases)),
    ]  # fmt: skip
    return [row(name, text) for name, text in rows]


def row(name: str, text: str) -> str:
    """One line of the table."""
    return f"  {name:<9}{text}"


def explain(timeline: Timeline) -> str:
    """The verdict in a sentence."""
    if timeline.verdict.passed:
        return "Every acknowledged edit is in its room, once, and no room ever had two owners."
    if timeline.cutover == "overlap":
        return "With `overlap`, Fly's own order, both clusters served the same rooms: promises were broken."
    return "Promises were broken: this should not happen."


def describe_window(timeline: Timeline) -> str:
    """The handoff window beside what the app itself needed of it."""
    drain, window = timeline.drain, timeline.window
    own = f"the app's own drain {drain.seconds:.2f} s (slowest: {drain.name})" if drain else "no drain seen"
    if window is None:
        return f"none with cutover {timeline.cutover}; {own}"
    beyond = f" + {window.seconds - drain.seconds:.2f} s" if drain else ""
    return f"{window.seconds:.2f} s = {own}{beyond}"


def describe_gap(verdict: Verdict) -> str:
    """How long disconnected players waited."""
    if verdict.gap_p50 is None or verdict.gap_p99 is None or verdict.gap_max is None:
        return "nobody was disconnected"
    return f"seen by players: p50 {verdict.gap_p50:.2f} s, p99 {verdict.gap_p99:.2f} s, max {verdict.gap_max:.2f} s"


def describe_wait(verdict: Verdict) -> str:
    """The same in a column."""
    if verdict.gap_p50 is None or verdict.gap_p99 is None or verdict.gap_max is None:
        return "nobody waits"
    return f"players wait\np50  {verdict.gap_p50:.2f} s\np99  {verdict.gap_p99:.2f} s\nmax  {verdict.gap_max:.2f} s"


def describe_phases(phases: tuple[Span, ...]) -> str:
    """The rollout's phases and their durations."""
    return ", ".join(f"{phase.name} {phase.seconds:.2f} s" for phase in phases)


def _losses(verdict: Verdict) -> str:
    broken = {
        f"{verdict.lost:,} lost": verdict.lost,
        f"{verdict.duplicated:,} duplicated": verdict.duplicated,
        f"{verdict.moved:,} moved": verdict.moved,
        f"rooms with two owners: {verdict.rooms_with_two_owners}": verdict.rooms_with_two_owners,
    }
    return ", ".join(text for text, count in broken.items() if count) or "0 lost"
