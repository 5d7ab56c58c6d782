"""The part of a page that is made, between two marks; what people wrote around it stays."""

from __future__ import annotations

BEGIN, END = "<!-- made by `make docs`: begin -->", "<!-- made by `make docs`: end -->"


def between_marks(before: str, made: str) -> str:
    """`before` with `made` between its marks; a page without marks gets them at its end."""
    head, _, rest = before.partition(BEGIN)
    tail = rest.partition(END)[2] or "\n"
    return f"{head.rstrip()}\n\n{BEGIN}\n\n{made.strip()}\n\n{END}{tail}".lstrip()
