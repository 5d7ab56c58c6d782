"""What two orders of the same deploy did to the same load. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from demo.timeline import Timeline, Verdict

NAMES = ("handoff, as here", "overlap, Fly's own order")
SHOWN, BROKEN_HERE, NOTHING_LOST = 0, 1, 3
_FIGURES = (
    "acknowledged edits",
    "lost",
    "duplicated",
    "at another place",
    "rooms with two owners",
    "handoff window",
    "both clusters served",
    "players' gap, p50",
    "players' gap, longest",
)
_COLUMN = 22


@dataclass(frozen=True, slots=True)
class Comparison:
    """`safe` is this project's order, `unsafe` Fly's own with the app's fence off."""

    safe: Timeline
    unsafe: Timeline

    @property
    def exit_code(self) -> int:
        """SHOWN when the first kept every promise and the second broke one, which is what is to be shown."""
        if not self.safe.verdict.passed:
            return BROKEN_HERE
        return NOTHING_LOST if self.unsafe.verdict.passed else SHOWN


def tabulate(comparison: Comparison) -> list[str]:
    """A table: a line for each figure, a column for each order."""
    runs = (comparison.safe, comparison.unsafe)
    columns = [(name, *_list_figures(run)) for name, run in zip(NAMES, runs, strict=True)]
    return [
        f"  {name:<24}{first:<{_COLUMN}}{second}".rstrip()
        for name, first, second in zip(("", *_FIGURES), *columns, strict=True)
    ]


def _list_figures(run: Timeline) -> tuple[str, ...]:
    verdict = run.verdict
    return (
        f"{verdict.acknowledged:,}",
        f"{verdict.lost:,}",
        f"{verdict.duplicated:,}",
        f"{verdict.moved:,}",
        f"{verdict.rooms_with_two_owners:,}",
        f"{run.window.seconds:.2f} s" if run.window else "none",
        f"{run.overlap.seconds:.2f} s" if run.overlap else "never",
        *(f"{gap:.2f} s" if gap is not None else "none" for gap in (verdict.gap_p50, verdict.gap_max)),
    )


def explain(comparison: Comparison) -> str:
    """The result in a sentence."""
    lost = count_broken(comparison.unsafe.verdict)
    return {
        SHOWN: f"Saved before it is routed, nothing is lost; routed before it has saved: {lost}.",
        BROKEN_HERE: "Promises were broken in this project's own order: this should not happen.",
        NOTHING_LOST: "By chance the other order broke no promise this time: nothing was shown. Run it again.",
    }[comparison.exit_code]


def count_broken(verdict: Verdict) -> str:
    """The promises that were broken, for a person."""
    counts = {
        "acknowledged edits lost": verdict.lost,
        "duplicated": verdict.duplicated,
        "at another place": verdict.moved,
        "rooms with two owners": verdict.rooms_with_two_owners,
    }
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count) or "nothing lost"
