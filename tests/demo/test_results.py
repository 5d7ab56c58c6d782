"""What a run leaves: a picture and data, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from demo import results
from demo.picture import render, render_comparison
from demo.timeline import Timeline, build
from tests.demo.history import make_evidence

PNG = b"\x89PNG\r\n\x1a\n"


def write(folder: Path, timeline: Timeline) -> list[Path]:
    return results.write(folder, "timeline", timeline.to_json(), render(timeline))


@pytest.fixture(scope="module")
def timeline() -> Timeline:
    return build(make_evidence())


@pytest.mark.parametrize("window", [0.9, None], ids=["handoff", "overlap"])
def test_a_picture_is_drawn_with_and_without_a_window(window: float | None) -> None:
    """Both cutovers have a picture, as PNG and as SVG."""
    files = render(build(make_evidence(window=window)))
    assert files["png"].startswith(PNG)
    assert b"<svg" in files["svg"]


def test_two_runs_are_drawn_side_by_side(timeline: Timeline) -> None:
    """Their picture has both, and is there as PNG and as SVG."""
    files = render_comparison(timeline, build(make_evidence(window=None, lost=2)))
    assert files["png"].startswith(PNG)
    assert b"<svg" in files["svg"]


def test_the_same_run_gives_the_same_picture(timeline: Timeline) -> None:
    """No clock and no chance is in the picture, so that its changes are those of the run."""
    assert render(timeline) == render(timeline)


def test_picture_and_data_are_written(tmp_path: Path, timeline: Timeline) -> None:
    """The folder is made, and holds the three files that were told and nothing else."""
    paths = write(tmp_path / "new" / "out", timeline)
    assert sorted(path.name for path in paths) == ["timeline.json", "timeline.png", "timeline.svg"]
    assert set(paths) == set((tmp_path / "new" / "out").iterdir())
    assert json.loads(paths[0].read_text())["verdict"]["lost"] == 0


def test_an_interrupted_write_leaves_the_files_of_the_run_before(
    tmp_path: Path, timeline: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between two files leaves neither a half one nor a mix of two runs."""
    write(tmp_path, timeline)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(Path, "write_bytes", interrupt_at(".timeline.svg.part"))
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, build(make_evidence(lost=1)))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def interrupt_at(name: str) -> Callable[[Path, bytes], int]:
    write_bytes = Path.write_bytes

    def write(path: Path, content: bytes) -> int:
        if path.name == name:
            write_bytes(path, content[:1])
            raise KeyboardInterrupt
        return write_bytes(path, content)

    return write
