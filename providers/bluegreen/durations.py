"""Durations as Fly writes them: Go strings such as ``"500ms"``, ``"15s"``, ``"1m30s"``."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def seconds(text: str) -> float:
    """``"1m30s"`` → 90.0. Raises ``ValueError`` for anything else."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f'"{text}" is not a duration; write it as "30s", "1m30s" or "500ms"')
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def text(duration_s: float) -> str:
    """90.0 → ``"1m30s"``, 0.25 → ``"250ms"``."""
    if duration_s < 1:
        return f"{round(duration_s * 1000)}ms"
    minutes, rest = divmod(duration_s, 60)
    if not minutes:
        return f"{rest:g}s"
    return f"{minutes:g}m{rest:g}s" if rest else f"{minutes:g}m"


def _checked(value: str) -> str:
    seconds(value)
    return value


Duration = Annotated[str, AfterValidator(_checked), WithJsonSchema({"type": "string", "format": "duration"})]
