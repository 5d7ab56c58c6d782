"""The files that a run leaves: whole, or those of the run before."""

from __future__ import annotations

import json
from pathlib import Path

from demo.picture import render
from demo.timeline import Timeline

STEM = "timeline"


def write(folder: Path, timeline: Timeline) -> list[Path]:
    """Write timeline.json, timeline.svg and timeline.png, each in one move and none before all are made; the paths."""
    contents = {"json": json.dumps(timeline.to_json(), indent=1).encode() + b"\n"} | render(timeline)
    folder.mkdir(parents=True, exist_ok=True)
    parts = {folder / f"{STEM}.{ending}": folder / f".{STEM}.{ending}.part" for ending in contents}
    try:
        for part, content in zip(parts.values(), contents.values(), strict=True):
            part.write_bytes(content)
        for path, part in parts.items():
            part.replace(path)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return list(parts)
