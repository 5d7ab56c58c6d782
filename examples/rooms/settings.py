"""What a machine is told by its environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# v2 keeps and shows who made an edit; v1 keeps what it finds, and shows it to nobody.
AUTHORS_SINCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One machine of one release. Times are epoch seconds."""

    version: str
    release: str
    machine_id: str
    instance_id: str
    region: str
    bucket: str | None
    prefix: str
    aws_region: str | None
    checkpoint_seconds: float
    state_format: int
    fenced: bool
    added: bool
    started_at: float

    @classmethod
    def from_env(cls, environ: Mapping[str, str], started_at: float) -> Settings:
        """Read Fly's and the deployer's variables; ValueError names the variable that makes no sense."""
        cutover = _one_of(environ, "BLUEGREEN_CUTOVER", "overlap", "handoff")
        fence = _one_of(environ, "ROOMS_FENCE", "on", "off")
        return cls(
            version=_version(environ.get("ROOMS_VERSION", "v1")),
            release=environ.get("BLUEGREEN_RELEASE", "local"),
            machine_id=environ.get("FLY_MACHINE_ID", "local"),
            instance_id=environ.get("FLY_MACHINE_VERSION", ""),
            region=environ.get("FLY_REGION", "local"),
            bucket=environ.get("BLUEGREEN_STATE_BUCKET") or None,
            prefix=environ.get("BLUEGREEN_STATE_PREFIX", ""),
            # boto3 itself reads AWS_DEFAULT_REGION only, and falls back to us-east-1 (seen with 1.44.5).
            aws_region=environ.get("AWS_REGION") or None,
            checkpoint_seconds=_seconds(environ.get("ROOMS_CHECKPOINT_SECONDS", "3")),
            # Another format than 1 makes a version that cannot read what the others saved.
            state_format=_state_format(environ.get("ROOMS_STATE_FORMAT", "1")),
            # Where clusters follow each other, the owner of the state is recorded; where they overlap, it is not.
            fenced=cutover == "handoff" and fence == "on",
            # To a release that owns the state already: it waits for a record of its own.
            added=_one_of(environ, "BLUEGREEN_ADDED", "false", "true") == "true",
            started_at=started_at,
        )

    @property
    def shows_authors(self) -> bool:
        """True from v2 on."""
        return int(self.version[1:]) >= AUTHORS_SINCE


def _version(text: str) -> str:
    if not re.fullmatch(r"v[1-9][0-9]{0,3}", text):
        raise ValueError(f'ROOMS_VERSION is {text!r}; it must be like "v1" or "v2"')
    return text


def _state_format(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text):
        raise ValueError(f'ROOMS_STATE_FORMAT is {text!r}; it must be a number from 1, like "1"')
    return int(text)


def _one_of(environ: Mapping[str, str], name: str, unset: str, other: str) -> str:
    text = environ.get(name, unset)
    if text not in (unset, other):
        raise ValueError(f'{name} is {text!r}; it must be "{unset}" or "{other}"')
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError(f'ROOMS_CHECKPOINT_SECONDS is {text!r}; it must be seconds above 0, like "3"')
    return seconds
