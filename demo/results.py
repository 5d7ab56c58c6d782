"""The files that a run leaves: whole, or those of the run before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write(folder: Path, stem: str, data: Mapping[str, Any], pictures: Mapping[str, bytes]) -> list[Path]:
    """Write `stem`.json and the pictures, each in one move and none before all are made; the paths.

    `pictures`: by their files' endings.
    """
    contents = {"json": json.dumps(data, indent=1).encode() + b"\n", **pictures}
    folder.mkdir(parents=True, exist_ok=True)
    parts = {folder / f"{stem}.{ending}": folder / f".{stem}.{ending}.part" for ending in contents}
    try:
        for part, content in zip(parts.values(), contents.values(), strict=True):
            part.write_bytes(content)
        for path, part in parts.items():
            part.replace(path)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return list(parts)
