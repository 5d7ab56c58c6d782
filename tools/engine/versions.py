"""Versions: which engine the SDK needs, and whether one that was found will do."""

import re
from dataclasses import dataclass
from typing import Self

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
_SDK_PIN = re.compile(r"^pulumi==(\S+)", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Version:
    """A semantic version, ordered; every pre-release counts as one, just before its release."""

    major: int
    minor: int
    patch: int
    is_release: bool = True

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `v3.259.0` or `3.259.0-alpha.1+dirty`; ValueError for anything else."""
        match = _VERSION.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text.strip()!r} is not a version")
        major, minor, patch, pre_release, _build = match.groups()
        return cls(int(major), int(minor), int(patch), pre_release is None)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    def serves(self, needed: "Version") -> bool:
        """Whether an engine of this version works with an SDK of the needed one, of the same major."""
        return self.major == needed.major and self >= needed


def read_sdk_pin(requirements: str) -> Version:
    """Read the SDK's version out of a lock file's text; ValueError if it pins none."""
    match = _SDK_PIN.search(requirements)
    if match is None:
        raise ValueError("requirements.txt pins no pulumi==…")
    return Version.parse(match[1])


def read_go_pin(go_mod: str, module: str) -> Version:
    """Read a module's required version out of a go.mod's text; ValueError if it requires none."""
    match = re.search(rf"^(?:require)?\s+{re.escape(module)} (\S+)", go_mod, re.MULTILINE)
    if match is None:
        raise ValueError(f"go.mod does not require {module}")
    return Version.parse(match[1])
