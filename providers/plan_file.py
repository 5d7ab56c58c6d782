"""The plan of each app as a file, for CI: in the directory that ``BLUEGREEN_PLAN_DIR`` names, ``<app>.json``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

VARIABLE = "BLUEGREEN_PLAN_DIR"


def write_plan(app: str, plan: dict[str, Any]) -> str:
    """Write the plan where somebody asked for it, whole or not at all. ``""``, or why it was not written.

    A relative directory is one of the Pulumi project's. The process's number keeps two runs' parts apart.
    """
    named = os.environ.get(VARIABLE, "")
    if not named:
        return ""
    folder = Path(named)
    part = folder / f".{app}.{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(plan, indent=2) + "\n", encoding="utf-8")
        part.replace(folder / f"{app}.json")
    except OSError as error:
        return f"the plan was not written to {named} ({VARIABLE}): {error.strerror}"
    return ""
