"""A timeline's name says when, which release and how it ended, so that a list of names is a history already."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from providers.timeline.model import Timeline

_NAME = re.compile(r"([0-9]{8}T[0-9]{6}\.[0-9]{3}Z)_([0-9a-z-]+)_([a-z-]+)\.json")
_STAMP = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, order=True)
class Entry:
    """One deployment of a history. ``at``: when it began, in UTC; ``name`` sorts as time does."""

    name: str
    at: datetime
    release: str
    ending: str


def name_of(timeline: Timeline) -> str:
    """``20261123T214501.250Z_2-3fa9c1d20e-7c41_rolled-back.json``."""
    at = datetime.fromtimestamp(timeline.started_at, UTC)
    stamp = f"{at:{_STAMP}}.{at.microsecond // 1000:03}Z"
    return f"{stamp}_{timeline.green or 'destroy'}_{timeline.ending.replace(' ', '-')}.json"


def entry_of(name: str) -> Entry | None:
    """``None`` for what is no timeline's name: others may keep things there."""
    found = _NAME.fullmatch(name)
    if not found:
        return None
    try:
        at = datetime.strptime(found[1], f"{_STAMP}.%fZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return Entry(name, at, found[2], found[3].replace("-", " "))
