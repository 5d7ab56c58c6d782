"""The page's two kinds of pictures as boxes and words, for the template to write down. Pure.

The first shows everything, with every phase at least wide enough to be read; the second one handoff window, to scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from providers.timeline.lanes import Group, Stretch, groups, reached, stretches
from providers.timeline.model import MachineLine, StepSpan, Timeline, Window
from providers.timeline.record import CLOSES, OPENS
from providers.timeline.scale import Scale, by_parts, ticks

WIDTH, LEFT, RIGHT = 1080, 190, 1064
TOP, ROW, THIN_ROW, HEADING, LANE = 58, 22, 9, 24, 26
MOST_ROWS = 40
"""With more machines rows are thin, and only regions are named."""
LEAST_PHASE = 104
NAMES = 290
"""So wide are the names of steps."""
CHARACTER = 6.6
"""About how wide one is."""


@dataclass(frozen=True)
class Box:
    """A rectangle. ``classes``: what the style sheet knows it by; ``told``: its tooltip; ``text``: written into it."""

    x: float
    y: float
    width: float
    height: float
    classes: str
    told: str = ""
    text: str = ""


@dataclass(frozen=True)
class Words:
    """A text at its baseline. ``anchor``: ``start``, ``middle`` or ``end``."""

    x: float
    y: float
    text: str
    classes: str = ""
    anchor: str = "start"


@dataclass(frozen=True)
class Mark:
    """A moment, as a vertical line with its name."""

    x: float
    text: str


@dataclass(frozen=True)
class Picture:
    """A drawing."""

    height: float
    boxes: tuple[Box, ...]
    words: tuple[Words, ...]
    marks: tuple[Mark, ...] = ()


def seconds(length_s: float) -> str:
    """``0.39 s``, ``14.8 s``, ``3 min 5 s``."""
    if length_s < 0.005:
        return "0 s"
    if length_s < 10:
        return f"{length_s:.2f} s"
    if length_s < 60:
        return f"{length_s:.1f} s"
    minutes, rest = divmod(round(length_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def whole(timeline: Timeline) -> Picture:
    """Phases as bands, machines as rows, and who was reached."""
    edges = [span.started_at for span in timeline.phases] + [timeline.ended_at]
    scale = by_parts(edges, LEFT, RIGHT, LEAST_PHASE)
    boxes: list[Box] = []
    words: list[Words] = [Words(LEFT - 12, TOP + 17, "users reach", "label strong", "end")]
    found = groups(timeline)
    for group in found:
        boxes += [
            _bar(scale, stretch, TOP + 4, LANE - 8, f"lane {group.role}")
            for stretch in reached(group, timeline.ended_at)
        ]
    y = float(TOP + LANE)
    thin = sum(len(group.machines) for group in found) > MOST_ROWS
    for group in found:
        words.append(
            Words(LEFT - 12, y + 17, f"{group.role} {group.release}", f"heading {group.role}", "end")
        )
        y += HEADING
        rows = list(_rows(group, scale, y, timeline.ended_at, thin=thin))
        boxes += [box for row in rows for box in row[0]]
        words += [word for row in rows for word in row[1]]
        y += len(rows) * (THIN_ROW if thin else ROW)
    height = y + 14
    bands = list(_bands(timeline, scale, height))
    marks = [
        Mark(scale.x(step.started_at + step.seconds), "failed" if step.reasons else "commit point")
        for step in timeline.steps
        if step.commit or step.reasons
    ]
    return Picture(height + 8, tuple(bands + boxes), (*_times(timeline, scale), *words), tuple(marks))


def _bands(timeline: Timeline, scale: Scale, height: float) -> Iterator[Box]:
    failed = {step.phase for step in timeline.steps if step.reasons}
    for index, span in enumerate(timeline.phases):
        left, right = scale.knots[index][1], scale.knots[index + 1][1]
        marks = f"band {'odd' if index % 2 else 'even'}{' failed' if span.name in failed else ''}"
        told = f"{span.name}: {seconds(span.ended_at - span.started_at)}"
        yield Box(left, 20, right - left, height - 20, marks, told, span.name)
    for window in timeline.windows:
        left, right = scale.x(window.opened_at), scale.x(_closed(timeline, window))
        told = f"handoff window: {seconds(_closed(timeline, window) - window.opened_at)}"
        yield Box(left, TOP, max(right - left, 2), height - TOP, "window", told)


def _times(timeline: Timeline, scale: Scale) -> Iterator[Words]:
    last = -1000.0
    for at in [span.started_at for span in timeline.phases] + [timeline.ended_at]:
        x = scale.x(at)
        if x - last > 50:
            yield Words(
                x, 14, f"+{seconds(at - timeline.started_at)}", "time", "end" if x > RIGHT - 40 else "start"
            )
            last = x


def _rows(
    group: Group, scale: Scale, y: float, end: float, *, thin: bool
) -> Iterator[tuple[list[Box], list[Words]]]:
    named: set[str] = set()
    step = THIN_ROW if thin else ROW
    for index, machine in enumerate(group.machines):
        top = y + index * step
        boxes = [_bar(scale, one, top + 2, step - 4, group.role) for one in stretches(machine, end)]
        boxes += [_bar(scale, one, top + step - 4, 2, "ill") for one in stretches(machine, end) if one.ill]
        words = [] if thin and machine.region in named else [_label(machine, top + step * 0.7, thin=thin)]
        named.add(machine.region)
        yield boxes, words


def _label(machine: MachineLine, y: float, *, thin: bool) -> Words:
    text = machine.region if thin else f"{machine.region}  {machine.name}"
    return Words(LEFT - 12, y, _fitting(text, LEFT - 16), "label", "end")


def _bar(scale: Scale, stretch: Stretch, y: float, height: float, classes: str) -> Box:
    left, right = scale.x(stretch.start), scale.x(stretch.end)
    return Box(left, y, max(right - left, 0.5), height, f"{classes} {stretch.kind}", stretch.told)


def window(timeline: Timeline, opened: Window) -> Picture:
    """One handoff window to scale: each step in it is a row."""
    end = _closed(timeline, opened)
    length = max(end - opened.opened_at, 0.001)
    scale = Scale(((opened.opened_at, NAMES + 12.0), (end, RIGHT - 60.0)))
    boxes: list[Box] = []
    words: list[Words] = []
    y = 30.0
    for step in _inside(timeline, opened):
        left, right = scale.x(step.started_at), scale.x(step.started_at + step.seconds)
        kind = "failed" if step.reasons else "commit" if step.commit else "gate" if step.gate else "plain"
        told = f"{step.phase}: {step.name}: {seconds(step.seconds)}"
        boxes.append(Box(left, y + 4, max(right - left, 3), ROW - 8, f"step {kind}", told))
        words.append(Words(NAMES, y + 15, _fitting(step.name, NAMES), "label", "end"))
        words.append(Words(max(right, left + 3) + 8, y + 15, seconds(step.seconds), "time"))
        y += ROW
    left, right = scale.x(opened.opened_at), scale.x(end)
    band = Box(left, 20, right - left, y - 14, "window", f"handoff window: {seconds(length)}")
    marks = [Words(scale.x(opened.opened_at + at), 14, f"{at:g} s", "time", "middle") for at in ticks(length)]
    return Picture(y + 12, (band, *boxes), (*marks, *words))


def _inside(timeline: Timeline, opened: Window) -> Iterator[StepSpan]:
    """From the step that opens the window to the one that closes it."""
    is_open = False
    for step in timeline.steps:
        is_open = is_open or (step.name == OPENS and step.started_at >= opened.opened_at)
        if is_open:
            yield step
        if is_open and step.name.startswith(CLOSES) and not step.reasons:
            return


def _closed(timeline: Timeline, one: Window) -> float:
    return timeline.ended_at if one.closed_at is None else one.closed_at


def _fitting(text: str, width: float) -> str:
    most = int(width / CHARACTER)
    return text if len(text) <= most else f"{text[: most - 1]}…"
