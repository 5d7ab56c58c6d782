"""The lifecycle's diagrams, as Mermaid, from the planner's tables: what they show is what runs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise

from providers.bluegreen import lifecycle
from providers.bluegreen.lifecycle import Row
from providers.bluegreen.model import Role
from tools.docs.marked import between_marks

_LEFT_BEHIND = (Role.PAST, Role.STRAY, Role.TASK)

_DIAGRAMS = (
    ("handoff", "Cutover `handoff`, the default.", lifecycle.HANDOFF),
    ("overlap", "Cutover `overlap`, Fly's own order, for stateless apps.", lifecycle.OVERLAP),
    (
        "scale",
        "Counts or regions alone: green is what is added; blue, under `overlap`, what leaves. No other is touched.",
        lifecycle.SCALE,
    ),
    ("restore", "A failure before the commit point: blue serves again, then green goes.", lifecycle.RESTORE),
    ("rollback", "Green failed in its bake time: the state is handed back.", lifecycle.HANDOFF_BACK),
    ("destroy", "`pulumi destroy`: the state is proven saved first.", lifecycle.DESTROY),
)


def page(before: str) -> str:
    """The whole page: what people wrote, and the diagrams."""
    made = "\n\n".join(f"## {title}\n\n{what}\n\n{diagram(rows)}" for title, what, rows in _DIAGRAMS)
    return between_marks(before, made)


def diagram(rows: tuple[Row, ...]) -> str:
    """One table as a flowchart: a box for each phase, steps in order; gates are hexagons, the commit point is thick.

    Left out is what is done only where something was left behind, or fell apart.
    """
    return "\n".join(["```mermaid", "flowchart TB", *_lines(_shown(rows)), "```"])


def _shown(rows: tuple[Row, ...]) -> list[tuple[str, Row]]:
    steps = ((f"s{n}", row) for n, row in enumerate(rows) if not row.repair and not row.if_needed)
    return [(name, row) for name, row in steps if row.on not in _LEFT_BEHIND]


def _lines(steps: list[tuple[str, Row]]) -> Iterator[str]:
    for number, (phase, group) in enumerate(groupby(steps, key=lambda step: step[1].phase)):
        yield f'  subgraph p{number}["{phase}"]'
        yield from (f"    {name}{_box(row)}" for name, row in group)
        yield "  end"
    yield from (f"  {before} --> {after}" for (before, _), (after, _) in pairwise(steps))
    commits = [name for name, row in steps if row.commit]
    if commits:
        yield f"  class {','.join(commits)} commit"
        yield "  classDef commit stroke-width:4px"


def _box(row: Row) -> str:
    text = f"{row.name}{' · commit point' if row.commit else ''}"
    return f'{{{{"{text}"}}}}' if row.gate else f'["{text}"]'
