"""The pictures can be read: no text lies on another one, and none leaves the paper."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from demo.picture import draw
from demo.picture.comparison import draw_comparison
from demo.picture.theme import STYLE
from demo.timeline import Proof, Span, build
from tests.demo.history import make_evidence

MUCH = Proof(2.2, 2.3, rooms=1_250, objects=1_250, bytes=1_234_567_890)


def list_collisions(figure: Figure) -> list[tuple[str, str]]:
    """The texts that lie on each other, or (with "the paper") that it cuts off."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = {text for text in figure.findobj(Text) if text.get_visible() and text.get_text()}
    texts = sorted(drawn - find_undrawn(figure), key=lambda text: text.get_text())
    boxes = [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in texts]
    assert len(boxes) > 30, "the texts were not found"
    paper = figure.bbox.padded(1)
    cut = [(name, "the paper") for name, box in boxes if not paper.containsx(box.x0) or box.x1 > paper.x1]
    return cut + [
        (one, other) for (one, box), (other, its_box) in combinations(boxes, 2) if box.overlaps(its_box)
    ]


def find_undrawn(figure: Figure) -> set[Text]:
    """An axis keeps the labels of ticks beyond its ends, and draws none of them."""
    return {
        tick.label1
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks()
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }


@pytest.mark.parametrize("window", [0.65, 0.9, 4.0, None])
def test_a_timeline_has_no_text_on_text(window: float | None) -> None:
    """However long the window is, and where there is none, every label stands by itself."""
    timeline = build(make_evidence(window=window, lost=0 if window else 2))
    with mpl.rc_context(STYLE):
        assert list_collisions(draw(timeline)) == []


def test_large_figures_have_room() -> None:
    """A proof of a gigabyte, and tests with names as long as they may be, fit."""
    timeline = build(make_evidence())
    tests = tuple(Span("x" * 40, test.start, test.end) for test in timeline.tests)
    with mpl.rc_context(STYLE):
        assert list_collisions(draw(replace(timeline, proof=MUCH, tests=tests))) == []


def test_two_timelines_have_no_text_on_text() -> None:
    """The same holds side by side."""
    second = build(make_evidence(window=None, lost=2))
    with mpl.rc_context(STYLE):
        assert list_collisions(draw_comparison(build(make_evidence()), second)) == []


def test_texts_on_each_other_are_found() -> None:
    """Negative control: a label that is put on another one is seen."""
    with mpl.rc_context(STYLE):
        figure = draw(build(make_evidence()))
        figure.text(0.0232, 0.963, "on the title")
        assert len(list_collisions(figure)) == 1
