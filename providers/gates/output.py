"""Text from outside, made fit to be shown: no terminal escapes, no control characters, no secrets."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

MASK = "[secret]"
SHORTEST_SECRET = 4
"""What is shorter than this is no secret, and its mask would make words unreadable."""
LONGEST_RAW = 16_384
"""How many characters of one text are looked at; its escapes count here, and not in what is shown."""
SHORTEST_PART = 8
"""Of a secret in several parts (``Bearer …``, a key file, Fly's macaroons) each one this long is hidden alone too."""

_ESCAPES = re.compile(
    r"""
    (?:\x1b\[|\x9b) [0-?]* [ -/]* [@-~]?                                # CSI: colours, cursor
  | (?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]) [^\x07\x1b\x9c]* (?:\x07|\x1b\\|\x9c)?   # OSC, DCS, …: titles, links
  | \x1b [ -/]* [0-~]?                                                  # all others
    """,
    re.VERBOSE,
)


def clean(text: str) -> str:
    """``text`` on one line, without terminal escapes and without anything that does not print."""
    if text.isprintable():  # nearly all that is said, and an escape begins with what does not print
        return text
    return "".join(map(_printable, _ESCAPES.sub("", text)))


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else ""


class Scrubber:
    """Hides secrets in what programs and servers say, however they spell them: plain, JSON, URL-encoded, base64."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = frozenset(secrets)
        # The longest first: where one secret is the beginning of another, all of it is hidden.
        self._forms = sorted(
            {form for secret in self._secrets for form in _forms(secret)}, key=len, reverse=True
        )
        self._pattern = re.compile("|".join(map(re.escape, self._forms)) or r"(?!)")

    def __repr__(self) -> str:
        return f"Scrubber({len(self._secrets)} secrets)"

    def also(self, secrets: Iterable[str]) -> Scrubber:
        """One that hides these too."""
        return Scrubber(self._secrets.union(secrets))

    def scrub(self, text: str) -> str:
        """``text`` with a mask in each secret's place. Chunks are put together before, or halves of one stay."""
        return self._pattern.sub(MASK, text)

    def excerpt(self, text: str, most: int, *, cut: bool = False) -> str:
        """At most ``most`` characters of ``text``, clean and scrubbed, on one line.

        ``cut``: what came before was cut there, so it may end in the middle of a secret, whose beginning goes too.
        """
        cut = cut or len(text) > LONGEST_RAW
        # Escapes can hide a secret, and the beginning of one can pass for the end of an escape.
        shown = self.scrub(clean(self.scrub(text[:LONGEST_RAW])))
        if cut:
            shown = self._without_beginning(shown)
        return shown if len(shown) <= most else f"{shown[:most]}…"

    def _without_beginning(self, text: str) -> str:
        begun = max((_overlap(text, form) for form in self._forms), default=0)
        return text[:-begun] + MASK if begun else text


def _overlap(text: str, form: str) -> int:
    """How many characters of ``form``, from its first on, ``text`` ends with; 0 where that may be by chance."""
    lengths = range(min(len(form) - 1, len(text)), SHORTEST_SECRET - 1, -1)
    return next((length for length in lengths if text.endswith(form[:length])), 0)


def _forms(secret: str) -> Iterator[str]:
    for part in {secret, secret.strip(), *_long_words(secret)}:
        yield from (form for form in _spellings(part) if len(form) >= SHORTEST_SECRET)


def _long_words(secret: str) -> Iterator[str]:
    return (word for word in re.split(r"[\s,;]+", secret) if len(word) >= SHORTEST_PART)


def _spellings(secret: str) -> Iterator[str]:
    if len(secret) < SHORTEST_SECRET:
        return
    yield from (secret, clean(secret))
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    yield from (quote(secret), quote(secret, safe=""), quote_plus(secret))
    for code in _in_base64(secret.encode()):
        yield from (code, code.replace("+", "-").replace("/", "_"))


def _in_base64(secret: bytes) -> Iterator[str]:
    """Alone, or with something before and behind it (``user:secret``): what it makes of every place it may have."""
    yield base64.b64encode(secret).decode()
    for before in range(3):
        code = base64.b64encode(bytes(before) + secret).decode().rstrip("=")
        behind = (before + len(secret)) % 3
        yield code[-(-before * 8 // 6) : len(code) - bool(behind)]
