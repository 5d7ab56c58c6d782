"""What came of a run, for a person. Pure."""

from __future__ import annotations

from demo.timeline import Proof, Span, Timeline, Verdict


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
        ("tests", f"passed: {describe_spans(timeline.tests)}"),
        ("proof", describe_proof(timeline.proof)),
        ("window", describe_window(timeline)),
        ("gap", describe_gap(verdict)),
        ("phases", describe_spans(timeline.releases[-1].phases)),
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


def describe_proof(proof: Proof | None) -> str:
    """What was proven to be saved before anything was routed."""
    if proof is None:
        return "none: nobody looked whether the state was saved"
    return f"{describe_saved(proof)} saved, looked up in {proof.seconds:.2f} s"


def describe_saved(proof: Proof) -> str:
    """The proof's figures."""
    return f"{proof.rooms} rooms, {proof.objects} objects, {proof.bytes:,} bytes"


def describe_window(timeline: Timeline) -> str:
    """The handoff window and what it consists of; else how long both clusters served."""
    if timeline.window:
        parts = " + ".join(f"{part.name} {part.seconds:.2f}" for part in timeline.parts)
        return f"{timeline.window.seconds:.2f} s = {parts}"
    both = f"both clusters served for {timeline.overlap.seconds:.2f} s" if timeline.overlap else "no overlap"
    return f"none with cutover {timeline.cutover}: {both}"


def describe_gap(verdict: Verdict) -> str:
    """How long disconnected players waited."""
    if verdict.gap_p50 is None or verdict.gap_p99 is None or verdict.gap_max is None:
        return "seen by nobody"
    return f"seen by players: p50 {verdict.gap_p50:.2f} s, p99 {verdict.gap_p99:.2f} s, max {verdict.gap_max:.2f} s"


def describe_wait(verdict: Verdict) -> str:
    """The same in a column."""
    if verdict.gap_p50 is None or verdict.gap_p99 is None or verdict.gap_max is None:
        return "nobody waits"
    return f"players wait\np50  {verdict.gap_p50:.2f} s\np99  {verdict.gap_p99:.2f} s\nmax  {verdict.gap_max:.2f} s"


def describe_spans(spans: tuple[Span, ...]) -> str:
    """Names and durations."""
    return ", ".join(f"{span.name} {span.seconds:.2f} s" for span in spans)


def _losses(verdict: Verdict) -> str:
    broken = {
        f"{verdict.lost:,} lost": verdict.lost,
        f"{verdict.duplicated:,} duplicated": verdict.duplicated,
        f"{verdict.moved:,} moved": verdict.moved,
        f"rooms with two owners: {verdict.rooms_with_two_owners}": verdict.rooms_with_two_owners,
    }
    return ", ".join(text for text, count in broken.items() if count) or "0 lost"
