"""The page of a timeline, in a real browser: it shows what happened, asks for nothing, and runs nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from providers.timeline.model import Timeline
from providers.timeline.page import render
from tests.looking import recorded
from tests.looking.browser import Page, no_browser

ENDINGS = pytest.mark.parametrize("made", [recorded.success, recorded.aborted, recorded.rolled_back])
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])
ATTACK = '"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
LEAST_CONTRAST = 4.5
"""Of WCAG 2.1 AA, for text of this size."""
CONTRAST = """
(() => {
  const part = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = rgb => 0.2126 * part(rgb[0]) + 0.7152 * part(rgb[1]) + 0.0722 * part(rgb[2]);
  const numbers = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const found = numbers(getComputedStyle(e).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("h1, h2, p, li, dt, dd, th, td, code, summary, svg text")]
    .filter(e => e.textContent.trim())
    .map(e => {
      const style = getComputedStyle(e);
      const ink = luminance(numbers(e instanceof SVGElement ? style.fill : style.color));
      const paper = luminance(ground(e));
      const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
      return [ratio, e.textContent.trim().slice(0, 40)];
    });
})()
"""


def show(page: Page, timeline: Timeline, folder: Path, scheme: str = "light", width: int = 1200) -> None:
    file = folder / "page.html"
    file.write_text(render(timeline), encoding="utf-8")
    page.open(file, scheme=scheme, width=width)


@ENDINGS
@SCHEMES
def test_it_shows_what_happened_and_needs_nothing_else(made, scheme, page: Page, tmp_path: Path) -> None:
    """Nothing but the file is asked for, nothing is complained of; the ending, every phase and machine can be read."""
    timeline = made()
    show(page, timeline, tmp_path, scheme)
    asked = [request["request"]["url"] for request in page.told("Network.requestWillBeSent")]
    assert asked == [(tmp_path / "page.html").as_uri()]
    assert page.told("Log.entryAdded") == []
    assert page.told("Runtime.exceptionThrown") == []
    assert page.evaluate("document.querySelector('h1 .badge').textContent") == timeline.ending
    drawn = page.evaluate("[...document.querySelectorAll('main svg text')].map(e => e.textContent)")
    assert {span.name for span in timeline.phases} <= set(drawn)
    assert all(any(machine.name in text for text in drawn) for machine in timeline.machines)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 20, 27)"
    assert dark == (scheme == "dark")
    faint = [pair for pair in page.evaluate(CONTRAST) if pair[0] < LEAST_CONTRAST]
    assert faint == []


@pytest.mark.parametrize("width", [1200, 380])
def test_it_fits_wide_and_narrow_windows(width, page: Page, tmp_path: Path) -> None:
    """What is wider than the window scrolls by itself; the page does not."""
    show(page, recorded.rolled_back(), tmp_path, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_an_app_says_is_text_and_never_markup(page: Page, tmp_path: Path) -> None:
    """Reasons, machine names, states, summaries, releases: whatever they hold, nothing of it runs or is an element."""
    told = recorded.aborted().model_dump_json()
    hostile = re.sub(r'"(rooms-g[^"]*|started|prove saved[^"]*|machine [^"]*)"', _attack, told)
    timeline = Timeline.model_validate_json(hostile).model_copy(update={"serving": ATTACK, "app": ATTACK})
    show(page, timeline, tmp_path)
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.querySelectorAll('img, script').length") == 0
    assert ATTACK in page.evaluate("document.body.textContent")
    assert page.told("Log.entryAdded") == []


def test_without_escaping_the_attack_is_found(page: Page, tmp_path: Path) -> None:
    """The negative control: the same text as markup makes elements, and the policy still keeps it from running."""
    file = tmp_path / "page.html"
    timeline = recorded.success().model_copy(update={"serving": "ATTACK"})
    file.write_text(render(timeline).replace("ATTACK", ATTACK), encoding="utf-8")
    page.open(file, scheme="light")
    assert page.evaluate("document.querySelectorAll('img, script').length") == 2
    assert page.evaluate("window.hacked") is None
    assert page.told("Log.entryAdded") != []


def _attack(found: re.Match[str]) -> str:
    return '"' + found[1] + ATTACK.replace('"', '\\"') + '"'


def test_every_picture_has_a_name_and_every_number_is_also_in_a_table(page: Page, tmp_path: Path) -> None:
    """Who does not see the drawing reads the same in tables: each machine, each step, each gate."""
    timeline = recorded.success()
    show(page, timeline, tmp_path)
    named = "[...document.querySelectorAll('svg[role=img]')].every(e => e.querySelector('title').textContent)"
    assert page.evaluate(named)
    rows = page.evaluate("[...document.querySelectorAll('tbody tr')].map(e => e.textContent)")
    assert len(rows) >= len(timeline.steps) + len(timeline.machines)
    assert all(any(step.name in row for row in rows) for step in timeline.steps)


def test_without_a_browser_ci_fails_and_people_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A skip in CI is seen by nobody: whoever changes the page there would be told that all is well."""
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no browser in CI: none is on PATH"):
        no_browser("none is on PATH")
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="no browser: none is on PATH"):
        no_browser("none is on PATH")
