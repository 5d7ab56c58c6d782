"""Pulumi's output without a terminal, line by line, less what a person would not look at. Pure."""

from __future__ import annotations

import re

_ROW = re.compile(
    r" (?P<mark>.)  pulumi-python:dynamic/fly:BlueGreenFlyApp \S+ (?P<verb>\w*)"
    r"(?: \((?P<seconds>\d+)s\))?(?: ?\[diff: [^]]*\];?)?\s*(?P<text>.*)"
)
_SECTION = re.compile(r"(Diagnostics|Outputs|Resources|Duration):")
_NOISE = re.compile(
    r"@ |(Updating|Previewing update) \(| .  (pulumi:pulumi:Stack|bluegreen:fly:BlueGreenFlyApp) "
    r"|  pulumi-python:dynamic/fly:BlueGreenFlyApp \("
)


class Trim:
    """`feed` it the lines in order; it keeps the sections that are to be shown.

    "rows" are the lines before the first section: those of the deployment itself stay, once each, and those that are
    not known stay as they are. `diagnostics` are kept for when a run fails.
    """

    def __init__(self, *shown: str) -> None:
        self.diagnostics: list[str] = []
        self._shown = shown
        self._section = "rows"
        self._last_text = ""

    def feed(self, line: str) -> str | None:
        """The line as it is to be shown, or None."""
        line = line.rstrip()
        if section := _SECTION.match(line):
            self._section = section[1]
            line = line if section.end() < len(line) else ""
        if self._section == "Diagnostics" and line:
            self.diagnostics.append(line)
        if not line or self._section not in self._shown:
            return None
        return self._trim(line)

    def _trim(self, line: str) -> str | None:
        row = _ROW.fullmatch(line)
        if row is None:
            return None if _NOISE.match(line) else line
        text = row["text"]
        if not text or text == self._last_text:
            return None
        self._last_text = text
        since = f" ({row['seconds']}s)" if row["seconds"] else ""
        return f" {row['mark']}  app {row['verb'] or 'diff'}{since}  {text}"
