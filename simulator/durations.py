"""Durations as Fly's API takes them: Go's strings ("1m30s") or integers of nanoseconds."""

import re
from typing import Annotated, Any

from pydantic import PlainValidator

UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)
LONGEST = 366 * 24 * 3600.0


def parse_duration(value: Any) -> float:
    """Seconds, from a Go duration string or an integer of nanoseconds; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(
            f"a duration is a string like '15s' or an integer of nanoseconds, not {type(value).__name__}"
        )
    if isinstance(value, str) and len(value) > 40:
        raise ValueError("a duration has at most 40 characters")
    nanoseconds = value if isinstance(value, int) else _parse_text(value) * 1e9
    if not 0 <= nanoseconds <= LONGEST * 1e9:
        raise ValueError("a duration is at least 0 and at most a year")
    return nanoseconds / 1e9


def _parse_text(text: str) -> float:
    if text == "0":
        return 0.0
    parts = PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"invalid duration {text!r}; write it like '15s' or '1m30s'")
    return sum(float(number) * UNITS[unit] for number, unit in parts)


# Seconds in the model, Go's notation on the wire.
Duration = Annotated[float, PlainValidator(parse_duration)]
